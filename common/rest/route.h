// SPDX-License-Identifier: Apache-2.0
// Route tables: the one place where a service says which requests exist, who may send them and
// where they run.
//
// 1. A row without a scope does not compile; being open to everybody is a scope too, kPublic.
// 2. A path segment `{name}` matches one segment that is not empty; a last segment `{name...}`
// matches the rest of the path, empty segments left out, so that "/v2/apps//demo/web" gives
// "demo/web". It needs at least one segment.
// 3. Literal segments win over parameters, among the rows of the request's method. A trailing slash
// is the same path.
// 4. Each segment is percent-decoded once. %2F is refused, but within `{name...}` it separates
// segments, since Marathon's clients send ids both ways: "/v2/apps/%2Fdemo%2Fweb" gives "demo/web".
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/rest/http.h"

namespace rest {

// What a caller must have been granted, for instance "app:read". The list of all scopes is
// docs/reference/scopes.md.
class Scope {
 public:
  explicit constexpr Scope(std::string_view name) : name_(name) {}
  constexpr std::string_view name() const { return name_; }
  constexpr bool is_public() const { return name_ == "public"; }

 private:
  std::string_view name_;
};

// Open to everybody, also to callers without credentials or with wrong ones, whom the handler sees
// as the principal "anonymous". docs/reference/public-routes.md lists every such route of every
// daemon; a test compares.
inline constexpr Scope kPublic("public");

// on_loop: under 5 ms, no I/O but LMDB reads. on_worker: everything that blocks.
enum class Run { on_loop, on_worker };

struct RouteLimits {
  std::size_t body_max = 64 << 10;
  std::chrono::seconds handler_max{60};
};

// A row of a service's constexpr table.
template <class Service>
struct Route {
  Method method;
  std::string_view path;
  Scope scope;
  Run run;
  base::Result<Response> (*handler)(Service&, const Request&);
  std::string_view summary;  // for OpenAPI
  RouteLimits limits = {};
};

using Handler = std::function<base::Result<Response>(const Request&)>;

struct Row {
  Method method;
  std::string path;
  Scope scope;
  Run run;
  Handler handler;
  std::string summary;
  RouteLimits limits;
};

class RouteTable {
 public:
  // Adds all rows of a service. Requires: the service outlives the table; no two rows have the same
  // method and shape.
  template <class Service, std::size_t N>
  void add(const Route<Service> (&rows)[N], Service& service) {
    for (const Route<Service>& row : rows) {
      add(Row{row.method, std::string(row.path), row.scope, row.run,
              [handler = row.handler, &service](const Request& request) {
                return handler(service, request);
              },
              std::string(row.summary), row.limits});
    }
  }
  void add(Row row);
  // The rows without a service, for --print-openapi and --dump-routes: their handlers only fail.
  template <class Service, std::size_t N>
  void describe(const Route<Service> (&rows)[N]) {
    for (const Route<Service>& row : rows) {
      add(Row{row.method, std::string(row.path), row.scope, row.run, fail_without_service,
              std::string(row.summary), row.limits});
    }
  }

  const std::vector<Row>& rows() const { return rows_; }

  // What some interfaces want beyond rows; without these calls nothing of it exists.
  // `POST …?_method=PATCH` is taken for a PATCH.
  void allow_method_override() { method_override_ = true; }
  bool allows_method_override() const { return method_override_; }
  // Replies to failures in another shape than problem+json. The request's path is as it was sent
  // when no row was found. Threads: the loop's.
  using Render = std::function<Response(const base::Error&, const Request&)>;
  void render_failures(Render render) { render_ = std::move(render); }
  Response failure(const base::Error& error, const Request& request) const;
  // Answers OPTIONS, on every path and without credentials (CORS).
  void answer_options(std::function<Response(const Request&)> answer);
  const Row* options_row() const { return options_ ? &*options_ : nullptr; }

  // Requires: the table is not added to while the match is in use.
  struct Match {
    const Row* row = nullptr;
    std::size_t index = 0;  // of the row in rows()
    std::string path;       // decoded, without empty segments
    std::map<std::string, std::string, std::less<>> parameters;
  };
  // `raw_path` as it stood on the request line; each segment is percent-decoded once.
  // Errors: not_found route_unknown; unsupported method_not_allowed (405 with Allow);
  // invalid_argument path_invalid for %2f (see 4), %5c, control characters such as %00, '.' and
  // '..' segments, bad escapes and bytes that are not UTF-8. HEAD is matched as GET by the frame.
  // Cost: O(segments) whatever the number of rows, but for paths that fit a literal and a parameter
  // at the same place: both ways are tried then.
  base::Result<Match> match(Method method, std::string_view raw_path) const;
  // Methods that exist for the path, for Allow.
  std::vector<Method> methods(std::string_view raw_path) const;

 private:
  struct Segment {
    enum class Kind { literal, parameter, rest };  // in order of preference
    Kind kind;
    std::string text;  // the literal, or the parameter's name
  };
  using Shape = std::vector<Segment>;
  // A path as it was sent, decoded. The segments point into the raw path, or into `decoded` when
  // they had escapes.
  struct PathSegment {
    std::string_view text;
    bool has_slash = false;  // an encoded one
  };
  struct Path {
    std::vector<PathSegment> segments;
    std::vector<std::unique_ptr<const std::string>> decoded;
    bool has_slash() const;  // in any segment
  };
  // Rows by their segments: one node for each beginning that rows have in common. Rows by method,
  // none: -1.
  using RowOfMethod = std::array<int, kMethods>;
  static constexpr RowOfMethod kNoRows = {-1, -1, -1, -1, -1};
  struct Node {
    std::map<std::string, std::size_t, std::less<>> literals;  // the next node
    std::optional<std::size_t> parameter;                      // likewise
    RowOfMethod ends = kNoRows;                                // rows whose path ends here
    RowOfMethod rests = kNoRows;  // rows whose last segment, `{name...}`, begins here
  };
  // Shows `visit` the rows that a path fits, best first, until it returns true.
  template <class Visit>
  bool walk(std::size_t node, const Path& path, std::size_t at, const Visit& visit) const;
  static base::Result<Response> fail_without_service(const Request& request);
  static Shape parse_shape(std::string_view path);
  static base::Result<Path> read_path(std::string_view raw_path);
  static base::Result<PathSegment> read_segment(std::string_view raw, Path& path);
  static base::Result<void> fill(const Shape& shape, const Path& whole, Match& match);
  bool method_override_ = false;
  Render render_;
  std::optional<Row> options_;
  std::vector<Row> rows_;
  std::vector<Shape> shapes_;           // of rows_, in the same order
  std::vector<Node> nodes_ = {Node{}};  // the first one is the root
};

// OpenAPI 3.1 for a table: paths, parameters, scopes as security requirements, problem responses.
base::Json make_openapi(const RouteTable& table, std::string_view title, std::string_view version);
// [{method, path, scope, run}] for tests that walk every route.
base::Json dump_routes(const RouteTable& table);

}  // namespace rest

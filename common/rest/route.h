// SPDX-License-Identifier: Apache-2.0
// Route tables: the one place where a service says which requests exist, who may send them and
// where they run.
//
// A row without a scope does not compile. A path segment `{name}` matches one segment; a last
// segment `{name...}` matches the rest of the path, empty segments left out, so that
// "/v2/apps//demo/web" gives "demo/web". Literal segments win over parameters. A trailing slash is
// the same path.
#pragma once

#include <chrono>
#include <functional>
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

 private:
  std::string_view name_;
};

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

  const std::vector<Row>& rows() const { return rows_; }

  struct Match {
    const Row* row = nullptr;
    std::map<std::string, std::string, std::less<>> parameters;
  };
  // `raw_path` as it stood on the request line; each segment is percent-decoded once.
  // Errors: not_found route_unknown; unsupported method_not_allowed (405 with Allow);
  // invalid_argument path_invalid for %00, %2f, %5c, '.' and '..' segments and bytes that are not
  // UTF-8. HEAD is matched as GET by the frame.
  base::Result<Match> match(Method method, std::string_view raw_path) const;
  // Methods that exist for the path, for Allow.
  std::vector<Method> methods(std::string_view raw_path) const;

 private:
  std::vector<Row> rows_;
};

// OpenAPI 3.1 for a table: paths, parameters, scopes as security requirements, problem responses.
base::Json make_openapi(const RouteTable& table, std::string_view title, std::string_view version);
// [{method, path, scope, run}] for tests that walk every route.
base::Json dump_routes(const RouteTable& table);

}  // namespace rest

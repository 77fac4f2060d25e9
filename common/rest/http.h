// SPDX-License-Identifier: Apache-2.0
// What a handler sees of HTTP: a request that has passed every limit and the authorisation, and the
// response it returns.
//
// Handlers are plain synchronous functions. They never see the HTTP library, a status for a
// failure, or a thread: failures are base::Error and become problem+json (RFC 9457) at the edge.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"

namespace rest {

enum class Method { get, post, put, patch, del };
inline constexpr std::size_t kMethods = 5;
std::string_view method_name(Method method);

// Who calls. `scopes` were granted by the Authenticator; the frame compares them with the route's
// scope.
struct Principal {
  std::string name;  // "uid:0", "token:admin", …
  std::set<std::string, std::less<>> scopes;
  bool has(std::string_view scope) const { return scopes.contains("*") || scopes.contains(scope); }
};

class Request {
 public:
  Method method = Method::get;
  std::string path;                                        // decoded, normalised, without the query
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
  std::map<std::string, std::string, std::less<>> path_parameters;
  std::map<std::string, std::string, std::less<>> headers;  // names in lower case
  std::string body;
  std::string id;    // request id, also in X-Request-Id and the log
  std::string peer;  // "10.0.0.2:4711" or "unix:uid=0,pid=123"
  Principal principal;

  // The part of the path that `{name}` stands for. Requires: the route has it.
  const std::string& parameter(std::string_view name) const;
  std::optional<std::string> find_query(std::string_view name) const;  // the first one
  std::vector<std::string> all_query(std::string_view name) const;
  // true, True, TRUE, 1 and an empty value are true. Errors: invalid_argument query_invalid.
  base::Result<bool> query_flag(std::string_view name, bool fallback = false) const;
  base::Result<std::int64_t> query_int(std::string_view name, std::int64_t fallback,
                                       std::int64_t min, std::int64_t max) const;
  std::optional<std::string_view> find_header(std::string_view lower_case_name) const;
  // The body as JSON. Errors: those of parse_json.
  base::Result<base::Json> json() const;
};

// A body that comes bit by bit: server-sent events, followed logs. Made by the handler, filled by
// the owner. Threads: write, finish and is_open on the loop thread.
class ByteStream {
 public:
  explicit ByteStream(std::size_t buffer_max = 1 << 20) : buffer_max_(buffer_max) {}
  // Queues bytes for the client. A client that does not read loses its connection once `buffer_max`
  // bytes wait: false then.
  bool write(std::string_view bytes);
  void finish();  // the body ends when what is queued is sent
  bool is_open() const { return !closed_; }
  std::size_t waiting() const { return pending_.size() - taken_; }  // bytes queued for the client
  // Called once, on the loop thread, when the client has gone or the stream has ended.
  void on_close(std::function<void()> callback) { on_close_ = std::move(callback); }

  // For the HTTP frame only. `wake` must not run the producer's callbacks.
  void attach(std::function<void()> wake) { wake_ = std::move(wake); }
  std::size_t take(char* out, std::size_t most);
  bool is_finished() const { return finished_; }
  bool at_end() const { return finished_ && pending_.empty(); }
  void close();

 private:
  std::size_t buffer_max_;
  std::string pending_;
  std::size_t taken_ = 0;
  bool finished_ = false;
  bool closed_ = false;
  std::function<void()> wake_;
  std::function<void()> on_close_;
};

struct Response {
  int status = 200;
  std::map<std::string, std::string> headers;
  std::string body;
  std::shared_ptr<ByteStream>
      stream;  // instead of `body`; shared by the frame and the producer, who end it separately

  static Response json(const base::Json& value, int status = 200);
  static Response json_text(std::string body, int status = 200);  // JSON that is text already
  static Response text(std::string body, std::string content_type = "text/plain; charset=utf-8");
  static Response created(std::string location, const base::Json& value);
  static Response no_content();
  static Response event_stream(std::shared_ptr<ByteStream> stream);
  Response&& with(std::string name, std::string value) &&;  // adds a header
};

// The part behind '?' as pairs in order, each decoded once; '+' is a space, as in forms.
// Errors: invalid_argument query_invalid for bad escapes, control characters, bytes that are not
// UTF-8 and more than 256 pairs.
base::Result<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view raw);

// One server-sent event (WHATWG HTML 9.2), lines ended by CRLF. Data may span lines.
std::string format_event(std::string_view type, std::string_view data, std::string_view id = {});

// The problem+json reply for an error: type, title, status, detail, instance and errors[{pointer,
// detail}]. The title is the reason's meaning in docs/reference/problems.md. Details of codes that
// are our bugs (internal, corrupt) are replaced by a hint at the log.
Response problem(const base::Error& error, std::string_view request_id);
int http_status(base::Code code);
int http_status(const base::Error& error);  // 405 for method_not_allowed, else that of the code
// A reason as the literal that the catalogue holds, empty when the catalogue does not know it.
// Makes Error::reason out of text that came over the wire.
std::string_view find_reason(std::string_view text);

// `"<revision>"`, and the check of If-Match against it. Errors: conflict revision_moved_on.
std::string make_etag(std::uint64_t revision);
base::Result<void> check_if_match(const Request& request, std::uint64_t revision);

// ?limit=&cursor= over a sorted collection. Errors: invalid_argument query_invalid.
struct Page {
  std::size_t limit = 100;
  std::string after;  // the last key of the page before, empty at the start
};
base::Result<Page> read_page(const Request& request, std::size_t limit_default = 100,
                             std::size_t limit_max = 1000);

}  // namespace rest

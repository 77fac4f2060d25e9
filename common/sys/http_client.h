// SPDX-License-Identifier: Apache-2.0
// HTTP client (libcurl): blocking calls for workers and the CLI, asynchronous calls and streams on
// the event loop.
//
// 1. Unix sockets, http and https (certificates verified unless a call says otherwise; a CA file
// and a client certificate may be given).
// 2. No redirects, no proxy variables, no cookies, and limits on size and time.
// Threads: HttpClient::send from any thread but the loop's; AsyncHttp on the loop thread.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/sys/event_loop.h"

namespace sys {

// Whose certificate a server must show. `any` is for health checks of instances on this node, whose
// certificates nobody vouches for and to which nothing secret is sent.
enum class TlsPeer { verified, any };

struct HttpCall {
  std::string method = "GET";
  std::string url;  // http://host:port/path; with `unix_socket` the host is only a name
  std::string unix_socket = {};  // path; empty means TCP
  std::map<std::string, std::string> headers = {};
  std::string body = {};
  base::Secret bearer = {};  // sent as Authorization: Bearer
  TlsPeer tls_peer = TlsPeer::verified;
  std::string ca_file = {};
  std::string client_cert_file = {};
  std::string client_key_file = {};
  std::string bind_address = {};  // source address, empty means any
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(5);
  std::chrono::milliseconds timeout =
      std::chrono::seconds(30);  // whole call; 0 means none (streams)
  std::size_t response_max = 16 << 20;
};

struct HttpReply {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case; the last of repeated ones
  std::string body;
};

// Errors: unavailable connect_failed (nothing was sent), connection_lost (it may have been carried
// out), tls_failed; timed_out http_timed_out; too_large response_too_large; invalid_argument
// http_call_invalid. Any status is a reply. POST and PATCH are never sent twice.
class HttpClient {
 public:
  HttpClient();
  ~HttpClient();
  HttpClient(HttpClient&&) noexcept;
  base::Result<HttpReply> send(const HttpCall& call);  // keeps connections alive between calls
  // As send, but hands a 2xx body over piece by piece; `on_data` returns false to end the call (not
  // an error then).
  base::Result<HttpReply> stream(const HttpCall& call,
                                 const std::function<bool(std::string_view)>& on_data);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class AsyncHttp {
 public:
  using Done = std::function<void(base::Result<HttpReply>)>;
  static base::Result<std::unique_ptr<AsyncHttp>> make(EventLoop& loop);
  virtual ~AsyncHttp() = default;  // calls under way end without their Done; at most 1024 at once
                                   // (throttled http_calls_full)
  // Done runs once, on the loop thread, never inside send(). Dropping the handle cancels the call
  // without Done.
  [[nodiscard]] virtual WatchHandle send(HttpCall call, Done done) = 0;
  // `on_data` gets each piece of a 2xx body; Done comes at the end of the stream.
  [[nodiscard]] virtual WatchHandle stream(HttpCall call,
                                           std::function<void(std::string_view)> on_data,
                                           Done done) = 0;
};

}  // namespace sys

// SPDX-License-Identifier: Apache-2.0
// The HTTP listener (libmicrohttpd) behind route tables. No other file calls libmicrohttpd.
//
// It closes the library's known hazards, each with its test
// (tests/unit/common/rest/server_hazards_test.cc):
// 1. Absolute deadlines for headers, body, handler and reply, since the library's timeout only
// counts silence. Expiry closes the connection; before, who began a request hears 408. That of a
// handler replies 504.
// 2. The path is decoded once, per segment, by RouteTable::match; raw bytes arrive there untouched.
// 3. Content-Length together with Transfer-Encoding, two Content-Lengths, or a Transfer-Encoding
// other than chunked are refused with 400 and close.
// 4. Bodies are counted against the route's limit while they arrive: 413.
// 5. Connection memory, connections in all and per address are bounded. A newcomer beyond takes the
// place of one that waits for a request or has none that is granted; where there is no such one it
// is answered /health only, and closed.
// 6. Requests per second are bounded for each principal and each address: 429 with Retry-After,
// after a moment, so that asking again at once gains nothing. /health has a rate of its own, and
// who is known by the unix socket is part of the node and not counted.
// Order for each request: limits, route, credentials, scope, body, handler. A caller without
// credentials learns nothing: unknown routes answer 401 to it as known ones do, and only public
// routes answer otherwise. HEAD runs the GET handler and sends no body. Threads: make, routes and
// shutdown on the loop thread. Source: libmicrohttpd 0.9.72 or later.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "common/rest/auth.h"
#include "common/rest/metrics.h"
#include "common/rest/rate_limit.h"
#include "common/rest/route.h"
#include "common/sys/event_loop.h"

namespace rest {

struct ListenerOptions {
  // One of: a unix socket path (made with `unix_mode`, an old socket is replaced), or address and
  // port.
  std::string unix_path = {};
  unsigned unix_mode = 0660;
  std::string address = "127.0.0.1";  // IPv4 or IPv6 literal
  std::uint16_t port = 0;             // 0: the kernel chooses, see Server::port()
  // Both set: TLS 1.3 (1.2 allowed for old clients). PEM files, read again on reload().
  std::string certificate_file = {};
  std::string key_file = {};
  std::string client_ca_file = {};  // set: clients must present a certificate of this CA
};

struct ServerLimits {
  // From the connection (or the request line of a later request) to the last header.
  std::chrono::milliseconds header_deadline = std::chrono::seconds(5);
  std::chrono::milliseconds body_deadline = std::chrono::seconds(30);  // whole body
  // From the reply's start until the client has taken all of it. Streams have none while they are
  // open. The handler in between has its route's `handler_max`.
  std::chrono::milliseconds request_deadline = std::chrono::seconds(60);
  std::chrono::milliseconds idle_deadline =
      std::chrono::seconds(120);      // keep-alive connections without a request
  std::size_t connections_max = 512;  // of each listener
  std::size_t connections_per_address_max = 128;
  Rate per_principal = {.per_second = 1000, .burst = 5000};
  Rate per_address = {.per_second = 2000, .burst = 10'000};
  Rate health_per_address = {.per_second = 100, .burst = 200};
  std::size_t connection_memory_bytes = 16 << 10;
  std::size_t streams_max = 64;
};

class Server {
 public:
  struct Parts {
    sys::EventLoop& loop;
    sys::WorkerPool& workers;
    Authenticator& authenticator;
    Metrics& metrics;
  };
  // Requires: table and parts outlive the server. Errors: os errors (address in use, …),
  // invalid_argument listener_invalid, tls_invalid.
  static base::Result<std::unique_ptr<Server>> make(Parts parts, const RouteTable& table,
                                                    std::vector<ListenerOptions> listeners,
                                                    ServerLimits limits = {});
  virtual ~Server() = default;  // resumes suspended connections first, as the library demands
  virtual std::uint16_t port(std::size_t listener = 0) const = 0;
  // New connections get the certificates that the files hold now; those that are open keep theirs.
  // Of the limits the rates per principal and per address are taken, from now on. Errors: those of
  // reading; invalid_argument tls_invalid. What was in force stays in force then.
  virtual base::Result<void> reload(const ServerLimits& limits) = 0;
  // Stops accepting, ends streams, waits for handlers under way at most `grace`, then `done`. The
  // server may be destroyed in `done`.
  virtual void shutdown(std::chrono::milliseconds grace, std::function<void()> done) = 0;
};

// GET /health, /metrics and /openapi.json, which every daemon has. `health` returns {"status":
// "ok"|"degraded", …}. `health_scope`: kPublic for daemons whose callers have other credentials
// than tokens of the node.
void add_standard_routes(RouteTable& table, Metrics& metrics, std::string title,
                         std::function<base::Json()> health,
                         Scope health_scope = Scope("health:read"));

}  // namespace rest

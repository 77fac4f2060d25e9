// SPDX-License-Identifier: Apache-2.0
// What the HTTP server is made of, for server*.cc only: listeners, connections and the exchange
// (one request and its reply) under way on each.
//
// State of a connection, with what moves it on:
//   idle ──request line──▶ header ──last header──▶ body ──dispatch──▶ handler ──send──▶ reply
//    ▲                                                                        (or stream)  │
//    └───────────────────────────────────── completed ─────────────────────────────────────┘
// Each state but stream has a deadline; a new connection begins in header.
// 1. The library's objects are touched on the loop thread only.
// 2. A connection is suspended while a worker has its request or its stream has nothing to send.
// 3. Nothing that a worker holds points into a connection but through a Ticket, which is cut when
// the exchange ends.
#pragma once

#include <microhttpd.h>

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/rest/listen.h"
#include "common/rest/server.h"

namespace rest {

class HttpServer;
class Listener;
struct Connection;
struct Exchange;

// Bodies up to this size are read and dropped before a refusal is sent, so that the connection can
// go on; longer ones are answered at once and the connection is closed.
inline constexpr std::size_t kDrainBytesMax = 64 << 10;

enum class Phase { idle, header, body, handler, reply, stream };
std::string_view phase_name(Phase phase);

// A request that a worker has. Shared by the exchange and the worker's closure, which end in either
// order; `exchange` is null once the exchange has ended. Threads: `request` and `result` belong to
// the worker until it posts the ticket back.
struct Ticket {
  Exchange* exchange = nullptr;
  Request request;
  std::optional<base::Result<Response>> result;
};

struct Exchange {
  // `uri` points into the library's buffer of the request line.
  Exchange(Connection& owner, std::string_view uri);
  ~Exchange();

  // The library's access handler; returns false to close the connection.
  bool on_call(const char* method, const char* version, const char* data, std::size_t* size);

  // Tells a client that its request took too long to come. Requires: the connection is cut next.
  void refuse_late();
  // Nothing was granted to it: what it still sends is dropped.
  bool is_refused() const { return refusal_.has_value(); }

  Connection& connection;
  Request request;
  std::string raw_path;
  std::string raw_query;

 private:
  friend class HttpServer;
  enum class State { fresh, reading, handling, answered };

  bool on_headers(std::string_view method, std::string_view version);
  bool on_body(std::string_view data);
  bool on_complete();
  base::Result<void> read_framing(std::string_view version);
  // By its connection and address, before anything else is looked at.
  base::Result<void> admit();
  base::Result<void> limit(RateLimiter& limiter, const std::string& key, std::string_view what);
  bool is_health() const { return raw_path == "/health"; }
  base::Result<void> authorize(std::string_view method);
  base::Result<RouteTable::Match> route(std::string_view method);
  bool dispatch();
  bool submit();
  // Sends the refusal of a rate after a moment.
  bool hold_back();
  // Hands the reply to the library. Requires: the library is in this connection's access handler.
  bool send(base::Result<Response> result);
  bool send_response(Response response);
  void note_failure(const base::Error& error) const;
  void count(int status) const;
  void wake_stream();

  State state_ = State::fresh;
  const char* uri_end_;  // in the library's buffer; only compared, never read
  bool is_head_ = false;
  bool must_close_ = false;
  std::int64_t retry_after_s_ = 0;  // set: a rate was exceeded
  sys::WatchHandle held_;
  bool chunked_ = false;
  std::uint64_t content_length_ = 0;
  std::size_t body_max_ = 0;
  std::size_t dropped_bytes_ = 0;
  const Row* row_ = nullptr;
  std::size_t row_index_ = 0;
  base::Instant started_;
  std::optional<base::Error> refusal_;
  std::optional<base::Result<Response>> result_;
  std::shared_ptr<Ticket> ticket_;      // shared with the worker, see Ticket
  std::string reply_body_;              // is sent from here
  std::shared_ptr<ByteStream> stream_;  // shared with the producer, see Response::stream
};

struct Connection {
  Connection(Listener& owner, MHD_Connection* mhd_handle);

  void suspend();
  void resume();
  void enter(Phase next, base::Duration limit);
  void enter(Phase next);  // without a deadline
  void cut();              // ends it whatever the client does; the library then closes it
  // Past the library, as far as the socket takes it at once. Requires: it is cut next.
  void write_last(std::string_view bytes);

  Listener& listener;
  MHD_Connection* handle;
  int fd = -1;
  std::string peer;
  std::string address;  // as limits count it: a network of 64 bits for IPv6; empty on a unix socket
  std::optional<PeerCredentials> credentials;
  Phase phase = Phase::header;
  base::Instant phase_began;
  bool is_spare = false;  // beyond the limits: for /health only
  bool is_cut = false;
  std::optional<base::Instant> deadline;
  bool suspended = false;
  std::unique_ptr<Exchange> exchange;
  sys::WatchHandle hangup;  // of a streaming client, which is not read from meanwhile
  std::list<Connection*>::iterator place;
};

struct MhdStopper {
  void operator()(MHD_Daemon* daemon) const noexcept { MHD_stop_daemon(daemon); }
};

// One listening socket behind one library instance.
class Listener {
 public:
  // Keeps `socket` open as its own copy, so that a later instance can take it over.
  static base::Result<std::unique_ptr<Listener>> make(HttpServer& server,
                                                      const ListenerOptions& options,
                                                      int listening_fd);
  explicit Listener(HttpServer& owner) : server(owner) {}
  ~Listener();

  void stop_accepting();
  // Lets the library work until it has nothing ready. Requires: not called by the library.
  void run();
  void run_soon();
  // Keeps the limits of connections, now that `newcomer` is one of them.
  void make_room(Connection& newcomer);

  HttpServer& server;
  bool is_unix = false;
  bool wants_client_certificate = false;
  std::list<Connection*> connections;

 private:
  struct TlsFiles {
    std::string certificate;
    base::Secret key;
    std::string client_ca;
  };
  base::Result<void> start(const ListenerOptions& options, sys::Fd listening, const TlsFiles& tls);

  // Released in the reverse order: first the watches, then the library instance.
  std::unique_ptr<MHD_Daemon, MhdStopper> daemon_;
  sys::WatchHandle readable_;
  sys::WatchHandle again_;
  bool running_ = false;
};

class HttpServer final : public Server {
 public:
  HttpServer(Parts server_parts, const RouteTable& routes, ServerLimits server_limits);
  ~HttpServer() override;
  base::Result<void> listen(std::vector<ListenerOptions> listeners);

  std::uint16_t port(std::size_t listener) const override;
  base::Result<void> reload(const ServerLimits& next) override;
  void shutdown(std::chrono::milliseconds grace, std::function<void()> done) override;

  void on_connection_closed(Listener& listener);
  // Makes sure that the sweep comes no later than `when`.
  void arm(base::Instant when);
  std::string next_request_id();
  void count(const Row* row, std::size_t row_index, std::string_view method, int status,
             base::Duration took);

  Parts parts;
  const RouteTable& table;
  ServerLimits limits;
  RateLimiter principals;
  RateLimiter addresses;
  RateLimiter health;
  std::size_t open_streams = 0;
  bool shutting_down = false;

 private:
  struct Place {
    ListenerOptions options;
    ListeningSocket socket;
    std::unique_ptr<Listener> listener;
  };
  struct RowMetrics {
    std::unordered_map<int, Counter*> by_status;
    Histogram* seconds = nullptr;
  };
  void sweep();
  void expire(Connection& connection);
  template <class Visit>
  void for_each_connection(const Visit& visit);
  bool has_connections() const;
  void finish_shutdown();

  std::vector<Place> places_;
  std::vector<std::unique_ptr<Listener>> retired_;  // finish their connections after a reload
  std::optional<base::Instant> armed_;
  sys::WatchHandle sweep_timer_;
  sys::WatchHandle grace_timer_;
  std::function<void()> shutdown_done_;
  std::string id_prefix_;
  std::uint64_t id_counter_ = 0;
  std::vector<RowMetrics> row_metrics_;  // by row; the last one is for requests without a row
  std::vector<Counter*> expired_;        // by phase
  Gauge* connections_gauge_ = nullptr;
  Gauge* streams_gauge_ = nullptr;
  // What closures on the loop hold weakly: gone when the server is.
  std::shared_ptr<HttpServer*> self_;
};

}  // namespace rest

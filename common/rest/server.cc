// SPDX-License-Identifier: Apache-2.0
#include "common/rest/server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/rest/server_parts.h"

namespace rest {

using base::Code;
using base::Error;
using base::Result;

namespace {

// Deadlines are met to within this; it keeps a thousand connections from causing a thousand sweeps.
constexpr base::Duration kSweepGrain = std::chrono::milliseconds(50);

}  // namespace

std::string_view phase_name(Phase phase) {
  switch (phase) {
    case Phase::idle: return "idle";
    case Phase::header: return "header";
    case Phase::body: return "body";
    case Phase::handler: return "handler";
    case Phase::reply: return "reply";
    case Phase::stream: return "stream";
  }
  return "";
}

Result<std::unique_ptr<Server>> Server::make(Parts parts, const RouteTable& table,
                                             std::vector<ListenerOptions> listeners,
                                             ServerLimits limits) {
  auto server = std::make_unique<HttpServer>(parts, table, limits);
  TRY(server->listen(std::move(listeners)));
  return std::unique_ptr<Server>(std::move(server));
}

HttpServer::HttpServer(Parts server_parts, const RouteTable& routes, ServerLimits server_limits)
    : parts(server_parts),
      table(routes),
      limits(server_limits),
      principals(server_limits.per_principal),
      addresses(server_limits.per_address),
      health(server_limits.health_per_address),
      id_prefix_(base::to_hex(base::system_rng().token(6)).substr(0, 12) + "-"),
      row_metrics_(routes.rows().size() + 1),
      self_(std::make_shared<HttpServer*>(this)) {
  for (const Phase phase :
       {Phase::idle, Phase::header, Phase::body, Phase::handler, Phase::reply}) {
    expired_.push_back(&parts.metrics.counter("http_deadlines_expired_total",
                                              "Connections whose client or handler was too slow.",
                                              {{"phase", std::string(phase_name(phase))}}));
  }
  connections_gauge_ = &parts.metrics.gauge("http_connections", "Open connections.");
  streams_gauge_ = &parts.metrics.gauge("http_streams", "Open streams.");
  parts.metrics.on_render([weak = std::weak_ptr(self_)] {
    const auto server = weak.lock();
    if (!server) return;
    double connections = 0;
    (*server)->for_each_connection([&connections](Connection&) { ++connections; });
    (*server)->connections_gauge_->set(connections);
    (*server)->streams_gauge_->set(static_cast<double>((*server)->open_streams));
  });
}

HttpServer::~HttpServer() {
  shutting_down = true;
  shutdown_done_ = nullptr;
  self_.reset();
  // While the rest of the server is whole: closing connections calls back into it.
  retired_.clear();
  for (Place& place : places_) place.listener.reset();
  for (const Place& place : places_) {
    if (!place.options.unix_path.empty()) ::unlink(place.options.unix_path.c_str());
  }
}

Result<void> HttpServer::listen(std::vector<ListenerOptions> listeners) {
  for (ListenerOptions& options : listeners) {
    ListeningSocket socket = TRY(open_listener(options));
    auto listener = TRY(Listener::make(*this, options, socket.fd.get()));
    places_.push_back({std::move(options), std::move(socket), std::move(listener)});
  }
  return {};
}

std::uint16_t HttpServer::port(std::size_t listener) const {
  CHECK_THAT(listener < places_.size());
  return places_[listener].socket.port;
}

Result<void> HttpServer::reload(const ServerLimits& next_limits) {
  for (Place& place : places_) {
    if (place.options.certificate_file.empty() || shutting_down) continue;
    // Both instances accept from the same socket for a moment, so no client is refused.
    auto next = TRY(Listener::make(*this, place.options, place.socket.fd.get()));
    std::swap(next, place.listener);
    next->stop_accepting();
    retired_.push_back(std::move(next));
    on_connection_closed(*retired_.back());
  }
  limits.per_principal = next_limits.per_principal;
  limits.per_address = next_limits.per_address;
  principals = RateLimiter(limits.per_principal);
  addresses = RateLimiter(limits.per_address);
  return {};
}

template <class Visit>
void HttpServer::for_each_connection(const Visit& visit) {
  for (const Place& place : places_) {
    for (Connection* connection : place.listener->connections) visit(*connection);
  }
  for (const auto& listener : retired_) {
    for (Connection* connection : listener->connections) visit(*connection);
  }
}

bool HttpServer::has_connections() const {
  const auto has = [](const Listener& listener) { return !listener.connections.empty(); };
  return std::any_of(places_.begin(), places_.end(),
                     [&](const Place& p) { return has(*p.listener); }) ||
         std::any_of(retired_.begin(), retired_.end(), [&](const auto& l) { return has(*l); });
}

void HttpServer::on_connection_closed(Listener& listener) {
  if (!listener.connections.empty()) return;
  // The library is still in the call that closed it, so what may destroy it comes later.
  parts.loop.post([weak = std::weak_ptr(self_)] {
    const auto server = weak.lock();
    if (!server) return;
    HttpServer& self = **server;
    std::erase_if(self.retired_, [](const auto& old) { return old->connections.empty(); });
    if (self.shutting_down && !self.has_connections()) self.finish_shutdown();
  });
}

void HttpServer::shutdown(std::chrono::milliseconds grace, std::function<void()> done) {
  CHECK_THAT(!shutting_down);
  shutting_down = true;
  shutdown_done_ = std::move(done);
  for (Place& place : places_) {
    place.listener->stop_accepting();
    place.socket.fd.reset();
    if (!place.options.unix_path.empty()) ::unlink(place.options.unix_path.c_str());
  }
  for_each_connection([](Connection& connection) {
    if (connection.exchange && connection.exchange->stream_) connection.exchange->stream_->finish();
    if (!connection.exchange) connection.cut();
  });
  grace_timer_ = parts.loop.after(grace, [this] { finish_shutdown(); });
  if (!has_connections()) on_connection_closed(*places_.front().listener);
}

void HttpServer::finish_shutdown() {
  grace_timer_.reset();
  for_each_connection([](Connection& connection) { connection.cut(); });
  // Moved out first: `done` may destroy this server.
  if (const auto done = std::exchange(shutdown_done_, nullptr)) done();
}

void HttpServer::arm(base::Instant when) {
  if (armed_ && *armed_ <= when) return;
  armed_ = when;
  sweep_timer_ = parts.loop.at(when, [this] { sweep(); });
}

// O(connections), at most once per kSweepGrain.
void HttpServer::sweep() {
  armed_.reset();
  const base::Instant now = base::system_clock().now();
  std::optional<base::Instant> next;
  for_each_connection([&](Connection& connection) {
    if (connection.deadline && *connection.deadline <= now) expire(connection);
    if (connection.deadline && (!next || *connection.deadline < *next)) next = connection.deadline;
  });
  if (next) arm(std::max(*next, now + kSweepGrain));
}

void HttpServer::expire(Connection& connection) {
  const auto phase = static_cast<std::size_t>(connection.phase);
  if (phase < expired_.size()) expired_[phase]->add();
  connection.deadline.reset();
  if (connection.phase != Phase::handler) {
    if (connection.exchange) connection.exchange->refuse_late();
    return connection.cut();
  }
  Exchange& exchange = *connection.exchange;
  // The worker goes on, but nobody waits for what it brings.
  if (exchange.ticket_) exchange.ticket_->exchange = nullptr;
  exchange.ticket_.reset();
  exchange.result_ = Error{Code::timed_out, "the request took too long", "handler_timed_out"};
  connection.resume();
}

std::string HttpServer::next_request_id() { return id_prefix_ + std::to_string(++id_counter_); }

void HttpServer::count(const Row* row, std::size_t row_index, std::string_view method, int status,
                       base::Duration took) {
  RowMetrics& metrics = row_metrics_[row != nullptr ? row_index : row_metrics_.size() - 1];
  const auto labels = [&] {
    return Labels{{"method", row != nullptr ? std::string(method) : ""},
                  {"route", row != nullptr ? row->path : ""}};
  };
  Counter*& counter = metrics.by_status[status];
  if (counter == nullptr) {
    Labels with_code = labels();
    with_code.emplace("code", std::to_string(status));
    counter =
        &parts.metrics.counter("http_requests_total", "Requests by route and status.", with_code);
  }
  counter->add();
  if (metrics.seconds == nullptr) {
    metrics.seconds = &parts.metrics.histogram(
        "http_request_seconds", "From the request line to the reply, by route.", labels());
  }
  metrics.seconds->observe(std::chrono::duration<double>(took).count());
}

}  // namespace rest

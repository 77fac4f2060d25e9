// SPDX-License-Identifier: Apache-2.0
#include "tests/support/sim/sim_net.h"

#include <algorithm>
#include <cerrno>
#include <deque>

namespace sim {

using base::Code;
using base::Endpoint;
using base::Error;
using base::Result;

namespace {

constexpr std::chrono::seconds kConnectTimeout{5};
constexpr int kClient = 0;
constexpr int kServer = 1;

}  // namespace

// What travels on a link.
struct SimNet::Item {
  enum class Kind { opened, frame, closed } kind = Kind::frame;
  std::string frame = {};
};

struct SimNet::Side {
  std::string host;
  Endpoint peer;
  base::LinkEvents events;
  bool ended = false;          // no callback any more
  std::deque<Item> under_way;  // to this side, in order; each has one arrival to come
  std::size_t bytes_under_way = 0;
  std::size_t stalled = 0;  // arrivals that found their way blocked
};

struct SimNet::Connection {
  Side sides[2];
  bool accepted = false;
  bool broken = false;
  base::Instant lingers_until;
};

class SimLink final : public base::Link {
 public:
  SimLink(SimNet& net, SimNet::ConnectionHandle connection, int side)
      : net_(net), connection_(std::move(connection)), side_(side) {}
  ~SimLink() override { net_.let_go(connection_, side_); }
  Result<void> send(std::string_view frame) override {
    return net_.send(connection_, side_, frame);
  }
  std::size_t queued_bytes() const override {
    return connection_->sides[1 - side_].bytes_under_way;
  }
  const Endpoint& peer() const override { return connection_->sides[side_].peer; }

 private:
  SimNet& net_;
  const SimNet::ConnectionHandle connection_;
  const int side_;
};

class SimListener final : public base::Listener {
 public:
  SimListener(SimNet& net, Endpoint endpoint) : net_(net), endpoint_(std::move(endpoint)) {}
  ~SimListener() override { net_.listeners_.erase(endpoint_); }
  const Endpoint& endpoint() const override { return endpoint_; }

 private:
  SimNet& net_;
  const Endpoint endpoint_;
};

class SimHost final : public base::Net {
 public:
  SimHost(SimNet& net, std::string name) : net_(net), name_(std::move(name)) {}

  Result<std::unique_ptr<base::Listener>> listen(const Endpoint& endpoint,
                                                 base::Accept accept) override {
    Endpoint actual = endpoint;
    if (actual.port == 0) actual.port = net_.next_port_++;
    if (actual.host != name_) return base::os_error(EADDRNOTAVAIL, "listen");
    if (!net_.listeners_.emplace(actual, std::move(accept)).second)
      return base::os_error(EADDRINUSE, "listen");
    return std::unique_ptr<base::Listener>(std::make_unique<SimListener>(net_, actual));
  }

  std::unique_ptr<base::Link> connect(const Endpoint& peer, base::LinkEvents events) override {
    return net_.connect(name_, peer, std::move(events));
  }

 private:
  SimNet& net_;
  const std::string name_;
};

std::unique_ptr<base::Net> SimNet::host(const std::string& name) {
  return std::make_unique<SimHost>(*this, name);
}

void SimNet::partition(const std::vector<std::string>& some,
                       const std::vector<std::string>& others) {
  for (const std::string& one : some) {
    for (const std::string& other : others) {
      block(one, other);
      block(other, one);
    }
  }
}

void SimNet::heal() {
  blocked_.clear();
  for (const std::weak_ptr<Connection>& weak : connections_) {
    const ConnectionHandle connection = weak.lock();
    if (!connection) continue;
    for (int to : {kClient, kServer}) resume(connection, to);
  }
}

std::unique_ptr<base::Link> SimNet::connect(const std::string& from, const Endpoint& to,
                                            base::LinkEvents events) {
  std::erase_if(connections_, [](const auto& weak) { return weak.expired(); });
  const auto connection = std::make_shared<Connection>();
  connections_.push_back(connection);
  connection->sides[kClient].host = from;
  connection->sides[kClient].peer = to;
  connection->sides[kClient].events = std::move(events);
  connection->sides[kServer].host = to.host;
  const std::uint16_t port = next_port_++;
  world_.schedule_after(delay(), [this, connection, port] { arrive(connection, port); });
  return std::make_unique<SimLink>(*this, connection, kClient);
}

// The request to connect reaches the server's host.
void SimNet::arrive(const ConnectionHandle& connection, std::uint16_t from_port) {
  const Side& client = connection->sides[kClient];
  Side& server = connection->sides[kServer];
  if (is_blocked(client.host, server.host) || is_blocked(server.host, client.host)) {
    world_.schedule_after(kConnectTimeout, [this, connection] {
      end(connection, kClient, {Code::timed_out, "no answer", "link_timed_out", ETIMEDOUT});
    });
    return;
  }
  const auto listener = listeners_.find(client.peer);
  if (listener == listeners_.end()) {
    world_.schedule_after(delay(), [this, connection] {
      end(connection, kClient, base::os_error(ECONNREFUSED, "connect"));
    });
    return;
  }
  server.peer = {client.host, from_port};
  transmit(connection, kClient, {Item::Kind::opened});
  const base::Accept accept = listener->second;  // it may end the listener
  server.events = accept(std::make_unique<SimLink>(*this, connection, kServer));
  // What the client sent before it was connected has waited for this.
  connection->accepted = true;
  resume(connection, kServer);
}

Result<void> SimNet::send(const ConnectionHandle& connection, int from, std::string_view frame) {
  if (frame.size() > base::kFrameMax)
    return Error{Code::too_large, "the frame is larger than a link takes", "frame_too_large"};
  if (connection->sides[from].ended)
    return Error{Code::unavailable, "the link has ended", "link_closed"};
  Side& receiver = connection->sides[1 - from];
  if (receiver.bytes_under_way + frame.size() > base::kSendQueueMax)
    return Error{Code::throttled, "too much is waiting to be sent", "link_full"};
  if (!connection->broken && world_.happens(faults.link_break)) break_link(connection);
  if (connection->broken) return {};  // lost, and the sender does not know yet
  receiver.bytes_under_way += frame.size();
  transmit(connection, 1 - from, {Item::Kind::frame, std::string(frame)});
  return {};
}

void SimNet::break_link(const ConnectionHandle& connection) {
  connection->broken = true;
  base::Duration lingers{};
  if (faults.linger_max > base::Duration{}) lingers = world_.between({}, faults.linger_max);
  connection->lingers_until = world_.clock().now() + lingers;
  if (lingers > base::Duration{})
    world_.schedule_after(lingers, [this, connection] { resume(connection, kServer); });
  for (int side : {kClient, kServer}) {
    const base::Duration later = side == kServer && lingers > base::Duration{}
                                     ? lingers + faults.delay_max + base::Duration(1)
                                     : delay();
    world_.schedule_after(later, [this, connection, side] {
      end(connection, side, {Code::unavailable, "the link broke", "link_closed"});
    });
  }
}

void SimNet::let_go(const ConnectionHandle& connection, int side) {
  if (std::exchange(connection->sides[side].ended, true)) return;
  if (!connection->broken) transmit(connection, 1 - side, {Item::Kind::closed});
}

void SimNet::transmit(const ConnectionHandle& connection, int to, Item item) {
  connection->sides[to].under_way.push_back(std::move(item));
  world_.schedule_after(delay(), [this, connection, to] { receive(connection, to); });
}

void SimNet::resume(const ConnectionHandle& connection, int to) {
  const std::size_t count = std::exchange(connection->sides[to].stalled, 0);
  for (std::size_t i = 0; i < count; ++i)
    world_.schedule_after(delay(), [this, connection, to] { receive(connection, to); });
}

// An arrival takes the oldest item, whichever it was scheduled for: so order is kept.
void SimNet::receive(const ConnectionHandle& connection, int to) {
  Side& side = connection->sides[to];
  const bool waits =
      to == kServer && (!connection->accepted || world_.clock().now() < connection->lingers_until);
  if (waits || is_blocked(connection->sides[1 - to].host, side.host)) {
    ++side.stalled;
    return;
  }
  const Item item = std::move(side.under_way.front());
  side.under_way.pop_front();
  side.bytes_under_way -= item.frame.size();
  if (side.ended) return;
  switch (item.kind) {
    case Item::Kind::opened:
      if (side.events.opened) side.events.opened();
      break;
    case Item::Kind::frame:
      if (side.events.frame) side.events.frame(item.frame);
      break;
    case Item::Kind::closed:
      end(connection, to, {Code::unavailable, "the peer has closed", "link_closed"});
      break;
  }
}

void SimNet::end(const ConnectionHandle& connection, int side, const Error& error) {
  if (std::exchange(connection->sides[side].ended, true)) return;
  if (connection->sides[side].events.closed) connection->sides[side].events.closed(error);
}

}  // namespace sim

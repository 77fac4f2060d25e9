// SPDX-License-Identifier: Apache-2.0
// Answers for one zone, over UDP and TCP, on the daemon's loop.
//
// Used by netfwd's body.
// 1. It answers from memory, within the callback: nothing of it waits.
// 2. It answers for its zone and refuses all else: it asks nobody, and an answer is never longer
// than a query of a few dozen bytes makes it (ten times at most over UDP).
// 3. An address that cannot be bound is told and tried again; the others serve meanwhile. An
// address that is not there yet is bound all the same (IP_FREEBIND).
// 4. Over TCP there are at most kConnectionsMax connections, each for at most ten idle seconds; a
// client that does not read its answers is cut.
// Threads: publish() any, all else the loop's. Source: RFC 1035 section 4.2, RFC 7766.
#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/sys/event_loop.h"
#include "common/sys/handle.h"
#include "netfw/dns/zone.h"

namespace netfw::dns {

inline constexpr std::size_t kConnectionsMax = 64;

class Server {
 public:
  struct Options {
    std::vector<IpAddress> listen;
    std::uint16_t port = 53;
  };
  Server(sys::EventLoop& loop, Options options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void start();
  void publish(std::shared_ptr<const Zone> zone);
  // "127.0.0.1 port 53: Address already in use", for what is not served.
  std::vector<std::string> problems() const;
  std::uint64_t answered() const { return answered_; }

 private:
  struct Place;
  struct Connection;
  void open_all();
  base::Result<void> open(Place& place);
  void take_datagrams(Place& place);
  void take_connections(Place& place);
  void take_stream(Connection& connection);
  // False: cut it.
  bool answer_stream(Connection& connection);
  void cut_idle();
  std::string reply_to(std::string_view message, bool over_tcp);

  sys::EventLoop& loop_;
  const Options options_;
  std::vector<std::unique_ptr<Place>> places_;
  std::list<std::unique_ptr<Connection>> connections_;
  sys::WatchHandle retry_;
  sys::WatchHandle sweep_;
  std::atomic<std::uint64_t> answered_ = 0;
  mutable std::mutex mutex_;  // of the two below
  std::shared_ptr<const Zone> zone_;
  std::vector<std::string> problems_;
};

}  // namespace netfw::dns

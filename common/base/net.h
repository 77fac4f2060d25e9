// SPDX-License-Identifier: Apache-2.0
// Messages between processes as an interface, so that every protocol of ours also runs on a
// simulated network that delays, breaks and partitions.
//
// Used by the DFS and the event log; engines: sys::TcpNet, sim::SimNet (tests).
// 1. Frames of one link arrive whole, in order and at most once. A link that ends loses what was
// under way: the sender knows a frame has arrived only when the peer says so.
// 2. A silent peer and a cut cable look the same; links do not notice either. Heartbeats and
// deadlines belong to the protocol.
// 3. A link calls back until it is destroyed or `closed` was called, whichever is first; never from
// within send(), connect() or listen(). It may be destroyed inside its callbacks.
// Threads: the loop's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace base {

inline constexpr std::size_t kFrameMax = std::size_t{17} << 20;  // a 16 MiB payload and its header
inline constexpr std::size_t kSendQueueMax = std::size_t{64} << 20;

struct Endpoint {
  std::string host;  // an IP address; names are resolved elsewhere
  std::uint16_t port = 0;
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

// Destroying it closes the link.
class Link {
 public:
  virtual ~Link() = default;
  // Takes the frame for sending; also before the link is open. Errors: too_large frame_too_large;
  // throttled link_full (kSendQueueMax bytes are waiting); unavailable link_closed.
  virtual Result<void> send(std::string_view frame) = 0;
  virtual std::size_t queued_bytes() const = 0;
  virtual const Endpoint& peer() const = 0;
};

// Each may be empty. The frame lives until the callback returns.
struct LinkEvents {
  std::function<void()> opened;  // of a link that was made by connect()
  std::function<void(std::string_view frame)> frame;
  // Also when connecting fails. Errors: unavailable, timed_out, too_large frame_too_large.
  std::function<void(const Error& error)> closed;
};

// Destroying it ends the listening; links that it accepted stay.
class Listener {
 public:
  virtual ~Listener() = default;
  // With the port that was chosen when 0 was asked for.
  virtual const Endpoint& endpoint() const = 0;
};

// Keeps the link, or lets it go to refuse it, and says what to call for it.
using Accept = std::function<LinkEvents(std::unique_ptr<Link> link)>;

class Net {
 public:
  virtual ~Net() = default;
  // Errors: os errors (the address is in use or not ours).
  virtual Result<std::unique_ptr<Listener>> listen(const Endpoint& endpoint, Accept accept) = 0;
  virtual std::unique_ptr<Link> connect(const Endpoint& peer, LinkEvents events) = 0;
};

}  // namespace base

// SPDX-License-Identifier: Apache-2.0
#include "common/sys/tcp_net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/base/bytes.h"
#include "common/sys/handle.h"

namespace sys {
namespace {

using base::Code;
using base::Endpoint;
using base::Error;
using base::Result;

constexpr std::chrono::seconds kConnectTimeout{5};
constexpr std::chrono::milliseconds kAcceptRest{100};
constexpr int kBacklog = 128;
constexpr std::size_t kLengthBytes = 4;
// Read at most this much per turn of the loop, so that one busy link does not starve the others.
constexpr std::size_t kReadChunk = 256 << 10;

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

Result<Address> to_address(const Endpoint& endpoint) {
  Address address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (::inet_pton(AF_INET, endpoint.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(endpoint.port);
    address.size = sizeof *v4;
  } else if (::inet_pton(AF_INET6, endpoint.host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(endpoint.port);
    address.size = sizeof *v6;
  } else {
    return Error{Code::invalid_argument, endpoint.host + " is not an IP address",
                 "address_invalid"};
  }
  return address;
}

Endpoint to_endpoint(const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address.storage);
    ::inet_ntop(AF_INET, &v4->sin_addr, text.data(), text.size());
    return {text.data(), ntohs(v4->sin_port)};
  }
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address.storage);
  ::inet_ntop(AF_INET6, &v6->sin6_addr, text.data(), text.size());
  return {text.data(), ntohs(v6->sin6_port)};
}

// The part of a link that lives while one of its callbacks runs, even if the link is let go there.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(EventLoop& loop, Endpoint peer) : loop_(loop), peer_(std::move(peer)) {}

  // Of an accepted link, unless its owner let it go at once.
  void start_if_kept(Fd fd) {
    if (gone_) return;
    fd_ = std::move(fd);
    set_no_delay();
    connected_ = true;
    follow();
  }

  void start_connecting() {
    const Result<void> begun = begin_connect();
    if (begun) {
      timeout_ = loop_.after(kConnectTimeout, [this] {
        end({Code::timed_out, "no answer from " + peer_.host, "link_timed_out", ETIMEDOUT});
      });
      follow();
    } else {
      // Not from within connect(): its caller does not have the link yet.
      timeout_ = loop_.after({}, [this, error = begun.error()] { end(error); });
    }
  }

  void set_events(base::LinkEvents events) { events_ = std::move(events); }

  // No callback from now on.
  void let_go() {
    gone_ = true;
    shut();
  }

  Result<void> send(std::string_view frame) {
    if (frame.size() > base::kFrameMax)
      return Error{Code::too_large, "the frame is larger than a link takes", "frame_too_large"};
    if (ended_) return Error{Code::unavailable, "the link has ended", "link_closed"};
    if (queued_bytes() + frame.size() > base::kSendQueueMax)
      return Error{Code::throttled, "too much is waiting to be sent", "link_full"};
    const std::string head =
        base::ByteWriter().u32(static_cast<std::uint32_t>(frame.size())).take();
    // What the kernel takes at once is not copied.
    const std::size_t taken = connected_ && queued_bytes() == 0 ? send_now(head, frame) : 0;
    if (taken < head.size()) outgoing_ += std::string_view(head).substr(taken);
    outgoing_ += frame.substr(std::max(taken, head.size()) - head.size());
    if (connected_) follow();
    return {};
  }

  std::size_t queued_bytes() const { return outgoing_.size() - sent_; }
  const Endpoint& peer() const { return peer_; }

 private:
  Result<void> begin_connect() {
    Address address = TRY(to_address(peer_));
    fd_ = Fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd_.is_open()) return base::os_error(errno, "make a socket");
    set_no_delay();
    if (::connect(fd_.get(), address.get(), address.size) != 0 && errno != EINPROGRESS)
      return base::os_error(errno, "connect to " + peer_.host);
    return {};
  }

  void set_no_delay() const {
    const int on = 1;
    // A frame is a whole message; waiting for more only adds delay. Failing costs speed alone.
    static_cast<void>(::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
  }

  // How much of both the kernel took. An error is reported by the loop, which meets it too: never
  // from within send().
  std::size_t send_now(std::string_view head, std::string_view frame) const {
    std::array<iovec, 2> parts{iovec{const_cast<char*>(head.data()), head.size()},
                               iovec{const_cast<char*>(frame.data()), frame.size()}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const ssize_t size = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
    return size < 0 ? 0 : static_cast<std::size_t>(size);
  }

  // Watches for what is of interest now.
  void follow() {
    const bool wants_write = !connected_ || queued_bytes() > 0;
    const std::uint32_t wanted = EPOLLIN | (wants_write ? EPOLLOUT : 0U);
    if (ended_ || wanted == watched_) return;
    watched_ = wanted;
    watch_.reset();  // a descriptor has one watch at a time
    Result<WatchHandle> watch =
        loop_.watch_fd(fd_.get(), wanted, [this](std::uint32_t ready) { on_ready(ready); });
    if (watch) {
      watch_ = *std::move(watch);
    } else {
      timeout_ = loop_.after({}, [this, error = watch.error()] { end(error); });
    }
  }

  void on_ready(std::uint32_t ready) {
    const std::shared_ptr<Connection> alive = shared_from_this();
    if (!connected_ && !finish_connect()) return;
    if ((ready & EPOLLOUT) != 0) {
      const Result<void> written = write_some();
      if (!written) return end(written.error());
    }
    if ((ready & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read_some();
    follow();
  }

  bool finish_connect() {
    int status = 0;
    socklen_t size = sizeof status;
    if (::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &status, &size) != 0) status = errno;
    if (status != 0) {
      end(base::os_error(status, "connect to " + peer_.host));
      return false;
    }
    timeout_.reset();
    connected_ = true;
    if (events_.opened) events_.opened();
    return !ended_ && !gone_;
  }

  Result<void> write_some() {
    while (queued_bytes() > 0) {
      const ssize_t size =
          ::send(fd_.get(), outgoing_.data() + sent_, queued_bytes(), MSG_NOSIGNAL);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
      if (size < 0) return base::os_error(errno, "send to " + peer_.host);
      sent_ += static_cast<std::size_t>(size);
    }
    // Moving the rest to the front costs its size; done when at least as much has been sent.
    if (sent_ >= queued_bytes()) {
      outgoing_.erase(0, sent_);
      sent_ = 0;
    }
    return {};
  }

  // Into the frame that has begun, so that a long one is not copied again, or into a common place.
  void read_some() {
    // One per thread, so that nothing has to be cleared for bytes that may not come.
    thread_local std::array<char, kReadChunk> chunk;
    const bool goes_on = begun_.size > 0;
    char* const target = goes_on ? begun_.bytes.get() + begun_.size : chunk.data();
    const std::size_t room =
        goes_on ? std::min(begun_.needed - begun_.size, kReadChunk) : chunk.size();
    const ssize_t size = ::recv(fd_.get(), target, room, 0);
    const int status = errno;
    if (size > 0 && goes_on) return continue_frame(static_cast<std::size_t>(size));
    if (size > 0) return deliver({chunk.data(), static_cast<std::size_t>(size)});
    if (size == 0) return end({Code::unavailable, peer_.host + " has closed", "link_closed"});
    if (status == EINTR || status == EAGAIN || status == EWOULDBLOCK) return;
    end(base::os_error(status, "receive from " + peer_.host));
  }

  void deliver(std::string_view bytes) {
    while (!ended_ && !gone_ && !bytes.empty()) {
      if (bytes.size() < kLengthBytes) return begin_frame(bytes, kLengthBytes);
      const std::size_t whole = kLengthBytes + *base::ByteReader(bytes).u32();
      if (whole > kLengthBytes + base::kFrameMax) return refuse_frame();
      if (bytes.size() < whole) return begin_frame(bytes, whole);
      if (events_.frame) events_.frame(bytes.substr(kLengthBytes, whole - kLengthBytes));
      bytes.remove_prefix(whole);
    }
  }

  void begin_frame(std::string_view bytes, std::size_t needed) {
    begun_ = {std::make_unique_for_overwrite<char[]>(needed), bytes.size(), needed};
    std::memcpy(begun_.bytes.get(), bytes.data(), bytes.size());
  }

  void continue_frame(std::size_t size) {
    begun_.size += size;
    if (begun_.size < begun_.needed) return;
    const Begun done = std::exchange(begun_, {});
    deliver({done.bytes.get(), done.size});
  }

  void refuse_frame() {
    end({Code::too_large, peer_.host + " announced a frame that is too large", "frame_too_large"});
  }

  void end(const Error& error) {
    const std::shared_ptr<Connection> alive = shared_from_this();
    if (ended_) return;
    shut();
    if (!gone_ && events_.closed) events_.closed(error);
  }

  void shut() {
    ended_ = true;
    timeout_.reset();
    watch_.reset();
    fd_.reset();
  }

  EventLoop& loop_;
  const Endpoint peer_;
  base::LinkEvents events_;
  Fd fd_;
  bool connected_ = false;
  bool ended_ = false;  // no descriptor any more
  bool gone_ = false;   // no owner any more
  std::uint32_t watched_ = 0;
  // A frame of which a part has come; `needed` is its size, or that of what tells it.
  struct Begun {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0, needed = 0;
  };
  Begun begun_;
  std::string outgoing_;
  std::size_t sent_ = 0;  // of outgoing_
  WatchHandle watch_, timeout_;
};

class TcpLink final : public base::Link {
 public:
  explicit TcpLink(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
  ~TcpLink() override { connection_->let_go(); }
  Result<void> send(std::string_view frame) override { return connection_->send(frame); }
  std::size_t queued_bytes() const override { return connection_->queued_bytes(); }
  const Endpoint& peer() const override { return connection_->peer(); }

 private:
  // Shared with the callback that is under way, if any.
  const std::shared_ptr<Connection> connection_;
};

class TcpListener final : public base::Listener {
 public:
  TcpListener(EventLoop& loop, Fd fd, Endpoint endpoint, base::Accept accept)
      : loop_(loop),
        fd_(std::move(fd)),
        endpoint_(std::move(endpoint)),
        accept_(std::move(accept)) {}

  Result<void> start() {
    watch_ = TRY(loop_.watch_fd(fd_.get(), EPOLLIN, [this](std::uint32_t) { accept_one(); }));
    return {};
  }

  const Endpoint& endpoint() const override { return endpoint_; }

 private:
  // One per turn of the loop; what else waits makes the descriptor ready again.
  void accept_one() {
    Address address;
    address.size = sizeof address.storage;
    Fd fd(::accept4(fd_.get(), address.get(), &address.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd.is_open()) {
      // Without descriptors the listening one stays ready: rest instead of spinning. Other errors
      // are of the peer that came and went.
      if (errno == EMFILE || errno == ENFILE) rest();
      return;
    }
    const base::Accept accept = accept_;  // it may end this listener
    const auto connection = std::make_shared<Connection>(loop_, to_endpoint(address));
    connection->set_events(accept(std::make_unique<TcpLink>(connection)));
    connection->start_if_kept(std::move(fd));
  }

  void rest() {
    watch_.reset();
    rest_ = loop_.after(kAcceptRest, [this] {
      if (!start()) rest();
    });
  }

  EventLoop& loop_;
  const Fd fd_;
  const Endpoint endpoint_;
  const base::Accept accept_;
  WatchHandle watch_, rest_;
};

class TcpNet final : public base::Net {
 public:
  explicit TcpNet(EventLoop& loop) : loop_(loop) {}

  Result<std::unique_ptr<base::Listener>> listen(const Endpoint& endpoint,
                                                 base::Accept accept) override {
    Address address = TRY(to_address(endpoint));
    Fd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd.is_open()) return base::os_error(errno, "make a socket");
    const int on = 1;
    // Without it a restarted daemon could not listen for a minute.
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
      return base::os_error(errno, "set the socket up");
    const std::string where = endpoint.host + " port " + std::to_string(endpoint.port);
    if (::bind(fd.get(), address.get(), address.size) != 0)
      return base::os_error(errno, "bind to " + where);
    if (::listen(fd.get(), kBacklog) != 0) return base::os_error(errno, "listen on " + where);
    address.size = sizeof address.storage;
    if (::getsockname(fd.get(), address.get(), &address.size) != 0)
      return base::os_error(errno, "read the port");
    auto listener = std::make_unique<TcpListener>(loop_, std::move(fd), to_endpoint(address),
                                                  std::move(accept));
    TRY(listener->start());
    return std::unique_ptr<base::Listener>(std::move(listener));
  }

  std::unique_ptr<base::Link> connect(const Endpoint& peer, base::LinkEvents events) override {
    const auto connection = std::make_shared<Connection>(loop_, peer);
    connection->set_events(std::move(events));
    connection->start_connecting();
    return std::make_unique<TcpLink>(connection);
  }

 private:
  EventLoop& loop_;
};

}  // namespace

std::unique_ptr<base::Net> make_tcp_net(EventLoop& loop) { return std::make_unique<TcpNet>(loop); }

}  // namespace sys

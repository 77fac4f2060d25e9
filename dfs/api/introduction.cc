// SPDX-License-Identifier: Apache-2.0
#include "dfs/api/introduction.h"

#include <list>
#include <map>
#include <utility>

#include "common/base/check.h"
#include "dfs/api/frame.h"
#include "dfs/api/wire.h"

namespace dfs {

using base::Code;
using base::Endpoint;
using base::Error;
using base::Link;
using base::LinkEvents;
using base::Net;
using base::Result;

namespace {

// Callers whose newest link is remembered: more than a cluster has mounts. The one that was not
// heard of for longest is forgotten.
constexpr std::size_t kCallersMax = 65'536;

class Introducing final : public Net {
 public:
  Introducing(std::unique_ptr<Net> net, std::uint64_t caller)
      : net_(std::move(net)), hello_{caller, 0} {
    CHECK_THAT(caller != 0);
  }
  Result<std::unique_ptr<base::Listener>> listen(const Endpoint& endpoint,
                                                 base::Accept accept) override {
    return net_->listen(endpoint, std::move(accept));
  }
  std::unique_ptr<Link> connect(const Endpoint& peer, LinkEvents events) override {
    std::unique_ptr<Link> link = net_->connect(peer, std::move(events));
    ++hello_.link;
    // The first frame of a link always has room.
    static_cast<void>(
        link->send(encode_frame({FrameType::notice, kHelloKind, 0, encode(hello_), {}})));
    return link;
  }

 private:
  std::unique_ptr<Net> net_;
  Hello hello_;
};

// One link that was accepted, and whom it belongs to.
struct Accepted {
  LinkEvents owner;
  bool has_ended = false;
  void end(const Error& error) {
    if (!std::exchange(has_ended, true) && owner.closed) owner.closed(error);
  }
};

// Shared by the network and by the events of all links that it accepted.
class Callers {
 public:
  // False: a newer link of this caller was heard of.
  bool introduce(const Hello& hello, const std::shared_ptr<Accepted>& link) {
    const auto known = newest_.find(hello.caller);
    if (known != newest_.end()) {
      if (hello.link <= known->second.number) return false;
      const std::shared_ptr<Accepted> older = known->second.link.lock();
      order_.erase(known->second.place);
      newest_.erase(known);
      if (older) older->end({Code::unavailable, "its caller has made another link", "link_closed"});
    }
    if (newest_.size() >= kCallersMax) {
      newest_.erase(order_.front());
      order_.pop_front();
    }
    order_.push_back(hello.caller);
    newest_[hello.caller] = {hello.link, link, std::prev(order_.end())};
    return true;
  }

 private:
  struct Newest {
    std::uint64_t number = 0;
    std::weak_ptr<Accepted> link;
    std::list<std::uint64_t>::iterator place;
  };
  std::map<std::uint64_t, Newest> newest_;
  std::list<std::uint64_t> order_;  // of the last Hello, the oldest first
};

class Hearing final : public Net {
 public:
  explicit Hearing(std::unique_ptr<Net> net) : net_(std::move(net)) {}
  Result<std::unique_ptr<base::Listener>> listen(const Endpoint& endpoint,
                                                 base::Accept accept) override {
    return net_->listen(endpoint, [accept, callers = callers_](std::unique_ptr<Link> link) {
      return heard(accept(std::move(link)), callers);
    });
  }
  std::unique_ptr<Link> connect(const Endpoint& peer, LinkEvents events) override {
    return net_->connect(peer, std::move(events));
  }

 private:
  static LinkEvents heard(LinkEvents owner, const std::shared_ptr<Callers>& callers) {
    const auto accepted = std::make_shared<Accepted>();
    accepted->owner = std::move(owner);
    LinkEvents events;
    events.frame = [accepted, callers](std::string_view bytes) {
      const auto link = accepted;  // its owner may let go of it inside
      if (link->has_ended) return;
      const Result<Frame> frame = parse_frame(bytes);
      if (!frame || frame->type != FrameType::notice || frame->kind != kHelloKind)
        return link->owner.frame(bytes);
      const Result<Hello> hello = decode<Hello>(frame->body);
      if (hello && hello->caller != 0 && callers->introduce(*hello, link)) return;
      link->end({Code::unavailable, "a newer link of its caller is known", "link_closed"});
    };
    events.closed = [accepted](const Error& error) {
      const auto link = accepted;
      link->end(error);
    };
    return events;
  }

  std::unique_ptr<Net> net_;
  std::shared_ptr<Callers> callers_ = std::make_shared<Callers>();
};

}  // namespace

std::unique_ptr<Net> introduce_links(std::unique_ptr<Net> net, std::uint64_t caller) {
  return std::make_unique<Introducing>(std::move(net), caller);
}
std::unique_ptr<Net> hear_newest_links(std::unique_ptr<Net> net) {
  return std::make_unique<Hearing>(std::move(net));
}

}  // namespace dfs

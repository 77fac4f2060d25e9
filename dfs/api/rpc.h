// SPDX-License-Identifier: Apache-2.0
// Requests and replies over a base::Net link.
//
// Used by all daemons and clients of the file system; runs in the simulator as it is.
// 1. A call is answered once: by the peer, by its deadline or because the link ended. After the
// latter two the peer may or may not have done it.
// 2. Nothing is sent twice by itself; what may be repeated is for the caller to know.
// 3. Calls and answers on one link keep no order among each other beyond that of sending.
// Threads: the loop's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "common/base/net.h"
#include "common/base/timers.h"
#include "dfs/api/frame.h"
#include "dfs/api/wire.h"

namespace dfs {

inline constexpr std::size_t kCallsMax = 4096;  // unanswered, per link

// What comes back: views that live until the callback returns.
struct Answer {
  std::string_view body;
  std::string_view data;
};
using OnAnswer = std::function<void(base::Result<Answer>)>;

// The calling side of one link. It connects at the first call, and anew at the first one after the
// link has ended.
class RpcClient {
 public:
  RpcClient(base::Net& net, base::Timers& timers, base::Endpoint peer);
  ~RpcClient();  // unanswered calls are dropped without a callback
  RpcClient(const RpcClient&) = delete;
  RpcClient& operator=(const RpcClient&) = delete;

  // Errors (to the callback, never from within call()): those of the peer; timed_out
  // call_timed_out; unavailable link_closed; throttled too_many_calls, link_full.
  void call(std::uint8_t kind, std::string_view body, std::string_view data, base::Duration timeout,
            OnAnswer answered);

  // The reply of a typed request. `data` of the answer goes with it.
  template <class Request>
  void call(
      const Request& request, base::Duration timeout,
      std::function<void(base::Result<typename Request::Reply>, std::string_view data)> answered,
      std::string_view data = {}) {
    call(static_cast<std::uint8_t>(Request::kKind), encode(request), data, timeout,
         [answered = std::move(answered)](base::Result<Answer> answer) {
           if (!answer) return answered(answer.error(), {});
           answered(decode<typename Request::Reply>(answer->body), answer->data);
         });
  }

  // Something that has no answer; lost when the link ends. Errors: those of Link::send.
  base::Result<void> notify(std::uint8_t kind, std::string_view body, std::string_view data = {});
  // Ends the link; calls under way are answered with unavailable link_closed. The next call or
  // notice connects anew.
  void hang_up();

  // Notices of the peer. The body lives until it returns.
  void on_notice(std::function<void(std::uint8_t kind, std::string_view body)> notice);
  // The link has ended; calls under way have had their error. The next call connects anew.
  void on_ended(std::function<void()> ended);
  bool is_open() const;
  const base::Endpoint& peer() const { return peer_; }

 private:
  struct State;
  base::Endpoint peer_;
  std::shared_ptr<State> state_;
};

// A caller as the serving side sees it. Lives as long as its link; keep a weak_ptr and lock it.
class Caller {
 public:
  virtual ~Caller() = default;
  virtual void notify(std::uint8_t kind, std::string_view body) = 0;
  virtual const base::Endpoint& peer() const = 0;
  // Ends the link.
  virtual void hang_up() = 0;
};

// One request's way back. Answer once; one that goes out of scope unanswered is answered with
// internal request_dropped. May outlive the link, then the answer is lost.
class Responder {
 public:
  Responder(std::weak_ptr<Caller> caller, std::uint8_t kind, std::uint64_t request);
  Responder(Responder&&) noexcept;
  Responder& operator=(Responder&&) noexcept;
  ~Responder();

  void answer(std::string_view body, std::string_view data = {});
  void fail(const base::Error& error);
  template <class Reply>
  void answer_with(const base::Result<Reply>& reply, std::string_view data = {}) {
    if (reply) {
      answer(encode(*reply), data);
    } else {
      fail(reply.error());
    }
  }
  const std::weak_ptr<Caller>& caller() const { return caller_; }

 private:
  std::weak_ptr<Caller> caller_;
  std::uint8_t kind_ = 0;
  std::uint64_t request_ = 0;
  bool open_ = false;
};

class RpcServer {
 public:
  struct Handlers {
    // `body` and `data` live until it returns.
    std::function<void(std::uint8_t kind, std::string_view body, std::string_view data,
                       Responder responder)>
        request;
    std::function<void(const std::shared_ptr<Caller>&, std::uint8_t kind, std::string_view body,
                       std::string_view data)>
        notice = {};
    std::function<void(const std::shared_ptr<Caller>&)> ended = {};
  };
  // Errors: those of Net::listen.
  static base::Result<std::unique_ptr<RpcServer>> listen(base::Net& net,
                                                         const base::Endpoint& endpoint,
                                                         Handlers handlers);
  virtual ~RpcServer() = default;  // ends all links
  virtual const base::Endpoint& endpoint() const = 0;
};

// Sends a typed notice.
template <class Notice>
void notify(Caller& caller, const Notice& notice) {
  caller.notify(static_cast<std::uint8_t>(Notice::kKind), encode(notice));
}

}  // namespace dfs

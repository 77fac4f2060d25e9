// SPDX-License-Identifier: Apache-2.0
#include "dfs/api/rpc.h"

#include <cerrno>
#include <set>
#include <utility>

namespace dfs {

using base::Code;
using base::Error;
using base::Result;

namespace {

constexpr base::Duration kPatience = std::chrono::milliseconds(50);  // the grain of deadlines

}  // namespace

// Held by the client and by what is under way, so that the client may go away inside a callback.
struct RpcClient::State : std::enable_shared_from_this<State> {
  State(base::Net& n, base::Timers& t, base::Endpoint p) : net(n), timers(t), peer(std::move(p)) {}

  struct Call {
    OnAnswer answered;
    base::Instant deadline;
  };

  base::Net& net;
  base::Timers& timers;
  const base::Endpoint peer;
  std::unique_ptr<base::Link> link;
  std::uint64_t next_request = 1;
  std::unordered_map<std::uint64_t, Call> calls;
  std::set<std::pair<base::Instant, std::uint64_t>> deadlines;
  base::TimerHandle timer;
  base::Instant timer_at;
  std::map<std::uint64_t, base::TimerHandle> refusals;  // of calls that could not be sent
  std::function<void(std::uint8_t, std::string_view)> notice;
  std::function<void()> ended;
  bool gone = false;

  void connect() {
    const std::weak_ptr<State> self = weak_from_this();
    base::LinkEvents events;
    events.frame = [self](std::string_view bytes) {
      if (const auto state = self.lock()) state->on_frame(bytes);
    };
    events.closed = [self](const Error& error) {
      if (const auto state = self.lock()) state->on_closed(error);
    };
    link = net.connect(peer, std::move(events));
  }

  void call(std::uint8_t kind, std::string_view body, std::string_view data, base::Duration timeout,
            OnAnswer answered) {
    const std::uint64_t request = next_request++;
    const base::Instant deadline = timers.clock().now() + timeout;
    if (calls.size() >= kCallsMax)
      return fail_soon({Code::throttled, "too many calls are unanswered", "too_many_calls"},
                       std::move(answered));
    if (!link) connect();
    const Result<void> sent =
        link->send(encode_frame({FrameType::request, kind, request, body, data}));
    if (!sent) return fail_soon(sent.error(), std::move(answered));
    calls.emplace(request, Call{std::move(answered), deadline});
    deadlines.emplace(deadline, request);
    arm();
  }

  // Not from within call(): its caller is not ready for the answer yet.
  void fail_soon(const Error& error, OnAnswer answered) {
    const std::uint64_t number = next_request++;
    refusals[number] = timers.after({}, [this, number, error, answered = std::move(answered)] {
      const auto keep = shared_from_this();
      const base::TimerHandle own = std::move(refusals.at(number));
      refusals.erase(number);
      answered(error);
    });
  }

  // One timer for the earliest deadline; it is not moved for each call, so it may fire early and
  // find nothing.
  void arm() {
    if (deadlines.empty()) return timer.reset();
    const base::Instant first = deadlines.begin()->first;
    if (timer && timer_at <= first + kPatience) return;
    timer_at = first;
    timer = timers.at(first, [this, self = weak_from_this()] {
      if (const auto keep = self.lock()) expire();
    });
  }

  void expire() {
    const base::TimerHandle fired = std::move(timer);
    while (!gone && !deadlines.empty() && deadlines.begin()->first <= timers.clock().now()) {
      const OnAnswer answered = take(deadlines.begin()->second);
      answered(Error{Code::timed_out, "no answer from " + peer.host, "call_timed_out", ETIMEDOUT});
    }
    if (!gone) arm();
  }

  OnAnswer take(std::uint64_t request) {
    const auto found = calls.find(request);
    if (found == calls.end()) return {};
    OnAnswer answered = std::move(found->second.answered);
    deadlines.erase({found->second.deadline, request});
    calls.erase(found);
    return answered;
  }

  void on_frame(std::string_view bytes) {
    const auto keep = shared_from_this();
    const Result<Frame> frame = parse_frame(bytes);
    if (!frame) {
      // Its end is not reported by a link that is let go.
      link.reset();
      return on_closed(frame.error());
    }
    if (frame->type == FrameType::notice) {
      if (notice) notice(frame->kind, frame->body);
      return;
    }
    const OnAnswer answered = take(frame->request);
    if (!answered) return;  // too late, its caller has had an error
    if (frame->type == FrameType::error) return answered(decode_error(frame->body));
    answered(Answer{frame->body, frame->data});
  }

  void on_closed(const Error& error) {
    const auto keep = shared_from_this();
    link.reset();
    timer.reset();
    deadlines.clear();
    auto unanswered = std::exchange(calls, {});
    for (auto& [request, call] : unanswered) {
      if (gone) return;
      call.answered(error);
    }
    if (!gone && ended) ended();
  }
};

RpcClient::RpcClient(base::Net& net, base::Timers& timers, base::Endpoint peer)
    : peer_(peer), state_(std::make_shared<State>(net, timers, std::move(peer))) {}

RpcClient::~RpcClient() {
  state_->gone = true;
  state_->link.reset();
  state_->timer.reset();
  state_->calls.clear();
  state_->refusals.clear();
}

void RpcClient::call(std::uint8_t kind, std::string_view body, std::string_view data,
                     base::Duration timeout, OnAnswer answered) {
  state_->call(kind, body, data, timeout, std::move(answered));
}
Result<void> RpcClient::notify(std::uint8_t kind, std::string_view body, std::string_view data) {
  if (!state_->link) state_->connect();
  return state_->link->send(encode_frame({FrameType::notice, kind, 0, body, data}));
}
void RpcClient::hang_up() {
  if (state_->link) state_->on_closed({Code::unavailable, "the link was given up", "link_closed"});
}
void RpcClient::on_notice(std::function<void(std::uint8_t, std::string_view)> notice) {
  state_->notice = std::move(notice);
}
void RpcClient::on_ended(std::function<void()> ended) { state_->ended = std::move(ended); }
bool RpcClient::is_open() const { return state_->link != nullptr; }

namespace {

class Server;

class LinkCaller final : public Caller, public std::enable_shared_from_this<LinkCaller> {
 public:
  LinkCaller(Server& server, std::unique_ptr<base::Link> link)
      : server_(&server), link_(std::move(link)), peer_(link_->peer()) {}

  void notify(std::uint8_t kind, std::string_view body) override {
    send({FrameType::notice, kind, 0, body, {}});
  }
  const base::Endpoint& peer() const override { return peer_; }
  void hang_up() override;

  // A caller that does not take its answers is cut off: it calls again.
  void send(const Frame& frame) {
    if (link_ && !link_->send(encode_frame(frame))) hang_up();
  }
  void on_frame(std::string_view bytes);
  void detach() {
    server_ = nullptr;
    link_.reset();
  }

 private:
  Server* server_;
  std::unique_ptr<base::Link> link_;
  base::Endpoint peer_;
};

class Server final : public RpcServer {
 public:
  explicit Server(Handlers handlers) : handlers_(std::move(handlers)) {}
  ~Server() override {
    listener_.reset();
    for (const auto& caller : std::exchange(callers_, {})) caller->detach();
  }

  Result<void> start(base::Net& net, const base::Endpoint& endpoint) {
    listener_ = TRY(net.listen(
        endpoint, [this](std::unique_ptr<base::Link> link) { return accept(std::move(link)); }));
    return {};
  }
  const base::Endpoint& endpoint() const override { return listener_->endpoint(); }
  Handlers& handlers() { return handlers_; }

  void forget(const std::shared_ptr<LinkCaller>& caller) {
    if (callers_.erase(caller) > 0 && handlers_.ended) handlers_.ended(caller);
  }

 private:
  base::LinkEvents accept(std::unique_ptr<base::Link> link) {
    const auto caller = std::make_shared<LinkCaller>(*this, std::move(link));
    callers_.insert(caller);
    const std::weak_ptr<LinkCaller> weak = caller;
    base::LinkEvents events;
    events.frame = [weak](std::string_view bytes) {
      if (const auto held = weak.lock()) held->on_frame(bytes);
    };
    events.closed = [weak](const Error&) {
      if (const auto held = weak.lock()) held->hang_up();
    };
    return events;
  }

  Handlers handlers_;
  std::set<std::shared_ptr<LinkCaller>> callers_;
  std::unique_ptr<base::Listener> listener_;
};

void LinkCaller::hang_up() {
  const auto keep = shared_from_this();
  link_.reset();
  if (Server* server = std::exchange(server_, nullptr)) server->forget(keep);
}

void LinkCaller::on_frame(std::string_view bytes) {
  const auto keep = shared_from_this();
  const Result<Frame> frame = parse_frame(bytes);
  if (!frame || server_ == nullptr) return hang_up();
  Server& server = *server_;
  switch (frame->type) {
    case FrameType::request:
      return server.handlers().request(frame->kind, frame->body, frame->data,
                                       Responder(keep, frame->kind, frame->request));
    case FrameType::notice:
      if (server.handlers().notice)
        server.handlers().notice(keep, frame->kind, frame->body, frame->data);
      return;
    case FrameType::reply:
    case FrameType::error: return hang_up();  // nothing was asked
  }
}

}  // namespace

Responder::Responder(std::weak_ptr<Caller> caller, std::uint8_t kind, std::uint64_t request)
    : caller_(std::move(caller)), kind_(kind), request_(request), open_(true) {}
Responder::Responder(Responder&& other) noexcept
    : caller_(std::move(other.caller_)),
      kind_(other.kind_),
      request_(other.request_),
      open_(std::exchange(other.open_, false)) {}
Responder& Responder::operator=(Responder&& other) noexcept {
  std::swap(caller_, other.caller_);
  std::swap(kind_, other.kind_);
  std::swap(request_, other.request_);
  std::swap(open_, other.open_);
  return *this;
}
Responder::~Responder() {
  if (open_) fail({Code::internal, "the request was not answered", "request_dropped"});
}

void Responder::answer(std::string_view body, std::string_view data) {
  CHECK_THAT(std::exchange(open_, false));
  if (const auto caller = std::static_pointer_cast<LinkCaller>(caller_.lock()))
    caller->send({FrameType::reply, kind_, request_, body, data});
}
void Responder::fail(const Error& error) {
  CHECK_THAT(std::exchange(open_, false));
  if (const auto caller = std::static_pointer_cast<LinkCaller>(caller_.lock()))
    caller->send({FrameType::error, kind_, request_, encode_error(error), {}});
}

Result<std::unique_ptr<RpcServer>> RpcServer::listen(base::Net& net, const base::Endpoint& endpoint,
                                                     Handlers handlers) {
  auto server = std::make_unique<Server>(std::move(handlers));
  TRY(server->start(net, endpoint));
  return std::unique_ptr<RpcServer>(std::move(server));
}

}  // namespace dfs

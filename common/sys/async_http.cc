// SPDX-License-Identifier: Apache-2.0
// AsyncHttp: libcurl's multi interface on the event loop.
//
// 1. libcurl refuses calls from within its own callbacks, so what a caller's on_data asks for
// (a new call, dropping one) waits until libcurl has returned.
// Source: curl_multi_socket_action(3).
#include <sys/epoll.h>

#include <deque>
#include <map>
#include <utility>

#include "common/base/check.h"
#include "common/sys/http_client.h"
#include "common/sys/http_request.h"

namespace sys {

namespace {

constexpr std::size_t kCallsMax = 1024;
constexpr long kConnectionsMax = 256;

using CurlMulti = Handle<CURLM, curl_multi_cleanup>;

struct Call {
  Call(HttpCall call, http::Transfer::OnData on_data, AsyncHttp::Done when_done)
      : transfer(std::move(call), std::move(on_data)), done(std::move(when_done)) {}

  http::Transfer transfer;
  AsyncHttp::Done done;
  http::CurlEasy easy;  // empty until libcurl has the call; goes before what it points to
  bool refused = false;
  bool cancelled = false;
};

// Everything but the interface. Shared, because a Done may destroy the AsyncHttp that is calling it
// and because handles may outlive it.
class Core : public std::enable_shared_from_this<Core> {
 public:
  explicit Core(EventLoop& loop) : loop_(loop) {}

  base::Result<void> prepare() {
    http::start_libcurl();
    multi_.reset(curl_multi_init());
    const bool set =
        multi_ != nullptr &&
        curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
        curl_multi_setopt(multi_.get(), CURLMOPT_SOCKETDATA, this) == CURLM_OK &&
        curl_multi_setopt(multi_.get(), CURLMOPT_TIMERFUNCTION, on_timer) == CURLM_OK &&
        curl_multi_setopt(multi_.get(), CURLMOPT_TIMERDATA, this) == CURLM_OK &&
        curl_multi_setopt(multi_.get(), CURLMOPT_MAX_TOTAL_CONNECTIONS, kConnectionsMax) ==
            CURLM_OK;
    if (!set) return base::Error{base::Code::internal, "set up libcurl", "http_failed"};
    return {};
  }

  // `on_data` may be empty: then the reply keeps the body.
  std::uint64_t add(HttpCall call, std::function<void(std::string_view)> on_data,
                    AsyncHttp::Done done) {
    const std::uint64_t number = ++last_number_;
    http::Transfer::OnData take;
    if (on_data) {
      take = [this, number, on_data = std::move(on_data)](std::string_view piece) {
        // A call that was dropped gets nothing more, also within one read of libcurl's.
        if (is_cancelled(number)) return false;
        on_data(piece);
        return !is_cancelled(number);
      };
    }
    auto made = std::make_unique<Call>(std::move(call), std::move(take), std::move(done));
    made->refused = calls_.size() >= kCallsMax;
    calls_.emplace(number, std::move(made));
    fresh_.push_back(number);
    kick();
    return number;
  }

  void cancel(std::uint64_t number) {
    const auto found = calls_.find(number);
    if (found == calls_.end()) return;
    found->second->cancelled = true;
    if (in_curl_)
      dropped_.push_back(number);
    else
      forget(number);
  }

  void close() {
    is_closed_ = true;
    for (auto& [number, call] : calls_) {
      call->cancelled = true;
      dropped_.push_back(number);
    }
    kick_.reset();
    timer_.reset();
    // Inside libcurl the rest follows when it has returned.
    if (!in_curl_) clean_up();
  }

 private:
  bool is_cancelled(std::uint64_t number) const {
    const auto found = calls_.find(number);
    return found == calls_.end() || found->second->cancelled;
  }

  void kick() {
    if (kick_ == nullptr) kick_ = loop_.at(base::Instant{}, [this] { start_fresh(); });
  }

  // Starts what was sent since the last turn.
  void start_fresh() {
    const auto self = shared_from_this();  // a Done may end us
    kick_.reset();
    std::deque<std::uint64_t> fresh;
    fresh.swap(fresh_);
    for (const std::uint64_t number : fresh) {
      if (is_closed_) return;
      const auto found = calls_.find(number);
      if (found == calls_.end()) continue;
      base::Result<void> started = start(number, *found->second);
      if (!started) end(number, std::move(started).error());
    }
    settle();
  }

  base::Result<void> start(std::uint64_t number, Call& call) {
    if (call.refused) {
      return base::Error{base::Code::throttled,
                         std::to_string(kCallsMax) + " calls are under way already",
                         "http_calls_full"};
    }
    call.easy.reset(curl_easy_init());
    CHECK_THAT(call.easy != nullptr);
    TRY(call.transfer.prepare(call.easy.get()));
    // The number travels as the pointer itself.
    curl_easy_setopt(call.easy.get(), CURLOPT_PRIVATE, reinterpret_cast<void*>(number));
    in_curl_ = true;
    const CURLMcode added = curl_multi_add_handle(multi_.get(), call.easy.get());
    in_curl_ = false;
    if (added != CURLM_OK) {
      call.easy.reset();
      return base::Error{base::Code::internal, curl_multi_strerror(added), "http_failed"};
    }
    return {};
  }

  void drive(curl_socket_t socket, int events) {
    const auto self = shared_from_this();  // a Done may end us
    int running = 0;
    in_curl_ = true;
    curl_multi_socket_action(multi_.get(), socket, events, &running);  // errors show in the calls
    in_curl_ = false;
    if (is_closed_) {
      clean_up();
      return;
    }
    settle();
  }

  // Drops what was cancelled, reports what has ended.
  void settle() {
    std::deque<std::uint64_t> dropped;
    dropped.swap(dropped_);
    for (const std::uint64_t number : dropped) forget(number);
    int left = 0;
    while (!is_closed_) {
      const CURLMsg* message = curl_multi_info_read(multi_.get(), &left);
      if (message == nullptr) return;
      if (message->msg != CURLMSG_DONE) continue;
      char* number = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &number);
      finish(reinterpret_cast<std::uint64_t>(number), message->data.result);
    }
  }

  void finish(std::uint64_t number, CURLcode code) {
    const auto found = calls_.find(number);
    CHECK_THAT(found != calls_.end());
    Call& call = *found->second;
    end(number, call.transfer.finish(call.easy.get(), code));
  }

  void end(std::uint64_t number, base::Result<HttpReply> result) {
    const auto found = calls_.find(number);
    const AsyncHttp::Done done = std::move(found->second->done);
    forget(number);
    done(std::move(result));
  }

  void forget(std::uint64_t number) {
    const auto found = calls_.find(number);
    if (found == calls_.end()) return;
    // Out of the table first: what the call captured may drop handles of ours when it goes.
    const std::unique_ptr<Call> call = std::move(found->second);
    calls_.erase(found);
    if (call->easy == nullptr) return;
    in_curl_ = true;
    curl_multi_remove_handle(multi_.get(), call->easy.get());
    in_curl_ = false;
  }

  void clean_up() {
    while (!calls_.empty()) forget(calls_.begin()->first);
    in_curl_ = true;
    multi_.reset();
    in_curl_ = false;
    sockets_.clear();
  }

  static int on_socket(CURL*, curl_socket_t socket, int what, void* data, void*) noexcept {
    static_cast<Core*>(data)->watch(socket, what);
    return 0;
  }

  static int on_timer(CURLM*, long timeout_ms, void* data) noexcept {
    static_cast<Core*>(data)->set_timer(timeout_ms);
    return 0;
  }

  void watch(curl_socket_t socket, int what) {
    sockets_.erase(socket);
    if (what == CURL_POLL_REMOVE || is_closed_) return;
    const std::uint32_t events =
        ((what & CURL_POLL_IN) != 0 ? EPOLLIN : 0u) | ((what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0u);
    auto made = loop_.watch_fd(socket, events, [this, socket](std::uint32_t ready) {
      const int flags = ((ready & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
                        ((ready & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                        ((ready & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0);
      drive(socket, flags);
    });
    // Without a watch the call ends by its timeout.
    if (made) sockets_.emplace(socket, *std::move(made));
  }

  void set_timer(long timeout_ms) {
    timer_.reset();
    if (timeout_ms < 0 || is_closed_) return;
    timer_ = loop_.after(std::chrono::milliseconds(timeout_ms),
                         [this] { drive(CURL_SOCKET_TIMEOUT, 0); });
  }

  EventLoop& loop_;
  bool in_curl_ = false;
  bool is_closed_ = false;
  std::uint64_t last_number_ = 0;
  std::map<curl_socket_t, WatchHandle> sockets_;
  WatchHandle timer_;
  WatchHandle kick_;
  CurlMulti multi_;
  std::map<std::uint64_t, std::unique_ptr<Call>> calls_;
  std::deque<std::uint64_t> fresh_;
  std::deque<std::uint64_t> dropped_;
};

class CallWatch final : public Watch {
 public:
  CallWatch(std::weak_ptr<Core> core, std::uint64_t number)
      : core_(std::move(core)), number_(number) {}
  ~CallWatch() override {
    if (const auto core = core_.lock()) core->cancel(number_);
  }

 private:
  std::weak_ptr<Core> core_;
  std::uint64_t number_;
};

class CurlHttp final : public AsyncHttp {
 public:
  explicit CurlHttp(std::shared_ptr<Core> core) : core_(std::move(core)) {}
  ~CurlHttp() override { core_->close(); }

  WatchHandle send(HttpCall call, Done done) override {
    return std::make_unique<CallWatch>(core_, core_->add(std::move(call), {}, std::move(done)));
  }

  WatchHandle stream(HttpCall call, std::function<void(std::string_view)> on_data,
                     Done done) override {
    return std::make_unique<CallWatch>(
        core_, core_->add(std::move(call), std::move(on_data), std::move(done)));
  }

 private:
  std::shared_ptr<Core> core_;
};

}  // namespace

base::Result<std::unique_ptr<AsyncHttp>> AsyncHttp::make(EventLoop& loop) {
  auto core = std::make_shared<Core>(loop);
  TRY(core->prepare());
  return std::unique_ptr<AsyncHttp>(std::make_unique<CurlHttp>(std::move(core)));
}

}  // namespace sys

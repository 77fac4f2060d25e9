// SPDX-License-Identifier: Apache-2.0
#include "common/coordination/zookeeper.h"

#include <zookeeper/zookeeper.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "common/coordination/path.h"
#include "common/sys/handle.h"

namespace coordination {
namespace {

using base::Code;
using base::Error;
using base::Instant;
using base::Result;

constexpr int kRenewalsPerTimeout = 6;
// The clocks of client and server may differ in rate, and the server rounds sessions' ends.
constexpr double kLeaseMargin = 0.1;
constexpr std::size_t kSequenceDigits = 10;
// The library keeps an answer's buffers apart from ours; a path with its sequence number fits.
constexpr int kPathBuffer = static_cast<int>(2 * kPathMax + kSequenceDigits + 1);

Error session_expired() {
  return {Code::failed_precondition, "the session has been ended", "session_expired"};
}
Error lost() { return {Code::unavailable, "no ZooKeeper server answers", "coordination_lost"}; }
Error absent(const std::string& path) {
  return {Code::not_found, "there is no node " + path, "node_absent"};
}

Error error_of(int code, const std::string& path) {
  switch (code) {
    case ZNONODE: return absent(path);
    case ZNODEEXISTS: return {Code::already_exists, "the node " + path + " exists", "node_exists"};
    case ZBADVERSION:
      return {Code::conflict, "the node " + path + " has moved on", "version_moved_on"};
    case ZNOTEMPTY:
      return {Code::failed_precondition, "the node " + path + " has children", "node_has_children"};
    case ZNOCHILDRENFOREPHEMERALS:
      return {Code::failed_precondition, "an ephemeral node has no children",
              "no_children_of_ephemerals"};
    case ZSESSIONEXPIRED:
    case ZSESSIONMOVED: return session_expired();
    case ZCONNECTIONLOSS:
    case ZOPERATIONTIMEOUT:
    case ZCLOSING: return lost();
    default:
      return {Code::unavailable, std::string("ZooKeeper: ") + zerror(code), "coordination_lost"};
  }
}

Error create_error(int code, const std::string& path) {
  if (code == ZNONODE)
    return {Code::not_found, "the parent of " + path + " is missing", "parent_absent"};
  return error_of(code, path);
}

Result<void> check_data(std::string_view data) {
  if (data.size() <= kDataMax) return {};
  return Error{Code::invalid_argument, "a node holds at most 1 MiB", "data_too_large"};
}

coordination::Stat stat_of(const ::Stat& stat) {
  return {stat.version, stat.czxid, stat.mzxid, stat.cversion,
          static_cast<std::uint64_t>(stat.ephemeralOwner)};
}

int mode_of(Kind kind) {
  switch (kind) {
    case Kind::persistent: return ZOO_PERSISTENT;
    case Kind::ephemeral: return ZOO_EPHEMERAL;
    case Kind::persistent_sequential: return ZOO_PERSISTENT_SEQUENTIAL;
    case Kind::ephemeral_sequential: return ZOO_EPHEMERAL_SEQUENTIAL;
  }
  return ZOO_PERSISTENT;
}

// The answer to one read of a node's data, which the library gives to a callback.
struct DataAnswer {
  std::mutex mutex;
  std::condition_variable arrived;
  bool is_here = false;
  int code = ZOK;
  Value value;
};

void take_data(int code, const char* bytes, int size, const ::Stat* stat,
               const void* context) noexcept {
  // The library passes the context that it was given through a pointer to const.
  auto& answer = *static_cast<DataAnswer*>(const_cast<void*>(context));
  const std::lock_guard lock(answer.mutex);
  answer.code = code;
  if (code == ZOK)
    answer.value = {
        std::string(bytes == nullptr ? "" : bytes, size < 0 ? 0 : static_cast<std::size_t>(size)),
        stat_of(*stat)};
  answer.is_here = true;
  answer.arrived.notify_all();
}

// The library's context of a watch is its number, not an address: it may call twice for one.
using WatchNumber = std::uintptr_t;
void* to_context(WatchNumber number) { return reinterpret_cast<void*>(number); }

class Session final : public ZookeeperCoordination {
 public:
  explicit Session(ZookeeperOptions options) : options_(std::move(options)) {}

  ~Session() override {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
      changed_.notify_all();
    }
    if (renewer_.joinable()) renewer_.join();
    if (handle_ != nullptr)
      zookeeper_close(handle_);  // ends the library's threads, so no callback comes after it
  }

  Result<void> open() {
    TRY(check_path(options_.root));
    const int timeout = static_cast<int>(
        std::chrono::duration_cast<std::chrono::milliseconds>(options_.session_timeout).count());
    // What goes wrong is returned to callers; the library would write it to standard error as well.
    zoo_set_debug_level(static_cast<ZooLogLevel>(0));
    handle_ = zookeeper_init(options_.servers.c_str(), on_event, timeout, nullptr, this, 0);
    if (handle_ == nullptr)
      return base::os_error(errno, "connect to ZooKeeper at " + options_.servers);
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, options_.connect_timeout,
                        [this] { return state_ != State::connecting; });
      if (state_ != State::connected) return lost();
    }
    TRY(make_root());
    renewer_ = std::thread([this] { renew(); });
    return {};
  }

  Result<Outcome> create(const Create& request) override {
    TRY(check(request));
    const std::string path = full(request.path);
    const Sent sent(*this);
    std::string made(kPathBuffer, '\0');
    ::Stat stat{};
    const int code = zoo_create2(handle_, path.c_str(), request.data.data(),
                                 static_cast<int>(request.data.size()), &ZOO_OPEN_ACL_UNSAFE,
                                 mode_of(request.kind), made.data(), kPathBuffer, &stat);
    TRY(sent.outcome(code, create_error(code, request.path)));
    return Outcome{ours(made.c_str()), stat_of(stat)};
  }

  Result<coordination::Stat> set(const Set& request) override {
    TRY(check(request));
    const Sent sent(*this);
    ::Stat stat{};
    const int code =
        zoo_set2(handle_, full(request.path).c_str(), request.data.data(),
                 static_cast<int>(request.data.size()), static_cast<int>(request.version), &stat);
    TRY(sent.outcome(code, error_of(code, request.path)));
    return stat_of(stat);
  }

  Result<void> remove(const Delete& request) override {
    TRY(check(request));
    const Sent sent(*this);
    const int code =
        zoo_delete(handle_, full(request.path).c_str(), static_cast<int>(request.version));
    return sent.outcome(code, error_of(code, request.path));
  }

  Result<std::vector<Outcome>> multi(const std::vector<Operation>& operations) override;
  Result<std::optional<Value>> find(const std::string& path, WatchCallback watch) override;
  Result<std::vector<std::string>> children(const std::string& path, WatchCallback watch) override;

  std::uint64_t session_id() const override {
    return static_cast<std::uint64_t>(zoo_client_id(handle_)->client_id);
  }

  Instant lease_valid_until() const override {
    const std::lock_guard lock(mutex_);
    if (state_ == State::expired) return contact_;
    const std::chrono::milliseconds timeout(zoo_recv_timeout(handle_));
    return contact_ + std::chrono::duration_cast<base::Duration>(timeout * (1 - kLeaseMargin));
  }

  void on_session_lost(std::function<void()> callback) override {
    {
      const std::lock_guard lock(mutex_);
      if (state_ != State::expired) {
        lost_ = std::move(callback);
        return;
      }
    }
    callback();
  }

  ZookeeperTicket ticket() const override {
    const clientid_t* id = zoo_client_id(handle_);
    return {id->client_id, std::string(id->passwd, sizeof id->passwd)};
  }

 private:
  enum class State { connecting, connected, expired };

  // One request: notes when it was sent, since an answer proves that the session lived then.
  class Sent {
   public:
    explicit Sent(Session& session) : session_(session), when_(base::system_clock().now()) {}
    Result<void> outcome(int code, Error error) const {
      // Any answer of a server counts, also a refusal; these are the library's own.
      const bool unanswered = code == ZCONNECTIONLOSS || code == ZOPERATIONTIMEOUT ||
                              code == ZINVALIDSTATE || code == ZCLOSING ||
                              code == ZSESSIONEXPIRED || code == ZMARSHALLINGERROR ||
                              code == ZBADARGUMENTS;
      if (!unanswered) session_.note_contact(when_);
      if (code == ZOK) return {};
      if (session_.is_expired()) return session_expired();
      return error;
    }

   private:
    Session& session_;
    const Instant when_;
  };

  static Session& session_of(zhandle_t* handle) {
    return *static_cast<Session*>(const_cast<void*>(zoo_get_context(handle)));
  }
  static void on_event(zhandle_t* handle, int type, int state, const char*, void*) noexcept {
    if (type == ZOO_SESSION_EVENT) session_of(handle).on_session_event(state);
  }
  // Watches hear of each change of the session too; that is handled once, in on_event().
  static void on_watch(zhandle_t* handle, int type, int, const char*, void* context) noexcept {
    if (type != ZOO_SESSION_EVENT) session_of(handle).fire(reinterpret_cast<WatchNumber>(context));
  }

  void on_session_event(int state) {
    if (state == ZOO_CONNECTED_STATE) {
      const std::lock_guard lock(mutex_);
      if (state_ == State::connecting) {
        state_ = State::connected;
        contact_ = opened_;
      }
      changed_.notify_all();
    } else if (state == ZOO_EXPIRED_SESSION_STATE || state == ZOO_AUTH_FAILED_STATE) {
      expire();
    }
  }

  void expire() {
    std::map<WatchNumber, WatchCallback> armed;
    std::function<void()> tell;
    {
      const std::lock_guard lock(mutex_);
      if (state_ == State::expired) return;
      state_ = State::expired;
      armed.swap(armed_);
      tell.swap(lost_);
      changed_.notify_all();
    }
    for (const auto& [number, callback] : armed) callback();
    if (tell) tell();
  }

  bool is_expired() const {
    const std::lock_guard lock(mutex_);
    return state_ == State::expired;
  }

  void note_contact(Instant when) {
    const std::lock_guard lock(mutex_);
    contact_ = std::max(contact_, when);
  }

  void renew() {
    std::unique_lock lock(mutex_);
    while (!closing_ && state_ != State::expired) {
      const std::chrono::milliseconds period(
          std::max(1, zoo_recv_timeout(handle_) / kRenewalsPerTimeout));
      changed_.wait_for(lock, period, [this] { return closing_ || state_ == State::expired; });
      if (closing_ || state_ == State::expired) return;
      lock.unlock();
      const Sent sent(*this);
      ::Stat stat{};
      const int code = zoo_exists(handle_, options_.root.c_str(), 0, &stat);
      // An error shows in the lease, which then ends.
      static_cast<void>(sent.outcome(code, lost()));
      lock.lock();
    }
  }

  Result<WatchNumber> arm(WatchCallback callback) {
    const std::lock_guard lock(mutex_);
    if (armed_.size() >= kWatchesMax)
      return Error{Code::throttled, "the session has 10,000 watches armed", "too_many_watches"};
    armed_.emplace(++last_watch_, std::move(callback));
    return last_watch_;
  }

  // Takes an armed watch back. Empty when it has fired meanwhile.
  WatchCallback disarm(WatchNumber number) {
    const std::lock_guard lock(mutex_);
    const auto found = armed_.find(number);
    if (found == armed_.end()) return {};
    WatchCallback callback = std::move(found->second);
    armed_.erase(found);
    return callback;
  }

  void fire(WatchNumber number) {
    if (const WatchCallback callback = disarm(number)) callback();
  }

  Result<void> make_root() {
    std::string made;
    std::string_view rest = std::string_view(options_.root).substr(1);
    while (!rest.empty()) {
      made += "/" + std::string(rest.substr(0, rest.find('/')));
      rest = rest.find('/') == std::string_view::npos ? "" : rest.substr(rest.find('/') + 1);
      const Sent sent(*this);
      const int code = zoo_create(handle_, made.c_str(), "", 0, &ZOO_OPEN_ACL_UNSAFE,
                                  ZOO_PERSISTENT, nullptr, 0);
      if (code != ZNODEEXISTS) TRY(sent.outcome(code, error_of(code, made)));
    }
    return {};
  }

  std::string full(const std::string& path) const {
    if (options_.root == "/") return path;
    return path == "/" ? options_.root : options_.root + path;
  }
  std::string ours(const std::string& path) const {
    if (options_.root == "/") return path;
    return path.size() == options_.root.size() ? "/" : path.substr(options_.root.size());
  }

  static Result<void> check(const Create& request) {
    TRY(check_path(request.path));
    if (request.path == "/") return error_of(ZNODEEXISTS, "/");
    return check_data(request.data);
  }
  static Result<void> check(const Set& request) {
    TRY(check_path(request.path));
    return check_data(request.data);
  }
  static Result<void> check(const Delete& request) {
    TRY(check_path(request.path));
    if (request.path == "/")
      return Error{Code::invalid_argument, "the root is not removed", "path_invalid"};
    return {};
  }
  static Result<void> check(const Check& request) { return check_path(request.path); }

  // Reads the data; the watch is set when there is some. 0: no watch.
  Result<std::optional<Value>> read(const std::string& path, WatchNumber watch);

  const ZookeeperOptions options_;
  const Instant opened_ = base::system_clock().now();
  zhandle_t* handle_ = nullptr;
  mutable std::mutex mutex_;  // guards what follows; held for no call of the library that waits
  std::condition_variable changed_;
  State state_ = State::connecting;
  bool closing_ = false;
  Instant contact_;  // when the last answered request was sent
  std::map<WatchNumber, WatchCallback> armed_;
  WatchNumber last_watch_ = 0;
  std::function<void()> lost_;
  std::thread renewer_;
};

Result<std::vector<Outcome>> Session::multi(const std::vector<Operation>& operations) {
  if (operations.size() > kOperationsMax)
    return Error{Code::invalid_argument, "a multi has at most 1,000 operations",
                 "too_many_operations"};
  if (is_expired()) return session_expired();
  std::vector<zoo_op_t> requests(operations.size());
  std::vector<zoo_op_result_t> results(operations.size());
  std::vector<std::string> paths(operations.size()), made(operations.size());
  std::vector<::Stat> stats(operations.size());
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const auto prepare = [&](const auto& operation) -> Result<void> {
      TRY(check(operation));
      paths[i] = full(operation.path);
      using T = std::decay_t<decltype(operation)>;
      if constexpr (std::is_same_v<T, Create>) {
        made[i].resize(kPathBuffer);
        zoo_create_op_init(&requests[i], paths[i].c_str(), operation.data.data(),
                           static_cast<int>(operation.data.size()), &ZOO_OPEN_ACL_UNSAFE,
                           mode_of(operation.kind), made[i].data(), kPathBuffer);
      } else if constexpr (std::is_same_v<T, Set>) {
        zoo_set_op_init(&requests[i], paths[i].c_str(), operation.data.data(),
                        static_cast<int>(operation.data.size()),
                        static_cast<int>(operation.version), &stats[i]);
      } else if constexpr (std::is_same_v<T, Delete>) {
        zoo_delete_op_init(&requests[i], paths[i].c_str(), static_cast<int>(operation.version));
      } else {
        zoo_check_op_init(&requests[i], paths[i].c_str(), static_cast<int>(operation.version));
      }
      return {};
    };
    Result<void> prepared = std::visit(prepare, operations[i]);
    if (!prepared) {
      Error error = std::move(prepared).error();
      error.pointer = "/" + std::to_string(i);
      return error;
    }
  }
  const Sent sent(*this);
  const int code = requests.empty() ? ZOK
                                    : zoo_multi(handle_, static_cast<int>(requests.size()),
                                                requests.data(), results.data());
  if (code != ZOK) {
    // Those before the one that failed are marked as rolled back, those after it as not tried.
    const auto is_cause = [](const zoo_op_result_t& result) {
      return result.err != ZOK && result.err != ZRUNTIMEINCONSISTENCY;
    };
    const auto cause = std::find_if(results.begin(), results.end(), is_cause);
    const bool is_create = cause != results.end() &&
                           std::holds_alternative<Create>(
                               operations[static_cast<std::size_t>(cause - results.begin())]);
    if (cause == results.end()) {
      TRY(sent.outcome(code, error_of(code, "of a multi")));
    } else {
      const std::size_t index = static_cast<std::size_t>(cause - results.begin());
      const std::string path = ours(paths[index]);
      Error error = is_create ? create_error(cause->err, path) : error_of(cause->err, path);
      error.pointer = "/" + std::to_string(index);
      TRY(sent.outcome(code, std::move(error)));
    }
  }
  TRY(sent.outcome(ZOK, lost()));
  std::vector<Outcome> outcomes;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    Outcome outcome{ours(paths[i]), stat_of(stats[i])};
    if (std::holds_alternative<Create>(operations[i])) {
      outcome.path = ours(made[i].c_str());
      ::Stat stat{};
      if (zoo_exists(handle_, made[i].c_str(), 0, &stat) == ZOK) outcome.stat = stat_of(stat);
    }
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

Result<std::optional<Value>> Session::read(const std::string& path, WatchNumber watch) {
  const Sent sent(*this);
  DataAnswer answer;
  const int asked = zoo_awget(handle_, full(path).c_str(), watch == 0 ? nullptr : on_watch,
                              to_context(watch), take_data, &answer);
  if (asked != ZOK) TRY(sent.outcome(asked, error_of(asked, path)));
  std::unique_lock lock(answer.mutex);
  answer.arrived.wait(lock, [&answer] { return answer.is_here; });
  const Result<void> outcome = sent.outcome(answer.code, error_of(answer.code, path));
  if (outcome) return std::optional<Value>(std::move(answer.value));
  if (outcome.error().reason == "node_absent") return std::optional<Value>();
  return outcome.error();
}

Result<std::optional<Value>> Session::find(const std::string& path, WatchCallback watch) {
  TRY(check_path(path));
  if (!watch) return read(path, 0);
  const WatchNumber armed = TRY(arm(std::move(watch)));
  // The library watches data only of what is there, and births only of what is not: it may come or
  // go in between.
  while (true) {
    const Result<std::optional<Value>> value = read(path, armed);
    if (!value) {
      disarm(armed);
      return value;
    }
    if (*value) return value;
    const Sent sent(*this);
    ::Stat stat{};
    const int code = zoo_wexists(handle_, full(path).c_str(), on_watch, to_context(armed), &stat);
    if (code == ZNONODE) {
      TRY(sent.outcome(ZOK, lost()));
      return std::optional<Value>();
    }
    const Result<void> outcome = sent.outcome(code, error_of(code, path));
    if (!outcome) {
      disarm(armed);
      return outcome.error();
    }
  }
}

Result<std::vector<std::string>> Session::children(const std::string& path, WatchCallback watch) {
  TRY(check_path(path));
  WatchNumber armed = 0;
  if (watch) armed = TRY(arm(std::move(watch)));
  const Sent sent(*this);
  String_vector found{};
  const int code = zoo_wget_children(handle_, full(path).c_str(), armed == 0 ? nullptr : on_watch,
                                     to_context(armed), &found);
  const Result<void> outcome = sent.outcome(code, error_of(code, path));
  if (!outcome) {
    disarm(armed);
    return outcome.error();
  }
  std::vector<std::string> names(found.data, found.data + found.count);
  deallocate_String_vector(&found);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

Result<std::unique_ptr<ZookeeperCoordination>> open_zookeeper(const ZookeeperOptions& options) {
  auto session = std::make_unique<Session>(options);
  TRY(session->open());
  return std::unique_ptr<ZookeeperCoordination>(std::move(session));
}

}  // namespace coordination

// SPDX-License-Identifier: Apache-2.0
#include "dfs/replication/coordination_store.h"

#include <algorithm>

#include "common/base/bytes.h"
#include "common/base/log.h"
#include "common/base/text.h"

namespace dfs::replication {

using base::Error;
using base::Result;
using coordination::Coordination;

namespace {

constexpr std::uint8_t kFormat = 1;
constexpr std::string_view kKey = "replica group";
constexpr base::Duration kLookAgain = std::chrono::milliseconds(500);
constexpr std::size_t kMembersMax = 64;

// Used on the worker alone.
class Session {
 public:
  explicit Session(CoordinationStoreOptions options) : options_(std::move(options)) {}

  Result<Configuration> look(coordination::WatchCallback watch) {
    return with_session([&]() -> Result<Configuration> { return read(std::move(watch)); });
  }

  Result<Configuration> change(const Configuration& next) {
    return with_session([&]() -> Result<Configuration> {
      const std::optional<coordination::Value> value = TRY(session_->find(options_.path));
      if (!value) return Error{base::Code::not_found, options_.path + " is gone", "node_absent"};
      const Configuration now = TRY(parse_configuration(value->data));
      if (now.epoch + 1 != next.epoch) return now;
      const auto set =
          session_->set({options_.path, configuration_record(next), value->stat.version});
      if (set) return next;
      if (set.error().code != base::Code::conflict) return set.error();
      return read({});
    });
  }

 private:
  Result<Configuration> read(coordination::WatchCallback watch) {
    const std::optional<coordination::Value> value =
        TRY(session_->find(options_.path, std::move(watch)));
    if (!value) return Error{base::Code::not_found, options_.path + " is gone", "node_absent"};
    return parse_configuration(value->data);
  }

  template <class Call>
  Result<Configuration> with_session(const Call& call) {
    if (!session_) TRY(open());
    Result<Configuration> outcome = call();
    if (!outcome && outcome.error().reason == "session_expired") session_.reset();
    return outcome;
  }

  Result<void> open() {
    std::unique_ptr<Coordination> session = TRY(options_.open());
    const std::size_t slash = options_.path.rfind('/');
    if (slash > 0 && slash != std::string::npos)
      TRY(coordination::ensure_path(*session, options_.path.substr(0, slash)));
    const auto created = session->create({options_.path, configuration_record(options_.first)});
    if (!created && created.error().code != base::Code::already_exists) return created.error();
    session_ = std::move(session);
    return {};
  }

  const CoordinationStoreOptions options_;
  std::unique_ptr<Coordination> session_;
};

class CoordinationStore final : public ConfigurationStore {
 public:
  CoordinationStore(CoordinationStoreOptions options, DiskQueue& worker, base::Timers& timers)
      : worker_(worker),
        timers_(timers),
        path_(options.path),
        post_(options.post),
        session_(std::make_shared<Session>(std::move(options))) {}

  void watch(std::function<void(const Configuration&)> changed) override {
    changed_ = std::move(changed);
    look();
  }

  void change(const Configuration& next,
              std::function<void(Result<Configuration>)> settled) override {
    const auto outcome = std::make_shared<Result<Configuration>>(Configuration());
    worker_.submit([session = session_, outcome, next] { *outcome = session->change(next); },
                   [alive = std::weak_ptr<bool>(alive_), outcome, settled = std::move(settled)] {
                     if (!alive.expired()) settled(*outcome);
                   });
  }

 private:
  // Reads and arms the watch anew. One at a time: what changes meanwhile is looked at after it.
  void look() {
    if (std::exchange(looking_, true)) {
      look_again_ = true;
      return;
    }
    const auto outcome = std::make_shared<Result<Configuration>>(Configuration());
    const std::weak_ptr<bool> alive = alive_;
    const auto fired = [this, alive, post = post_] {
      post([this, alive] {
        if (!alive.expired()) look();
      });
    };
    worker_.submit([session = session_, outcome, fired] { *outcome = session->look(fired); },
                   [this, alive, outcome] {
                     if (!alive.expired()) finish(*outcome);
                   });
  }

  void finish(const Result<Configuration>& now) {
    looking_ = false;
    const std::weak_ptr<bool> alive = alive_;
    if (now) {
      told_away_ = false;
      if (changed_) changed_(*now);
      if (alive.expired()) return;
    } else {
      if (!std::exchange(told_away_, true))
        base::log::warning("DFS_CONFIGURATION_AWAY",
                           "a group's members cannot be read, those known stay in force",
                           {{"path", path_}}, now.error());
      retry_ = timers_.after(kLookAgain, [this] { look(); });
    }
    if (std::exchange(look_again_, false)) look();
  }

  DiskQueue& worker_;
  base::Timers& timers_;
  const std::string path_;
  const std::function<void(std::function<void()>)> post_;
  const std::shared_ptr<Session> session_;  // shared with the worker's calls
  std::function<void(const Configuration&)> changed_;
  bool looking_ = false;
  bool look_again_ = false;
  bool told_away_ = false;
  base::TimerHandle retry_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // shared with nobody
};

}  // namespace

std::string configuration_record(const Configuration& configuration) {
  base::ByteWriter out;
  out.u64(configuration.epoch).text(configuration.primary.text());
  out.u64(configuration.asked_by).u64(configuration.asked_count);
  for (const NodeId& node : configuration.in_sync) out.text(node.text());
  return base::seal_record(kKey, kFormat, out.bytes());
}

Result<Configuration> parse_configuration(std::string_view record) {
  base::ByteReader in(TRY(base::open_record(kKey, kFormat, record)));
  Configuration configuration;
  configuration.epoch = TRY(in.u64());
  configuration.primary = NodeId(std::string(TRY(in.text())));
  configuration.asked_by = TRY(in.u64());
  configuration.asked_count = TRY(in.u64());
  while (!in.rest().empty() && configuration.in_sync.size() < kMembersMax)
    configuration.in_sync.emplace_back(std::string(TRY(in.text())));
  TRY(in.end());
  return configuration;
}

std::unique_ptr<ConfigurationStore> make_coordination_store(CoordinationStoreOptions options,
                                                            DiskQueue& worker,
                                                            base::Timers& timers) {
  return std::make_unique<CoordinationStore>(std::move(options), worker, timers);
}

}  // namespace dfs::replication

// SPDX-License-Identifier: Apache-2.0
#include "dfs/storage/registrar.h"

#include <set>

#include "common/base/log.h"

namespace dfs::storage {
namespace {

using base::Result;
using replication::Configuration;
using namespace std::chrono_literals;

constexpr base::Duration kPeriod = 500ms;
constexpr base::Duration kTimeout = 1s;
constexpr base::Duration kRetry = 100ms;  // another metadata server may lead
constexpr int kMissedMax = 4;

}  // namespace

GroupConfiguration to_wire(GroupNumber group, const Configuration& configuration) {
  GroupConfiguration wire;
  wire.group = group;
  wire.epoch = configuration.epoch;
  wire.primary = configuration.primary.text();
  for (const replication::NodeId& node : configuration.in_sync) wire.in_sync.push_back(node.text());
  wire.asked_by = configuration.asked_by;
  wire.asked_count = configuration.asked_count;
  return wire;
}

Configuration from_wire(const GroupConfiguration& wire) {
  Configuration configuration;
  configuration.epoch = wire.epoch;
  configuration.primary = replication::NodeId(wire.primary);
  for (const std::string& node : wire.in_sync)
    configuration.in_sync.push_back(replication::NodeId(node));
  configuration.asked_by = wire.asked_by;
  configuration.asked_count = wire.asked_count;
  return configuration;
}

MetaLink::MetaLink(base::Net& net, base::Timers& timers, std::vector<base::Endpoint> servers) {
  CHECK_THAT(!servers.empty());
  for (base::Endpoint& server : servers)
    links_.push_back(std::make_unique<RpcClient>(net, timers, std::move(server)));
}

void MetaLink::note(std::size_t asked, const base::Error& error) {
  const bool elsewhere =
      error.code == base::Code::unavailable || error.code == base::Code::timed_out;
  if (elsewhere && asked == current_) current_ = (current_ + 1) % links_.size();
}

// A group's configuration as metadata has it.
class Registrar::Store final : public replication::ConfigurationStore {
 public:
  Store(GroupNumber group, MetaLink& link, base::Timers& timers)
      : group_(group), link_(link), timers_(timers) {}

  void watch(std::function<void(const Configuration&)> changed) override {
    changed_ = std::move(changed);
    tell_soon();
  }

  void change(const Configuration& next,
              std::function<void(Result<Configuration>)> settled) override {
    ChangeGroup request;
    request.next = to_wire(group_, next);
    link_.call<ChangeGroup>(
        request, kTimeout,
        [this, alive = alive_, settled = std::move(settled)](Result<GroupConfiguration> reply) {
          if (!*alive) return;
          if (!reply) return settled(reply.error());
          settled(from_wire(*reply));
          if (*alive) learn(from_wire(*reply));
        });
  }

  void learn(const Configuration& configuration) {
    if (configuration.epoch < known_.epoch || configuration == known_) return;
    known_ = configuration;
    if (changed_) changed_(known_);
  }
  void end() {
    *alive_ = false;
    changed_ = {};
    timer_.reset();
  }
  ~Store() override { *alive_ = false; }

 private:
  void tell_soon() {
    timer_ = timers_.after({}, [this] {
      if (changed_ && known_.epoch > 0) changed_(known_);
    });
  }

  const GroupNumber group_;
  MetaLink& link_;
  base::Timers& timers_;
  std::function<void(const Configuration&)> changed_;
  Configuration known_;
  base::TimerHandle timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

Registrar::Registrar(base::Net& net, base::Timers& timers, std::vector<base::Endpoint> metadata,
                     Hooks hooks)
    : timers_(timers), hooks_(std::move(hooks)), link_(net, timers, std::move(metadata)) {}

Registrar::~Registrar() { *alive_ = false; }

void Registrar::register_now() {
  timer_.reset();
  link_.call<RegisterStorage>(
      hooks_.describe(), kTimeout, [this, alive = alive_](Result<RegisterStorageReply> reply) {
        if (!*alive) return;
        timer_ = timers_.after(reply ? kPeriod : kRetry, [this] { register_now(); });
        if (registered_ != reply.has_value()) {
          registered_ = reply.has_value();
          if (registered_) {
            base::log::notice("DFS_STORAGE_REGISTERED", "metadata knows this storage server");
          } else {
            base::log::warning("DFS_STORAGE_UNREGISTERED",
                               "no metadata server answers; the groups go on as they are", {},
                               reply.error());
          }
        }
        if (!reply) {
          ++failures_;
          return;
        }
        take(*reply);
      });
}

void Registrar::take(const RegisterStorageReply& reply) {
  hooks_.set_nodes(reply.nodes);
  std::set<GroupNumber> named;
  for (const GroupConfiguration& wire : reply.groups) {
    named.insert(wire.group);
    Known& known = groups_[wire.group];
    if (!known.store) known.store = std::make_unique<Store>(wire.group, link_, timers_);
    known.missed = 0;
    known.store->learn(from_wire(wire));
    if (known.is_started) continue;
    const Result<void> started = hooks_.start_group(wire.group, *known.store);
    known.is_started = started.has_value();
    if (!started)
      base::log::failure("DFS_GROUP_NOT_STARTED",
                         "a chunk group cannot be started here; it is tried again",
                         {{"group", std::to_string(wire.group)}}, started.error());
  }
  for (auto group = groups_.begin(); group != groups_.end();) {
    if (named.contains(group->first) || ++group->second.missed < kMissedMax) {
      ++group;
      continue;
    }
    if (group->second.is_started) hooks_.stop_group(group->first);
    group->second.store->end();
    group = groups_.erase(group);
  }
}

}  // namespace dfs::storage

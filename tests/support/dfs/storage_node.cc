// SPDX-License-Identifier: Apache-2.0
#include "tests/support/dfs/storage_node.h"

#include "tests/support/dfs/log_index.h"

namespace dfs::testing {

using base::Result;

StorageNode::StorageNode(sim::World& world, sim::SimNet& net, Options options)
    : disk(world, options.disk_bytes),
      world_(world),
      net_(net.host(options.host)),
      options_(std::move(options)) {
  start();
}

StorageNode::~StorageNode() = default;

void StorageNode::start() {
  life_ = std::make_shared<int>();
  device_failed_ = false;
  auto index = open_log_index(disk);
  CHECK_THAT(index.has_value());
  index_ = *std::move(index);
  storage::DiskExecutor executor = [this](std::function<void()> work, std::function<void()> then) {
    const std::weak_ptr<int> life = life_;
    const base::Duration delay = world_.between({}, options_.disk_delay_max);
    world_.schedule_after(delay, [life, work = std::move(work), then = std::move(then)] {
      if (life.expired()) return;
      work();
      then();
    });
  };
  storage::Device::Options device;
  device.failed = [this](const base::Error&) { device_failed_ = true; };
  device.reserve_bytes = options_.reserve_bytes;
  auto opened = storage::Device::open(disk, *index_, executor, std::move(device));
  CHECK_THAT(opened.has_value());
  device_ = *std::move(opened);
  auto server = storage::StorageServer::start({*net_, world_, *device_, executor},
                                              {options_.host, endpoint()});
  CHECK_THAT(server.has_value());
  server_ = *std::move(server);
  for (const auto& [group, log] : logs_) add_group(group);
}

Result<std::unique_ptr<replication::Group>> StorageNode::make_group(
    GroupNumber group, replication::StateMachine& machine) {
  DirectOptions options;
  options.delay = options_.delay;
  options.self = replication::NodeId(options_.host);
  auto made = std::make_unique<DirectGroup>(logs_[group], machine, world_, std::move(options));
  groups_[group] = made.get();
  return std::unique_ptr<replication::Group>(std::move(made));
}

void StorageNode::add_group(GroupNumber group) {
  const Result<void> added =
      server_->add_group(group, [this](GroupNumber number, replication::StateMachine& machine) {
        return make_group(number, machine);
      });
  CHECK_THAT(added.has_value());
}

void StorageNode::cut_power() {
  life_.reset();
  groups_.clear();
  server_.reset();
  device_.reset();
  index_.reset();
  disk.cut_power();
}

void StorageNode::power_on() {
  disk.power_on();
  start();
}

void StorageNode::checkpoint(GroupNumber group) {
  bool done = false;
  server_->find_machine(group)->checkpoint(
      [&done](const Result<replication::Position>&) { done = true; });
  CHECK_THAT(world_.run_until([&done] { return done; }));
}

}  // namespace dfs::testing

// SPDX-License-Identifier: Apache-2.0
#include "dfs/storage/daemon/body.h"

#include <nlohmann/json.hpp>

#include "common/base/config.h"
#include "common/base/log.h"
#include "common/sys/loop_timers.h"
#include "common/sys/posix_disk.h"
#include "common/sys/tcp_net.h"
#include "dfs/api/introduction.h"
#include "dfs/replication/journal.h"
#include "dfs/replication/loop_disk_queue.h"
#include "dfs/replication/rpc_peers.h"
#include "dfs/storage/claim.h"
#include "dfs/storage/daemon/config.h"
#include "dfs/storage/daemon/routes.h"
#include "dfs/storage/registrar.h"

namespace dfs::storage {
namespace {

using base::Result;
using replication::NodeId;

constexpr auto kStopGrace = std::chrono::seconds(2);
constexpr std::size_t kIndexShare = 256;  // of the device's size, at least kIndexMin
// Of each group's log in memory. A member that was away for more is compared block by block, which
// costs little; a server has many groups.
constexpr std::size_t kHistoryBytes = std::size_t{1} << 20;
constexpr std::uint64_t kIndexMin = std::uint64_t{1} << 30;

class Body final : public rest::DaemonBody {
 public:
  Body(rest::DaemonContext context, DaemonConfig config)
      : context_(context),
        config_(std::move(config)),
        tokens_({.file = config_.tokens_file}),
        timers_(context.loop),
        net_(hear_newest_links(sys::make_tcp_net(context.loop))),
        journal_queue_(replication::make_loop_disk_queue(context.loop)),
        checkpoint_queue_(replication::make_loop_disk_queue(context.loop)),
        placing_queue_(replication::make_loop_disk_queue(context.loop)) {}

  Result<void> start() {
    superblock_ = TRY(load_superblock(config_.folder));
    if (superblock_.cluster != config_.cluster)
      return base::Error{base::Code::failed_precondition,
                         config_.folder.string() + " belongs to cluster " + superblock_.cluster,
                         "cluster_differs"};
    TRY(open_device());
    TRY(start_server());
    start_registrar();
    scrubber_ = std::make_unique<Scrubber>(
        *server_, timers_, readers(),
        Scrubber::Options{.bytes_per_second = config_.scrub_bytes_per_second,
                          .period = std::chrono::hours(24) * config_.scrub_days});
    api_ = {server_.get(), device_.get(), scrubber_.get(),
            [this] { return registrar_->is_registered(); }};
    add_routes(table_, api_);
    rest::add_standard_routes(table_, context_.metrics, "gestalt-dfs-storage",
                              [this] { return health_of(api_); });
    add_metrics();
    http_ = TRY(rest::Server::make({context_.loop, context_.workers, tokens_, context_.metrics},
                                   table_, config_.listen));
    return {};
  }

  Result<void> reload(const base::Json& config) override {
    return http_->reload(TRY(rest::read_limits(config)));
  }

  // Members take over faster when they see the links end than by silence.
  void stop(std::function<void()> done) override {
    registrar_.reset();
    http_->shutdown(kStopGrace, std::move(done));
  }

  ~Body() override { *alive_ = false; }

 private:
  DiskExecutor readers() {
    return [this](std::function<void()> work, std::function<void()> then) {
      auto both = std::make_shared<std::pair<std::function<void()>, std::function<void()>>>(
          std::move(work), std::move(then));
      const auto submitted = context_.workers.submit([both, alive = alive_, loop = &context_.loop] {
        both->first();
        loop->post([both, alive] {
          if (*alive) both->second();
        });
      });
      if (submitted) return;
      // So many wait that one more read here is the smaller evil.
      both->first();
      context_.loop.post([both, alive = alive_] {
        if (*alive) both->second();
      });
    };
  }

  Result<void> open_device() {
    disk_ = TRY(sys::open_posix_disk(config_.folder));
    const std::uint64_t free = TRY(disk_->free_bytes());
    capacity_ = TRY(capacity());
    index_ = TRY(open_lmdb_index(config_.folder / "index",
                                 std::max<std::uint64_t>(kIndexMin, capacity_ / kIndexShare)));
    Device::Options options;
    options.reserve_bytes = std::min(config_.reserve_bytes, free / 4);
    options.placing = [this](std::function<void()> work, std::function<void()> then) {
      placing_queue_->submit(std::move(work), std::move(then));
    };
    device_ = TRY(Device::open(
        *disk_, *index_,
        [this](std::function<void()> work, std::function<void()> then) {
          checkpoint_queue_->submit(std::move(work), std::move(then));
        },
        std::move(options)));
    replication::JournalOptions journal;
    journal.segment_bytes = config_.journal_segment_bytes;
    journal.segments_max = config_.journal_segments_max;
    journal_ = TRY(replication::Journal::open(*disk_, *journal_queue_, timers_, base::system_rng(),
                                              std::move(journal)));
    return {};
  }

  Result<std::uint64_t> capacity() const {
    std::error_code error;
    const std::filesystem::space_info space = std::filesystem::space(config_.folder, error);
    if (error) return base::os_error(error.value(), "measure " + config_.folder.string());
    return std::uint64_t{space.capacity};
  }

  Result<void> start_server() {
    const NodeId self(superblock_.disk);
    peers_ = std::make_unique<replication::RpcPeers>(*net_, timers_, self);
    StorageServer::Options options;
    options.node = superblock_.disk;
    options.listen = {config_.address, config_.port};
    options.on_replicate = [this](std::string_view body, std::string_view data) {
      peers_->on_notice(body, data);
    };
    server_ = TRY(StorageServer::start({*net_, timers_, *device_, readers()}, std::move(options)));
    return {};
  }

  Result<void> start_group(GroupNumber number, replication::ConfigurationStore& configurations) {
    return server_->add_group(
        number,
        [&](GroupNumber group,
            replication::StateMachine& machine) -> Result<std::unique_ptr<replication::Group>> {
          replication::GroupOptions options;
          options.replica =
              replication::replica_options(NodeId(superblock_.disk), config_.min_in_sync);
          options.group = group;
          options.history_bytes = kHistoryBytes;
          std::unique_ptr<replication::Group> started = TRY(replication::start_group(
              options, *journal_, machine, configurations, peers_->links(group), timers_));
          peers_->set_receiver(
              group, [member = started.get()](const NodeId& from, std::string_view message) {
                member->on_message(from, message);
              });
          return started;
        });
  }

  void start_registrar() {
    const NodeAddress self{superblock_.disk, config_.address, config_.port};
    Registrar::Hooks hooks;
    hooks.describe = [this, self] {
      return RegisterStorage{self, capacity_, device_->free_bytes()};
    };
    hooks.set_nodes = [this](const std::vector<NodeAddress>& nodes) {
      server_->peers().set(nodes);
      for (const NodeAddress& node : nodes)
        peers_->set_address(NodeId(node.node), {node.host, node.port});
    };
    hooks.start_group = [this](GroupNumber group, replication::ConfigurationStore& store) {
      return start_group(group, store);
    };
    hooks.stop_group = [this](GroupNumber group) {
      peers_->set_receiver(group, {});
      server_->drop_group(group);
    };
    registrar_ = std::make_unique<Registrar>(*net_, timers_, config_.metadata, std::move(hooks));
    registrar_->start();
  }

  void add_metrics() {
    using Read = std::function<double(const ServerCounters&)>;
    const auto add = [this](const char* name, const char* help, Read read) {
      rest::Gauge& gauge = context_.metrics.gauge(name, help);
      context_.metrics.on_render(
          [this, &gauge, read = std::move(read)] { gauge.set(read(server_->counters())); });
    };
    const auto number = [](std::uint64_t value) { return static_cast<double>(value); };
    add("dfs_storage_changes", "Changes that were proposed",
        [=](const ServerCounters& c) { return number(c.changes); });
    add("dfs_storage_change_bytes", "Bytes of writes",
        [=](const ServerCounters& c) { return number(c.change_bytes); });
    add("dfs_storage_reads", "Reads", [=](const ServerCounters& c) { return number(c.reads); });
    add("dfs_storage_read_bytes", "Bytes that reads asked for",
        [=](const ServerCounters& c) { return number(c.read_bytes); });
    add("dfs_storage_cold_reads", "Reads that waited for the device",
        [=](const ServerCounters& c) { return number(c.cold_reads); });
    add("dfs_storage_refused", "Changes that were refused",
        [=](const ServerCounters& c) { return number(c.refused); });
    add("dfs_storage_stale", "Changes of volumes that were taken over",
        [=](const ServerCounters& c) { return number(c.stale); });
    add("dfs_storage_blocks_bad", "Blocks that did not match their checksum",
        [=](const ServerCounters& c) { return number(c.blocks.found); });
    add("dfs_storage_blocks_mended", "Blocks that were put back from another member",
        [=](const ServerCounters& c) { return number(c.blocks.mended); });
    add("dfs_storage_blocks_lost", "Blocks without a good copy",
        [=](const ServerCounters& c) { return number(c.blocks.lost); });
    add("dfs_storage_free_bytes", "Free space of the device",
        [=, this](const ServerCounters&) { return number(device_->free_bytes()); });
    add("dfs_storage_groups", "Chunk groups that run here",
        [=, this](const ServerCounters&) { return number(server_->groups().size()); });
    add("dfs_storage_journal_batches", "Batches that the journal has synced",
        [=, this](const ServerCounters&) { return number(journal_->stats().batches); });
    add("dfs_storage_checkpoints", "Checkpoints of the device",
        [=, this](const ServerCounters&) { return number(device_->checkpoints()); });
  }

  rest::DaemonContext context_;
  const DaemonConfig config_;
  rest::TokenFile tokens_;
  sys::LoopTimers timers_;
  std::unique_ptr<base::Net> net_;
  // Destroyed from the end: groups before the journal, the journal before its thread.
  std::unique_ptr<base::Disk> disk_;
  std::unique_ptr<BlockIndex> index_;
  std::unique_ptr<replication::DiskQueue> journal_queue_;
  std::unique_ptr<replication::DiskQueue> checkpoint_queue_;
  std::unique_ptr<replication::DiskQueue> placing_queue_;
  Superblock superblock_;
  std::uint64_t capacity_ = 0;
  std::unique_ptr<Device> device_;
  std::unique_ptr<replication::Journal> journal_;
  std::unique_ptr<replication::RpcPeers> peers_;
  std::unique_ptr<Registrar> registrar_;
  std::unique_ptr<StorageServer> server_;
  std::unique_ptr<Scrubber> scrubber_;
  Api api_;
  rest::RouteTable table_;
  std::unique_ptr<rest::Server> http_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

Result<void> claim(const std::string& given, const DaemonConfig& config) {
  base::Rng& rng = base::system_rng();
  std::filesystem::path target = given;
  if (given.empty()) target = config.device.empty() ? config.folder : config.device;
  std::error_code ignored;  // what does not exist is a folder to be made
  const bool is_device =
      !std::filesystem::is_directory(target, ignored) && std::filesystem::exists(target, ignored);
  Superblock superblock;
  if (is_device) {
    superblock =
        TRY(claim_device({target, config.folder, config.cluster, config.device_bytes_min}, rng));
  } else {
    superblock = TRY(claim_folder(target, config.cluster, rng));
  }
  base::log::notice("DFS_DEVICE_CLAIMED", "this storage belongs to the cluster",
                    {{"disk", superblock.disk}, {"path", target.string()}});
  return {};
}

}  // namespace

Result<void> check_config(const base::Json& json) {
  TRY(read_daemon_config(json));
  return {};
}

Result<std::unique_ptr<rest::DaemonBody>> start_daemon(rest::DaemonContext context) {
  auto body = std::make_unique<Body>(context, TRY(read_daemon_config(context.config)));
  TRY(body->start());
  return std::unique_ptr<rest::DaemonBody>(std::move(body));
}

void describe_routes(rest::RouteTable& table) {
  static Api none;
  add_routes(table, none);
}

// --claim [TARGET] [--config FILE]
int claim_main(int argc, char** argv) {
  std::string target;
  std::string file = "/etc/gestalt/dfs-storage.json";
  for (int i = 2; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--config" && i + 1 < argc) {
      file = argv[++i];
    } else if (target.empty() && !argument.starts_with("-")) {
      target = argument;
    } else {
      std::fprintf(stderr, "usage: %s --claim [DEVICE|FOLDER] [--config FILE]\n", argv[0]);
      return 2;
    }
  }
  const auto run = [&]() -> Result<void> {
    const base::Json json = TRY(base::load_config(file));
    const DaemonConfig config = TRY(read_daemon_config(json));
    return claim(target, config);
  };
  const Result<void> done = run();
  if (done) return 0;
  std::fprintf(stderr, "%s\n", base::to_string(done.error()).c_str());
  return 1;
}

}  // namespace dfs::storage

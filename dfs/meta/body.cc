// SPDX-License-Identifier: Apache-2.0
#include "dfs/meta/body.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/config.h"
#include "common/base/log.h"
#include "common/coordination/coordination.h"
#include "common/sys/files.h"
#include "common/sys/loop_timers.h"
#include "common/sys/posix_disk.h"
#include "common/sys/tcp_net.h"
#include "dfs/meta/config.h"
#include "dfs/meta/routes.h"
#include "dfs/replication/coordination_store.h"
#include "dfs/replication/journal.h"
#include "dfs/replication/loop_disk_queue.h"
#include "dfs/replication/rpc_peers.h"

namespace dfs::meta {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using replication::NodeId;

constexpr auto kStopGrace = std::chrono::seconds(3);
constexpr std::uint32_t kGroup = 1;  // in the journal, which has no other
constexpr std::size_t kWorkers = 8;
constexpr auto kJoinRetry = std::chrono::seconds(1);
constexpr std::string_view kConfigurationPath = "/dfs/meta/configuration";
constexpr std::string_view kMembersPath = "/dfs/meta/members";
// Names the disk as one that has been in the group.
constexpr std::string_view kMemberFile = "member";

class Body final : public rest::DaemonBody {
 public:
  Body(rest::DaemonContext context, Config config)
      : config_(std::move(config)),
        tokens_({.file = config_.tokens_file, .peer_scopes = {}}),
        context_(context),
        timers_(context.loop) {}

  Result<void> start() {
    TRY(sys::make_folder(config_.state_folder, 0700));
    if (TRY(may_join())) return join();
    base::log::warning("META_EMPTY_DISK",
                       "this server counts as one that has everything, but its folder is empty; it "
                       "waits until the others have dropped it and then lets them fill it",
                       {{"name", config_.name}, {"folder", config_.state_folder}});
    join_later();
    return {};
  }

  Result<void> reload(const Json& config) override {
    if (!http_) return {};
    return http_->reload(TRY(rest::read_limits(config)));
  }

  void stop(std::function<void()> done) override {
    join_timer_.reset();
    if (!http_) return done();
    http_->shutdown(kStopGrace, std::move(done));
  }

 private:
  // A server that counts as in sync must not answer for what it has lost. That it was there before
  // is in Coordination too: one that never was has acknowledged nothing, and may begin empty at any
  // time. One whose disk is empty waits until the others have found it silent and dropped it.
  Result<bool> may_join() {
    const std::filesystem::path mark = std::filesystem::path(config_.state_folder) / kMemberFile;
    std::error_code error;
    const bool is_marked = std::filesystem::exists(mark, error);
    const auto tree = TRY(coordination::open_local({.folder = config_.coordination_folder}));
    std::string seen(kMembersPath);
    seen.append(1, '/').append(config_.name);
    const bool was_here = TRY(tree->find(seen)).has_value();
    if (!is_marked && was_here) {
      const auto value = TRY(tree->find(std::string(kConfigurationPath)));
      if (value) {
        const auto known = TRY(replication::parse_configuration(value->data));
        const NodeId self(config_.name);
        if (known.has(self) && known.in_sync.size() == 1)
          return Error{Code::failed_precondition,
                       config_.state_folder +
                           " is empty, and no other server has what was in it; "
                           "put the folder back",
                       "member_wiped"};
        if (known.has(self)) return false;
      }
    }
    if (!was_here) TRY(coordination::ensure_path(*tree, seen));
    if (!is_marked) TRY(sys::write_file_durably(mark, config_.name + "\n"));
    return true;
  }

  void join_later() {
    join_timer_ = timers_.after(kJoinRetry, [this] {
      const base::TimerHandle fired = std::move(join_timer_);
      Result<bool> may = may_join();
      if (may && !*may) return join_later();
      const Result<void> joined = may ? join() : Result<void>(may.error());
      if (joined) return;
      base::log::failure("META_NOT_JOINED",
                         "this server could not join the others, ending so that it starts anew",
                         {{"name", config_.name}}, joined.error());
      context_.loop.stop();
    });
  }

  Result<void> join() {
    net_ = sys::make_tcp_net(context_.loop);
    disk_ = TRY(sys::open_posix_disk(config_.state_folder));
    for (auto* queue : {&journal_queue_, &state_queue_, &coordination_queue_})
      *queue = replication::make_loop_disk_queue(context_.loop);
    store_ = TRY(
        open_lmdb_base(std::filesystem::path(config_.state_folder) / "state", config_.map_bytes));
    state_ = std::make_unique<MetaState>(*store_, *state_queue_);
    replication::JournalOptions journal;
    journal.segment_bytes = config_.journal_segment_bytes;
    journal.segments_max = config_.journal_segments_max;
    journal_ = TRY(replication::Journal::open(*disk_, *journal_queue_, timers_, base::system_rng(),
                                              std::move(journal)));
    TRY(start_group());
    server_ = TRY(MetaServer::start(config_.server, *group_, *state_, *net_, timers_));
    TRY(start_http());
    base::log::info("META_STARTED", "the metadata server is ready",
                    {{"name", config_.name}, {"members", std::to_string(config_.members.size())}});
    return {};
  }

  Result<void> start_group() {
    const NodeId self(config_.name);
    peers_ = std::make_unique<replication::RpcPeers>(*net_, timers_, self);
    replication::CoordinationStoreOptions options;
    options.path = kConfigurationPath;
    options.first.epoch = 1;
    for (const MemberConfig& member : config_.members) {
      options.first.in_sync.emplace_back(member.name);
      if (member.name != config_.name) peers_->set_address(NodeId(member.name), member.peers);
    }
    std::sort(options.first.in_sync.begin(), options.first.in_sync.end());
    options.first.primary = options.first.in_sync.front();
    options.open = [folder = config_.coordination_folder] {
      return coordination::open_local({.folder = folder});
    };
    options.post = [&loop = context_.loop](std::function<void()> work) {
      loop.post(std::move(work));
    };
    configurations_ =
        replication::make_coordination_store(std::move(options), *coordination_queue_, timers_);
    replication::GroupOptions group;
    group.replica = replication::replica_options(self, config_.min_in_sync);
    group.group = kGroup;
    group_ = TRY(replication::start_group(std::move(group), *journal_, *state_, *configurations_,
                                          peers_->links(kGroup), timers_));
    peers_->set_receiver(kGroup, [this](const NodeId& from, std::string_view message) {
      group_->on_message(from, message);
    });
    RpcServer::Handlers handlers;
    handlers.request = [](std::uint8_t, std::string_view, std::string_view, Responder responder) {
      responder.fail({Code::unsupported, "this port is for metadata servers", "request_unknown"});
    };
    handlers.notice = [this](const std::shared_ptr<Caller>&, std::uint8_t kind,
                             std::string_view body, std::string_view data) {
      if (kind == replication::kReplicateNotice) peers_->on_notice(body, data);
    };
    peer_server_ = TRY(RpcServer::listen(*net_, config_.self().peers, std::move(handlers)));
    return {};
  }

  Result<void> start_http() {
    api_.server = server_.get();
    api_.state = state_.get();
    api_.group = group_.get();
    api_.name = config_.name;
    api_.members = config_.members.size();
    api_.copies = config_.server.copies;
    api_.post = [this](std::function<void()> work) { context_.loop.post(std::move(work)); };
    add_routes(table_, &api_);
    rest::add_standard_routes(table_, context_.metrics, "gestalt-dfs-meta",
                              [this] { return health(api_); });
    add_metrics();
    http_ = TRY(rest::Server::make({context_.loop, context_.workers, tokens_, context_.metrics},
                                   table_, config_.listen));
    return {};
  }

  void add_metrics() {
    rest::Metrics& metrics = context_.metrics;
    const auto gauge = [&](const std::string& name, const std::string& help,
                           std::function<double()> value) {
      auto& out = metrics.gauge("dfs_meta_" + name, help);
      metrics.on_render([&out, value = std::move(value)] { out.set(value()); });
    };
    const auto count = [this](auto ServerCounts::*field) {
      return [this, field] { return static_cast<double>(server_->counts().*field); };
    };
    gauge("is_primary", "1 when this server leads",
          [this] { return group_->is_serving() ? 1.0 : 0.0; });
    gauge("sessions", "Clients that have a volume open",
          [this] { return static_cast<double>(state_->sessions().size()); });
    gauge("leases", "Inodes that are leased",
          [this] { return static_cast<double>(server_->leases()); });
    gauge("applied_index", "Entries of the log that are applied",
          [this] { return static_cast<double>(group_->applied()); });
    gauge("unsaved_bytes", "Memory of what the next checkpoint writes",
          [this] { return static_cast<double>(state_->table().bytes()); });
    gauge("state_bytes", "Size of the state on disk",
          [this] { return static_cast<double>(store_->used_bytes()); });
    gauge("requests", "Requests since the start", count(&ServerCounts::requests));
    gauge("operations", "Changes since the start", count(&ServerCounts::operations));
    gauge("recalls", "Leases recalled since the start", count(&ServerCounts::recalls));
    gauge("sessions_ended", "Clients that were given up since the start",
          count(&ServerCounts::sessions_ended));
    gauge("objects_removed", "Objects removed at storage servers since the start",
          count(&ServerCounts::objects_removed));
  }

  // In order of need: each uses those above it.
  const Config config_;
  rest::TokenFile tokens_;
  rest::DaemonContext context_;
  sys::LoopTimers timers_;
  base::TimerHandle join_timer_;
  std::unique_ptr<base::Net> net_;
  std::unique_ptr<base::Disk> disk_;
  std::unique_ptr<BaseStore> store_;
  std::unique_ptr<replication::DiskQueue> journal_queue_, state_queue_, coordination_queue_;
  std::unique_ptr<MetaState> state_;
  std::unique_ptr<replication::Journal> journal_;
  std::unique_ptr<replication::RpcPeers> peers_;
  std::unique_ptr<replication::ConfigurationStore> configurations_;
  std::unique_ptr<replication::Group> group_;
  std::unique_ptr<RpcServer> peer_server_;
  std::unique_ptr<MetaServer> server_;
  Api api_;
  rest::RouteTable table_;
  std::unique_ptr<rest::Server> http_;
};

}  // namespace

rest::DaemonSpec make_spec() {
  rest::DaemonSpec spec;
  spec.name = "dfs-meta";
  spec.about = "Keeps names, attributes, locks and leases of the distributed file system.";
  spec.worker_threads = kWorkers;
  spec.check = [](const Json& json) -> Result<void> {
    TRY(read_config(json));
    return {};
  };
  spec.describe_routes = [](rest::RouteTable& table) { add_routes(table, nullptr); };
  spec.start = [](rest::DaemonContext context) -> Result<std::unique_ptr<rest::DaemonBody>> {
    auto body = std::make_unique<Body>(context, TRY(read_config(context.config)));
    TRY(body->start());
    return std::unique_ptr<rest::DaemonBody>(std::move(body));
  };
  return spec;
}

}  // namespace dfs::meta

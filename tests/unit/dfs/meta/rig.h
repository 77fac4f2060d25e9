// SPDX-License-Identifier: Apache-2.0
// A metadata server over a DirectGroup in the simulator's world, and clients that speak its
// protocol and nothing more.
#pragma once

#include <memory>
#include <string>

#include "dfs/meta/server.h"
#include "tests/support/check_result.h"
#include "tests/support/dfs/direct_group.h"
#include "tests/support/sim/sim_disk_queue.h"
#include "tests/support/sim/sim_net.h"

namespace dfs::meta::testing {

class Rig {
 public:
  explicit Rig(std::uint64_t seed = 1) : world(seed) {
    options.endpoint = {"meta", 7861};
    start();
  }
  ~Rig() { stop(); }

  void start() {
    store = make_memory_base(disk);
    queue = std::make_unique<sim::SimDiskQueue>(world);
    state = std::make_unique<MetaState>(*store, *queue);
    group = std::make_unique<dfs::testing::DirectGroup>(
        log, *state, world,
        dfs::testing::DirectOptions{
            .delay = [this] { return world.between(std::chrono::microseconds(50), delay_max); },
            .keeps_unapplied = [this] { return world.happens(0.5); }});
    server = UNWRAP(MetaServer::start(options, *group, *state, *net, world));
  }
  void stop() {
    server.reset();
    group.reset();
    state.reset();
    queue.reset();
    store.reset();
  }
  // Through the log, as an administrator would.
  template <class Command>
  typename Command::Answer run(const Command& command) {
    std::optional<base::Result<std::string>> answer;
    server->command(encode_command(command),
                    [&](base::Result<std::string> got) { answer.emplace(std::move(got)); });
    CHECK_TRUE(world.run_until([&] { return answer.has_value(); }));
    const std::string bytes = UNWRAP(*answer);
    return UNWRAP(decode_answer<typename Command::Answer>(bytes));
  }
  void make_volume(const std::string& name = "data") {
    CreateVolumeCommand command;
    command.name = name;
    run(command);
  }

  sim::World world;
  sim::SimNet network{world};
  std::unique_ptr<base::Net> net = network.host("meta");
  base::Duration delay_max = std::chrono::milliseconds(1);
  ServerOptions options;
  dfs::testing::DirectLog log;
  MemoryDisk disk;
  std::unique_ptr<BaseStore> store;
  std::unique_ptr<sim::SimDiskQueue> queue;
  std::unique_ptr<MetaState> state;
  std::unique_ptr<dfs::testing::DirectGroup> group;
  std::unique_ptr<MetaServer> server;
};

class Client {
 public:
  Client(Rig& rig, const std::string& name)
      : rig_(rig),
        net_(rig.network.host(name)),
        rpc_(*net_, rig.world, {"meta", 7861}),
        name_(name) {
    rpc_.on_notice([this](std::uint8_t kind, std::string_view body) {
      LONGS_EQUAL(static_cast<int>(MetaKind::recall), kind);
      const Recall recall = UNWRAP(decode<Recall>(body));
      for (const LeaseClaim& claim : recall.leases) {
        recalled.push_back(claim);
        if (answers_recalls) release({{claim.inode, claim.lease, false}});
      }
    });
  }

  template <class Request>
  base::Result<typename Request::Reply> call(const Request& request,
                                             base::Duration timeout = std::chrono::seconds(30)) {
    // Once more when the link had ended with the server's life before.
    for (int attempt = 0;; ++attempt) {
      const auto answer = send(request, timeout);
      CHECK_TRUE(rig_.world.run_until([&] { return answer->has_value(); }, timeout * 2));
      if (attempt > 0 || **answer || (*answer)->error().reason != "link_closed") return **answer;
    }
  }
  // Without waiting.
  template <class Request>
  std::shared_ptr<std::optional<base::Result<typename Request::Reply>>> send(
      const Request& request, base::Duration timeout = std::chrono::seconds(60)) {
    auto answer = std::make_shared<std::optional<base::Result<typename Request::Reply>>>();
    rpc_.call<Request>(request, timeout,
                       [answer](base::Result<typename Request::Reply> reply, std::string_view) {
                         answer->emplace(std::move(reply));
                       });
    return answer;
  }

  base::Result<OpenSessionReply> open(const std::string& volume = "data",
                                      Takeover takeover = Takeover::none, VolumeEpoch epoch = 0) {
    OpenSession request;
    request.volume = volume;
    request.client = name_;
    request.host = name_;
    request.takeover = takeover;
    request.epoch = epoch;
    auto reply = call(request);
    if (reply) opened = *reply;
    return reply;
  }
  // Renews until it is stopped.
  void keep_alive() {
    renewal_ = rig_.world.after(std::chrono::seconds(1), [this] {
      const base::TimerHandle fired = std::move(renewal_);
      send(Renew{opened.session});
      keep_alive();
    });
  }
  void die() { renewal_.reset(); }

  InodeNumber new_inode() {
    if (numbers.count == 0) numbers = UNWRAP(call(InodeNumbers{opened.session}));
    --numbers.count;
    return numbers.first++;
  }
  Apply batch(std::vector<MetaOp> operations) {
    return Apply{opened.session, ++sequence, std::move(operations)};
  }
  OpResult apply(MetaOp operation) {
    const ApplyReply reply = UNWRAP(call(batch({std::move(operation)})));
    return reply.results.at(0);
  }
  CreateOp create_op(InodeNumber folder, const std::string& name, FileKind kind = FileKind::file) {
    CreateOp op;
    op.folder = folder;
    op.name = name;
    op.inode = new_inode();
    op.kind = kind;
    op.mode = 0644;
    op.time = 1;
    return op;
  }
  InodeNumber create(InodeNumber folder, const std::string& name, FileKind kind = FileKind::file) {
    const CreateOp op = create_op(folder, name, kind);
    LONGS_EQUAL(0, apply(op).os_errno);
    return op.inode;
  }
  Lookup lookup_request(InodeNumber folder, const std::string& name,
                        Lease folder_lease = Lease::none, Lease inode_lease = Lease::none) const {
    return {opened.session, folder, name, folder_lease, inode_lease};
  }
  void release(std::vector<ReleasedLease> leases) {
    send(ReleaseLeases{opened.session, std::move(leases)});
  }

  OpenSessionReply opened;
  InodeNumbersReply numbers;
  std::uint64_t sequence = 0;
  bool answers_recalls = true;
  std::vector<LeaseClaim> recalled;

 private:
  Rig& rig_;
  std::unique_ptr<base::Net> net_;
  RpcClient rpc_;
  std::string name_;
  base::TimerHandle renewal_;
};

}  // namespace dfs::meta::testing

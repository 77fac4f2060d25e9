// SPDX-License-Identifier: Apache-2.0
// A metadata state that is fed with entries directly, and started again over its store as after a
// crash, with what the log still has.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "dfs/meta/fsck.h"
#include "dfs/meta/state.h"
#include "tests/support/check_result.h"

namespace dfs::meta::testing {

// Does the work when it is told to.
class ManualQueue final : public replication::DiskQueue {
 public:
  void submit(std::function<void()> work, std::function<void()> done) override {
    work_ = std::move(work);
    done_ = std::move(done);
    if (at_once) finish();
  }
  void finish() {
    if (!work_) return;
    std::exchange(work_, nullptr)();
    std::exchange(done_, nullptr)();
  }
  void drop() { work_ = done_ = nullptr; }
  bool at_once = true;

 private:
  std::function<void()> work_, done_;
};

class StateRig {
 public:
  explicit StateRig(std::unique_ptr<BaseStore> other = nullptr)
      : store(other ? std::move(other) : make_memory_base(disk)),
        state(std::make_unique<MetaState>(*store, queue)) {}

  std::string propose(std::string payload) {
    log.push_back({1, log.size() + 1, 0, std::move(payload)});
    return state->apply(log.back());
  }
  template <class Command>
  base::Result<typename Command::Answer> run(const Command& command) {
    return decode_answer<typename Command::Answer>(propose(encode_command(command)));
  }

  VolumeRecord make_volume(const std::string& name = "data", std::uint32_t inline_max = 4096) {
    CreateVolumeCommand command;
    command.name = name;
    command.inline_max = inline_max;
    command.time = 100;
    return UNWRAP(run(command));
  }
  SessionNumber open(const std::string& client, const std::string& volume = "data",
                     Takeover takeover = Takeover::none, VolumeEpoch epoch = 0) {
    OpenSession request;
    request.volume = volume;
    request.client = client;
    request.takeover = takeover;
    request.epoch = epoch;
    const SessionRecord session = UNWRAP(run(OpenSessionCommand{request, 1}));
    return session.session;
  }
  base::Result<ApplyReply> batch(SessionNumber session, std::vector<MetaOp> operations,
                                 std::uint64_t sequence = 0) {
    if (sequence == 0) sequence = state->sessions().at(session).sequence + 1;
    const Apply apply{session, sequence, std::move(operations)};
    return decode_answer<ApplyReply>(propose(encode_apply(encode(apply))));
  }
  OpResult apply(SessionNumber session, MetaOp operation) {
    const ApplyReply reply = UNWRAP(batch(session, {std::move(operation)}));
    return reply.results.at(0);
  }
  InodeNumber new_inode() { return UNWRAP(run(TakeInodesCommand{1})).first; }
  Attributes attributes(InodeNumber inode) const {
    const auto bytes = state->table().find(inode_key(inode));
    CHECK_TRUE(bytes.has_value());
    return decode_stored<StoredInode>(*bytes).attributes;
  }
  bool exists(InodeNumber inode) const { return state->inode_exists(inode); }

  void checkpoint() {
    state->checkpoint([](base::Result<replication::Position> done) { CHECK_OK(done); });
  }
  // The process ends; what was not made durable is applied again from the log.
  void restart() {
    state.reset();
    queue.drop();
    state = std::make_unique<MetaState>(*store, queue);
    for (std::size_t i = state->durable().index; i < log.size(); ++i) state->apply(log[i]);
  }
  void fsck() const {
    const FsckReport report = check_state(*state);
    if (!report.problems.empty()) FAIL(report.problems.front().c_str());
    LONGS_EQUAL(0, report.wrong);
  }

  MemoryDisk disk;
  std::unique_ptr<BaseStore> store;
  ManualQueue queue;
  std::vector<replication::Entry> log;
  std::unique_ptr<MetaState> state;
};

}  // namespace dfs::meta::testing

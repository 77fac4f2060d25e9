// SPDX-License-Identifier: Apache-2.0
// The inside of the metadata server; only its own files include it.
// Threads: the loop's.
#pragma once

#include "dfs/meta/lock_waits.h"
#include "dfs/meta/server.h"
#include "dfs/meta/storage_liaison.h"

namespace dfs::meta {

class Server final : public MetaServer {
 public:
  using OnAnswer = std::function<void(base::Result<std::string>)>;
  Server(ServerOptions options, replication::Group& group, MetaState& state, base::Net& net,
         base::Timers& timers);
  ~Server() override;
  base::Result<void> listen();

  const base::Endpoint& endpoint() const override { return rpc_->endpoint(); }
  std::vector<StorageView> storage() const override { return liaison_.view(); }
  std::vector<SessionView> sessions() const override;
  const ServerCounts& counts() const override { return counts_; }
  std::size_t leases() const override { return leases_.size(); }
  bool is_in_grace() const override { return in_grace_; }
  void command(std::string payload, std::function<void(base::Result<std::string>)> done) override;
  void fence(VolumeNumber volume, std::function<void()> done) override;
  void snapshot(CreateSnapshotCommand command, OnAnswer done) override;

 private:
  // A snapshot that waits for the leases of its volume.
  struct Freeze {
    VolumeNumber volume = 0;
    CreateSnapshotCommand command;
    OnAnswer done;
    base::Instant give_up;
    bool is_called_in = false;  // what clients hold
    bool is_proposed = false;
  };
  struct Live {
    base::Instant heard;  // of the last request that was taken
    bool reclaimed = false;
    bool doomed = false;  // is heard no more, and so ends
    bool ending = false;
    std::optional<base::Instant> recalled_since = {};
    std::weak_ptr<Caller> caller = {};
  };
  // A request that needs leases to be free.
  struct Wait;
  using WaitHandle = std::shared_ptr<Wait>;  // of waits_ and of what is under way for it
  struct Wait {
    explicit Wait(Responder to) : responder(std::move(to)) {}
    Ticket ticket = 0;
    SessionNumber session = 0;
    bool pins = false;
    bool is_registered = false;
    std::vector<LeaseClaim> pinned = {};
    // Asked anew at each attempt: what a name leads to may have changed.
    std::function<std::vector<LeaseClaim>()> needs = {};
    std::function<void(const WaitHandle&)> go = {};
    Responder responder;
  };
  struct Deferred {
    MetaKind kind;
    std::string body;
    Responder responder;
  };

  // server.cc
  void on_role(bool is_serving);
  void propose(std::string payload, OnAnswer done);
  void forward(std::string payload, Responder responder);
  void schedule_tick();
  void tick();
  void after_event();
  void send_recalls();
  void end_grace_if_due();
  void end_session(SessionNumber session);
  void drop_ended();
  void purge_volumes();
  const SessionRecord* admit(SessionNumber session, MetaKind kind, std::string_view body,
                             Responder& responder);
  void dispatch(MetaKind kind, std::string_view body, Responder responder);
  template <class Request>
  void take(std::string_view body, Responder responder);
  void answer_open(const SessionRecord& session, Responder& responder);
  void fence_session(SessionNumber session);
  TimeNs wall_time() const;

  void handle(const OpenSession& request, std::string_view body, Responder responder);
  void handle(const Renew& request, std::string_view body, Responder responder);
  void handle(const CloseSession& request, std::string_view body, Responder responder);
  void handle(const Reclaim& request, std::string_view body, Responder responder);
  void handle(const Lookup& request, std::string_view body, Responder responder);
  void handle(const GetInode& request, std::string_view body, Responder responder);
  void handle(const ReadFolder& request, std::string_view body, Responder responder);
  void handle(const Apply& request, std::string_view body, Responder responder);
  void handle(const ReleaseLeases& request, std::string_view body, Responder responder);
  void handle(const SetLock& request, std::string_view body, Responder responder);
  void handle(const CancelLock& request, std::string_view body, Responder responder);
  void handle(const TestLock& request, std::string_view body, Responder responder);
  void handle(const Groups& request, std::string_view body, Responder responder);
  void handle(const VolumeUsage& request, std::string_view body, Responder responder);
  void handle(const InodeNumbers& request, std::string_view body, Responder responder);
  void handle(const TakeObject& request, std::string_view body, Responder responder);
  void handle(const RegisterStorage& request, std::string_view body, Responder responder);
  void handle(const ChangeGroup& request, std::string_view body, Responder responder);

  // server_leases.cc
  std::vector<LeaseClaim> batch_needs(const Apply& batch) const;
  void begin(WaitHandle wait);
  void attempt(const WaitHandle& wait);
  void finish(const WaitHandle& wait);
  void unpin(const WaitHandle& wait);
  VolumeNumber volume_of(SessionNumber session) const;
  bool is_of_snapshot(SessionNumber session) const {
    return state_.is_snapshot(volume_of(session));
  }

  // server_snapshots.cc
  void freeze_if_due();
  void end_freeze(base::Result<std::string> answer);
  bool is_frozen(VolumeNumber volume) const { return freeze_ && freeze_->volume == volume; }
  bool is_frozen_for(VolumeNumber volume, MetaKind kind) const;
  bool holds_leases(VolumeNumber volume) const;

  // server_locks.cc
  void begin_lock(SetLock request, Responder responder);
  void lock_snapshot(const SetLock& request, Responder& responder);
  void try_lock(const SetLock& request, const WaitHandle& waiting);
  bool is_alone(InodeNumber inode, SessionNumber session) const;
  void retry_locks(InodeNumber inode);
  void retry_all_locks();

  const ServerOptions options_;
  replication::Group& group_;
  MetaState& state_;
  base::Net& net_;
  base::Timers& timers_;
  ServerCounts counts_;
  StorageLiaison liaison_;
  LeaseTable leases_;
  LockWaits lock_waits_;
  std::map<SessionNumber, Live> live_;
  std::map<Ticket, WaitHandle> waits_;
  Ticket next_ticket_ = 1;
  std::deque<Deferred> deferred_;
  std::optional<Freeze> freeze_;
  std::map<SessionNumber, std::vector<Responder>> fencing_;
  bool serving_ = false;
  bool in_grace_ = false;
  bool in_after_event_ = false;
  bool purging_ = false;
  std::size_t opening_ = 0;  // sessions that are being opened
  std::uint64_t reign_ = 0;  // counts changes of the role
  base::TimerHandle tick_;
  std::unique_ptr<RpcServer> rpc_;
  // Shared with nobody: proposals under way look whether it is gone.
  std::shared_ptr<bool> alive_;
};

}  // namespace dfs::meta

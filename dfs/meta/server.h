// SPDX-License-Identifier: Apache-2.0
// The metadata server's protocol (7861) in front of the replicated state: who may ask, what is
// leased to whom, who waits for which lock, and what storage servers are told.
//
// 1. Only the primary answers; others say not_primary. What it answers was applied from the
// group's log.
// 2. A read waits until nobody else may have changes of it in memory. A batch waits until nobody
// else uses what it changes, and pins that until it is applied.
// 3. Inodes that a batch creates in a folder on which its session has a write lease are leased to
// it for writing too: everything below a folder of its own is its own.
// 4. A client gives back what it does not use at the moment also while a batch of its own waits;
// otherwise two that wait for each other wait until a session is ended.
// While a ReleaseLeases is unanswered, what its client is granted on the same inodes means nothing:
// the release may arrive, or arrive again, behind it.
// 5. A session that was not heard of for its lease, or that kept a lease for `recall_max` after it
// was recalled, is ended, after the time in which its client may still trust its leases.
// 6. Memory: sessions, leases_max leases, requests_max requests that wait.
// Threads: the loop's.
#pragma once

#include <deque>
#include <memory>

#include "common/base/net.h"
#include "common/base/timers.h"
#include "dfs/api/rpc.h"
#include "dfs/meta/command.h"
#include "dfs/meta/leases.h"
#include "dfs/meta/state.h"
#include "dfs/replication/group.h"

namespace dfs::meta {

struct ServerOptions {
  base::Endpoint endpoint;
  base::Duration lease = std::chrono::seconds(5);  // of sessions
  base::Duration recall_max = std::chrono::seconds(20);
  std::size_t leases_max = 500'000;
  std::size_t requests_max = 100'000;
  // Chunk groups are made once this many storage servers have come.
  std::size_t storage_nodes_expected = 1;
  std::uint32_t groups = 12;
  std::size_t copies = 3;
  // A storage server that was silent for this long loses its copies to others.
  base::Duration storage_replace_after = std::chrono::minutes(10);
};

// What people ask for.
struct StorageView {
  StorageRecord record;
  std::uint64_t bytes_free = 0;
  bool is_alive = false;
};
struct SessionView {
  SessionRecord record;
  std::size_t leases = 0;
  bool is_waiting_for_reclaim = false;
};
struct ServerCounts {
  std::uint64_t requests = 0, batches = 0, operations = 0, recalls = 0, sessions_ended = 0;
  std::uint64_t objects_removed = 0;
};

class MetaServer {
 public:
  // Errors: those of Net::listen. Requires: all outlive it.
  static base::Result<std::unique_ptr<MetaServer>> start(ServerOptions options,
                                                         replication::Group& group,
                                                         MetaState& state, base::Net& net,
                                                         base::Timers& timers);
  virtual ~MetaServer() = default;
  virtual const base::Endpoint& endpoint() const = 0;

  virtual std::vector<StorageView> storage() const = 0;
  virtual std::vector<SessionView> sessions() const = 0;
  virtual const ServerCounts& counts() const = 0;
  virtual std::size_t leases() const = 0;
  virtual bool is_in_grace() const = 0;
  // An administrator's command through the group's log; an epoch that it counts up is made known to
  // the chunk groups before `done`. The answer is as command.h has it.
  virtual void command(std::string payload,
                       std::function<void(base::Result<std::string>)> done) = 0;
  // A snapshot as of an instant at which no client holds anything back: all leases of the volume
  // are called in, and nobody gets one before it is made. Errors: failed_precondition
  // snapshot_under_way; timed_out snapshot_timed_out; those of CreateSnapshotCommand.
  virtual void snapshot(CreateSnapshotCommand command,
                        std::function<void(base::Result<std::string>)> done) = 0;
  // Makes sure that no chunk group takes changes of the volume with an epoch below its present one.
  virtual void fence(VolumeNumber volume, std::function<void()> done) = 0;
};

}  // namespace dfs::meta

// SPDX-License-Identifier: Apache-2.0
// Puts back blocks that do not match their checksums, from another in-sync member of the group.
//
// 1. What comes is accepted only if it matches the checksum here, or, of a block without one, if
// the member's page was changed by the same log entry last. Threads: the loop's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "dfs/api/rpc.h"
#include "dfs/storage/object_store.h"

namespace dfs::storage {

// The other servers of the cluster, by node id.
class Peers {
 public:
  Peers(base::Net& net, base::Timers& timers) : net_(net), timers_(timers) {}
  // Links to nodes that are not among them end.
  void set(const std::vector<NodeAddress>& nodes);
  // nullptr when it is unknown.
  RpcClient* find(const std::string& node);
  std::vector<std::string> names() const;
  base::Timers& timers() { return timers_; }

 private:
  base::Net& net_;
  base::Timers& timers_;
  std::map<std::string, std::unique_ptr<RpcClient>> links_;
};

struct MendCounters {
  std::uint64_t found = 0;  // blocks that did not match
  std::uint64_t mended = 0;
  std::uint64_t lost = 0;  // no member had a good copy
};

class Mender {
 public:
  Mender(Peers& peers, MendCounters& counters) : peers_(peers), counters_(counters) {}
  ~Mender() { *alive_ = false; }
  Mender(const Mender&) = delete;
  Mender& operator=(const Mender&) = delete;

  // Asks `members` one after the other. `done` gets whether the block is good now.
  // Requires: the store lives until then, or cancel() was called.
  void mend(ObjectStore& store, BlockName block, std::vector<std::string> members,
            std::function<void(bool)> done);
  void cancel(const ObjectStore& store);

 private:
  struct Job;
  void ask(const std::shared_ptr<Job>& job);
  void finish(const std::shared_ptr<Job>& job, bool mended);

  Peers& peers_;
  MendCounters& counters_;
  std::map<std::pair<const ObjectStore*, BlockName>, std::shared_ptr<Job>> jobs_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace dfs::storage

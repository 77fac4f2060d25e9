// SPDX-License-Identifier: Apache-2.0
// What a replica group replicates: a state that changes by log entries alone.
//
// 1. apply() is deterministic: the same entries give the same state and answers on every member.
// 2. The state may be durable later than the log: it remembers by itself up to which entry it is,
// and after a restart is given the entries behind that one again.
// 3. A large payload may be put where it belongs before it is ordered for good (place()): the
// journal then holds a small substitute for it.
// Threads: the loop's, unless said otherwise.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "dfs/replication/types.h"

namespace dfs::replication {

struct Position {
  Index index = 0;
  Epoch epoch = 0;  // of the entry at `index`
  friend auto operator<=>(const Position&, const Position&) = default;
};

// A state on its way to another member, in pieces of at most 1 MiB.
class SnapshotSource {
 public:
  virtual ~SnapshotSource() = default;
  // The state that the pieces make up. Entries up to a later one may be in it already when applying
  // an entry twice does no harm.
  virtual Position position() const = 0;
  // The next piece, empty at the end. `answer` is what the receiver said to the one before.
  virtual base::Result<std::string> next(std::string_view answer) = 0;
};

class SnapshotSink {
 public:
  virtual ~SnapshotSink() = default;
  // What to say to the sender with this piece; empty in the plain case.
  virtual base::Result<std::string> take(std::string_view piece) = 0;
  // Durable, and in place of the old state, in one step.
  virtual base::Result<void> install(Position position) = 0;
};

class StateMachine {
 public:
  virtual ~StateMachine() = default;
  // Up to which entry the state is durable. Asked at start and after checkpoint().
  virtual Position durable() const = 0;
  // Asked for each entry when it goes to the journal, on every member, before it is committed: it
  // may still be cut and another take its index. Returns what the journal keeps in the payload's
  // stead, then `durable` is called, not from within, once the payload itself is durable elsewhere;
  // nullopt, and the journal keeps the payload.
  virtual std::optional<std::string> place(const Entry& entry, std::function<void()> durable) {
    static_cast<void>(entry);
    static_cast<void>(durable);
    return std::nullopt;
  }
  // After a restart: the payload that place() gave `substitute` for. An error means that it was not
  // durable yet: the log ends before this entry. Blocks.
  virtual base::Result<std::string> placed(const Entry& entry, std::string_view substitute) {
    static_cast<void>(entry);
    return std::string(substitute);
  }
  // The answer for the proposer, on all members the same.
  virtual std::string apply(const Entry& entry) = 0;
  // Makes what was applied until now durable, then calls back on the loop with durable(). An error
  // means that the disk cannot be trusted: the group ends the process.
  virtual void checkpoint(std::function<void(base::Result<Position>)> done) = 0;
  virtual base::Result<std::unique_ptr<SnapshotSource>> open_snapshot() = 0;
  virtual base::Result<std::unique_ptr<SnapshotSink>> receive_snapshot() = 0;
  // This member began or ceased to be the primary that may answer (all inherited entries are
  // applied).
  virtual void on_role(bool is_serving) = 0;
};

}  // namespace dfs::replication

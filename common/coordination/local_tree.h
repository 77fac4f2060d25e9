// SPDX-License-Identifier: Apache-2.0
// The local engine's tree in LMDB: what a transaction reads and what each operation does. Used by
// the sessions of one process, which share it.
//
// 1. One LMDB transaction is one transaction of the tree; every record in it that changes carries
// its number.
// 2. Whoever commits then touches the wake file; watchers of all processes wait on that file.
// 3. A session is alive while the byte of the lock file at the session's number is locked.
// Threads: LocalTree from any; a reader or writer stays on one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/coordination/record.h"
#include "common/sys/handle.h"
#include "common/sys/lmdb.h"

namespace coordination {

struct TreeDatabases {
  sys::LmdbDb nodes, sessions, ephemerals, state;
};

class LocalTree {
 public:
  // LMDB must not be opened twice in one process, so all sessions of a process on one folder get
  // the same tree. Creates what is missing.
  static base::Result<std::shared_ptr<LocalTree>> open(const LocalOptions& options);

  sys::LmdbEnv& env() { return env_; }
  const TreeDatabases& databases() const { return databases_; }
  // Wakes the watchers of all processes. Requires: the change is committed.
  void wake() const;
  std::string wake_path() const { return folder_ + "/wake"; }
  // A descriptor of its own: a lock belongs to it and goes when it is closed.
  base::Result<sys::Fd> open_lock_file() const;
  // Requires: `lock_file` does not hold the session's lock itself.
  static bool is_locked(const sys::Fd& lock_file, std::uint64_t session);
  static base::Result<void> lock(const sys::Fd& lock_file, std::uint64_t session);

 private:
  LocalTree(std::string folder, sys::LmdbEnv env, sys::Fd wake, TreeDatabases databases)
      : folder_(std::move(folder)),
        env_(std::move(env)),
        wake_(std::move(wake)),
        databases_(databases) {}
  static base::Result<std::unique_ptr<LocalTree>> open_new(const LocalOptions& options);

  std::string folder_;
  sys::LmdbEnv env_;
  sys::Fd wake_;
  TreeDatabases databases_;
};

struct LiveSession {
  std::uint64_t id = 0;
  std::int64_t pid = 0;
};

// What both kinds of transaction can read. Requires: not outliving the transaction.
class TreeView {
 public:
  TreeView(const LocalTree& tree, const sys::LmdbTxn& txn)
      : databases_(tree.databases()), txn_(txn) {}
  base::Result<std::optional<NodeRecord>> node(std::string_view path) const;
  base::Result<std::vector<std::string>> children(std::string_view path) const;
  base::Result<bool> has_children(std::string_view path) const;
  base::Result<TreeState> state() const;
  base::Result<std::vector<LiveSession>> sessions() const;
  base::Result<bool> has_session(std::uint64_t session) const;
  base::Result<std::vector<std::string>> ephemerals_of(std::uint64_t session) const;

 private:
  const TreeDatabases& databases_;
  const sys::LmdbTxn& txn_;
};

// One transaction of the tree. Waits while another is open, in whatever process.
class TreeWriter {
 public:
  static base::Result<TreeWriter> begin(LocalTree& tree);
  TreeView view() const { return TreeView(*tree_, txn_); }
  // Errors: those of Coordination's calls.
  base::Result<Outcome> apply(const Operation& operation, std::uint64_t session);
  base::Result<std::uint64_t> add_session(std::int64_t pid);
  // Deletes the session and its ephemeral nodes. No error when it is gone already.
  base::Result<void> end_session(std::uint64_t session);
  // Commits and wakes all watchers; without a change it does neither.
  base::Result<void> commit() &&;

 private:
  TreeWriter(LocalTree& tree, sys::LmdbWriteTxn txn, TreeState state)
      : tree_(&tree), txn_(std::move(txn)), state_(state) {}
  base::Result<Outcome> create(const Create& request, std::uint64_t session);
  base::Result<Outcome> set(const Set& request);
  base::Result<Outcome> remove(const Delete& request);
  base::Result<Outcome> check(const Check& request) const;
  base::Result<void> erase_node(std::string_view path, const NodeRecord& node);
  base::Result<void> save(std::string_view path, const NodeRecord& node);

  LocalTree* tree_;
  sys::LmdbWriteTxn txn_;
  TreeState state_;  // state_.txn is this transaction's number
  bool changed_ = false;
};

}  // namespace coordination

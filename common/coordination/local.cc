// SPDX-License-Identifier: Apache-2.0
// The local engine: a session on the tree that the processes of one machine share.
#include <unistd.h>

#include "common/coordination/coordination.h"
#include "common/coordination/local_tree.h"
#include "common/coordination/local_watcher.h"
#include "common/coordination/path.h"

namespace coordination {
namespace {

using base::Code;
using base::Error;
using base::Result;

// A local session lives as long as its process: nobody can take over while we run.
constexpr std::chrono::hours kLeaseWhileAlive{24 * 365};

Error session_expired() {
  return {Code::failed_precondition, "the session has been ended", "session_expired"};
}

class LocalCoordination final : public Coordination {
 public:
  LocalCoordination(std::shared_ptr<LocalTree> tree, std::uint64_t session,
                    std::unique_ptr<LocalWatcher> watcher)
      : tree_(std::move(tree)), session_(session), watcher_(std::move(watcher)) {}

  ~LocalCoordination() override {
    // First, so that the owner is not told of an end that it asked for.
    watcher_.reset();
    // When this fails, the next process to open the folder finds the lock free and does it.
    if (!end_session()) tree_->wake();
  }

  Result<Outcome> create(const Create& request) override { return apply(request); }
  Result<Stat> set(const Set& request) override { return TRY(apply(request)).stat; }
  Result<void> remove(const Delete& request) override {
    TRY(apply(request));
    return {};
  }

  Result<std::vector<Outcome>> multi(const std::vector<Operation>& operations) override {
    if (operations.size() > kOperationsMax)
      return Error{Code::invalid_argument, "a multi has at most 1,000 operations",
                   "too_many_operations"};
    TreeWriter writer = TRY(begin());
    std::vector<Outcome> outcomes;
    for (const Operation& operation : operations) {
      Result<Outcome> outcome = writer.apply(operation, session_);
      if (!outcome) {
        Error error = std::move(outcome).error();
        error.pointer = "/" + std::to_string(outcomes.size());
        return error;
      }
      outcomes.push_back(*std::move(outcome));
    }
    TRY(std::move(writer).commit());
    return outcomes;
  }

  Result<std::optional<Value>> find(const std::string& path, WatchCallback watch) override {
    TRY(check_path(path));
    sys::LmdbReadTxn txn = TRY(sys::LmdbReadTxn::begin(tree_->env()));
    const TreeView view(*tree_, txn);
    if (!TRY(view.has_session(session_))) return session_expired();
    std::optional<NodeRecord> node = TRY(view.node(path));
    if (watch) TRY(arm(view, path, WatchKind::data, node, std::move(watch)));
    if (!node) return std::optional<Value>();
    return std::optional<Value>({std::move(node->data), node->stat});
  }

  Result<std::vector<std::string>> children(const std::string& path, WatchCallback watch) override {
    TRY(check_path(path));
    sys::LmdbReadTxn txn = TRY(sys::LmdbReadTxn::begin(tree_->env()));
    const TreeView view(*tree_, txn);
    if (!TRY(view.has_session(session_))) return session_expired();
    const std::optional<NodeRecord> node = TRY(view.node(path));
    if (!node) return Error{Code::not_found, "there is no node " + path, "node_absent"};
    std::vector<std::string> names = TRY(view.children(path));
    if (watch) TRY(arm(view, path, WatchKind::children, node, std::move(watch)));
    return names;
  }

  std::uint64_t session_id() const override { return session_; }

  base::Instant lease_valid_until() const override {
    const base::Instant now = base::system_clock().now();
    const Result<sys::LmdbReadTxn> txn = sys::LmdbReadTxn::begin(tree_->env());
    if (!txn || !TreeView(*tree_, *txn).has_session(session_).value_or(false)) return now;
    return now + kLeaseWhileAlive;
  }

  void on_session_lost(std::function<void()> callback) override {
    watcher_->on_session_lost(std::move(callback));
  }

 private:
  Result<TreeWriter> begin() {
    TreeWriter writer = TRY(TreeWriter::begin(*tree_));
    if (!TRY(writer.view().has_session(session_))) return session_expired();
    return writer;
  }

  Result<Outcome> apply(const Operation& operation) {
    TreeWriter writer = TRY(begin());
    Outcome outcome = TRY(writer.apply(operation, session_));
    TRY(std::move(writer).commit());
    return outcome;
  }

  Result<void> arm(const TreeView& view, const std::string& path, WatchKind kind,
                   const std::optional<NodeRecord>& node, WatchCallback callback) {
    const TreeState state = TRY(view.state());
    return watcher_->arm({path, kind, seen_of(node, kind), state.txn, std::move(callback)});
  }

  Result<void> end_session() {
    TreeWriter writer = TRY(TreeWriter::begin(*tree_));
    TRY(writer.end_session(session_));
    return std::move(writer).commit();
  }

  const std::shared_ptr<LocalTree> tree_;
  const std::uint64_t session_;
  std::unique_ptr<LocalWatcher> watcher_;
};

// Ends what dead processes left behind and begins a session, in one transaction.
Result<std::uint64_t> begin_session(LocalTree& tree, const sys::Fd& lock_file) {
  TreeWriter writer = TRY(TreeWriter::begin(tree));
  const std::vector<LiveSession> sessions = TRY(writer.view().sessions());
  for (const LiveSession& session : sessions) {
    if (!LocalTree::is_locked(lock_file, session.id)) TRY(writer.end_session(session.id));
  }
  const std::uint64_t session = TRY(writer.add_session(::getpid()));
  // Before the commit, so that nobody ever sees the session without its lock.
  TRY(LocalTree::lock(lock_file, session));
  TRY(std::move(writer).commit());
  return session;
}

}  // namespace

Result<std::unique_ptr<Coordination>> open_local(const LocalOptions& options) {
  std::shared_ptr<LocalTree> tree = TRY(LocalTree::open(options));
  sys::Fd lock_file = TRY(tree->open_lock_file());
  const std::uint64_t session = TRY(begin_session(*tree, lock_file));
  std::unique_ptr<LocalWatcher> watcher =
      TRY(LocalWatcher::start(tree, std::move(lock_file), session));
  return std::unique_ptr<Coordination>(
      std::make_unique<LocalCoordination>(std::move(tree), session, std::move(watcher)));
}

}  // namespace coordination

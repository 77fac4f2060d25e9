// SPDX-License-Identifier: Apache-2.0
#include "common/coordination/local_tree.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <map>
#include <mutex>

#include "common/base/bytes.h"
#include "common/coordination/path.h"
#include "common/sys/shared_file.h"

namespace coordination {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr std::string_view kStateKey = "tree";
// The tree is small; the map is address space only, and the file grows as needed.
constexpr std::size_t kMapSizeBytes = std::size_t{4} << 30;
constexpr unsigned kReadersMax = 1024;

// The trees that are open in this process, by the folder's device and inode. Global because LMDB's
// ban on opening an environment twice is per process: the second close would drop the locks of the
// first.
class OpenTrees {
 public:
  using Key = std::pair<dev_t, ino_t>;
  using Opener = Result<std::unique_ptr<LocalTree>> (*)(const LocalOptions& options);

  Result<std::shared_ptr<LocalTree>> get(const LocalOptions& options, Opener open) {
    const std::lock_guard lock(mutex_);
    struct stat status {};
    if (::stat(options.folder.c_str(), &status) != 0)
      return base::os_error(errno, "open " + options.folder);
    const Key key{status.st_dev, status.st_ino};
    const auto found = trees_.find(key);
    if (found != trees_.end()) {
      ++found->second.users;
      return handle(key, found->second.tree.get());
    }
    std::unique_ptr<LocalTree> tree = TRY(open(options));
    LocalTree* raw = tree.get();
    trees_.emplace(key, Entry{std::move(tree), 1});
    return handle(key, raw);
  }

 private:
  struct Entry {
    std::unique_ptr<LocalTree> tree;
    std::size_t users = 0;
  };

  std::shared_ptr<LocalTree> handle(Key key, LocalTree* tree) {
    return {tree, [this, key](LocalTree*) { release(key); }};
  }

  // Closes under the lock, so that a new open in another thread comes before or after it.
  void release(Key key) {
    const std::lock_guard lock(mutex_);
    const auto found = trees_.find(key);
    if (--found->second.users == 0) trees_.erase(found);
  }

  std::mutex mutex_;
  std::map<Key, Entry> trees_;
};

OpenTrees& open_trees() {
  static OpenTrees trees;
  return trees;
}

std::string session_key(std::uint64_t session) { return base::ByteWriter().u64(session).take(); }

std::string ephemeral_key(std::uint64_t session, std::uint64_t serial) {
  return base::ByteWriter().u64(session).u64(serial).take();
}

struct flock lock_of(std::uint64_t session) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(session);
  lock.l_len = 1;
  return lock;
}

Result<void> check_version(const Stat& stat, std::int64_t expected, std::string_view path) {
  if (expected == kAnyVersion || expected == stat.version) return {};
  return Error{Code::conflict,
               std::string(path) + " has version " + std::to_string(stat.version) + ", not " +
                   std::to_string(expected),
               "version_moved_on"};
}

Result<void> check_data(std::string_view data) {
  if (data.size() <= kDataMax) return {};
  return Error{Code::invalid_argument, "the data is larger than 1 MiB", "data_too_large"};
}

Error node_absent(std::string_view path) {
  return {Code::not_found, "there is no node " + std::string(path), "node_absent"};
}

bool is_sequential(Kind kind) {
  return kind == Kind::persistent_sequential || kind == Kind::ephemeral_sequential;
}

bool is_ephemeral(Kind kind) {
  return kind == Kind::ephemeral || kind == Kind::ephemeral_sequential;
}

}  // namespace

Result<std::shared_ptr<LocalTree>> LocalTree::open(const LocalOptions& options) {
  // The owner of the folder normally made it; a missing one gets the group's rights of the files.
  TRY(sys::make_synced_folder(options.folder, (options.mode & 0070) != 0 ? 0770 : 0700));
  return open_trees().get(options, &LocalTree::open_new);
}

Result<std::unique_ptr<LocalTree>> LocalTree::open_new(const LocalOptions& options) {
  TRY(sys::make_shared_file(options.folder + "/wake", options.mode, nullptr));
  TRY(sys::make_shared_file(options.folder + "/sessions", options.mode, nullptr));
  sys::LmdbEnv env = TRY(sys::LmdbEnv::open(
      options.folder,
      {.map_size_bytes = kMapSizeBytes, .readers_max = kReadersMax, .mode = options.mode}));
  sys::Fd wake(::open((options.folder + "/wake").c_str(), O_WRONLY | O_CLOEXEC));
  if (!wake.is_open()) return base::os_error(errno, "open the wake file");
  TreeDatabases databases;
  databases.nodes = TRY(env.database("nodes"));
  databases.sessions = TRY(env.database("sessions"));
  databases.ephemerals = TRY(env.database("ephemerals"));
  databases.state = TRY(env.database("state"));
  sys::LmdbWriteTxn txn = TRY(sys::LmdbWriteTxn::begin(env));
  const std::string root = node_key("/");
  if (!TRY(txn.find(databases.nodes, root))) {
    TRY(txn.put(databases.nodes, root, encode(root, NodeRecord{})));
    TRY(txn.put(databases.state, kStateKey, encode(kStateKey, TreeState{})));
  }
  TRY(std::move(txn).commit());
  return std::unique_ptr<LocalTree>(
      new LocalTree(options.folder, std::move(env), std::move(wake), databases));
}

void LocalTree::wake() const {
  // The write is the message; the content does not matter. It can fail only when the disk has no
  // room for the one block of this file, and then sleepers see the change with the next commit.
  if (::pwrite(wake_.get(), "w", 1, 0) != 1) return;
}

Result<sys::Fd> LocalTree::open_lock_file() const {
  sys::Fd fd(::open((folder_ + "/sessions").c_str(), O_RDWR | O_CLOEXEC));
  if (!fd.is_open()) return base::os_error(errno, "open the sessions file");
  return fd;
}

bool LocalTree::is_locked(const sys::Fd& lock_file, std::uint64_t session) {
  struct flock lock = lock_of(session);
  // In doubt the session lives: ending a live one would break its owner's exclusive rights.
  return ::fcntl(lock_file.get(), F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

Result<void> LocalTree::lock(const sys::Fd& lock_file, std::uint64_t session) {
  struct flock lock = lock_of(session);
  if (::fcntl(lock_file.get(), F_OFD_SETLK, &lock) != 0)
    return base::os_error(errno, "lock the session");
  return {};
}

Result<std::optional<NodeRecord>> TreeView::node(std::string_view path) const {
  const std::string key = node_key(path);
  const std::optional<std::string_view> bytes = TRY(txn_.find(databases_.nodes, key));
  if (!bytes) return std::optional<NodeRecord>();
  return std::optional<NodeRecord>(TRY(decode_node(key, *bytes)));
}

Result<std::vector<std::string>> TreeView::children(std::string_view path) const {
  const std::string prefix = children_prefix(path);
  sys::LmdbCursor cursor = TRY(txn_.cursor(databases_.nodes));
  std::vector<std::string> names;
  auto entry = TRY(cursor.seek(prefix));
  while (entry && entry->first.starts_with(prefix)) {
    // The root's own key is the prefix of its children's.
    if (entry->first.size() > prefix.size()) names.emplace_back(entry->first.substr(prefix.size()));
    entry = TRY(cursor.next());
  }
  return names;
}

Result<bool> TreeView::has_children(std::string_view path) const {
  const std::string prefix = children_prefix(path);
  sys::LmdbCursor cursor = TRY(txn_.cursor(databases_.nodes));
  const auto entry = TRY(cursor.seek(prefix));
  return entry && entry->first.starts_with(prefix);
}

Result<TreeState> TreeView::state() const {
  return decode_state(kStateKey, TRY(txn_.get(databases_.state, kStateKey)));
}

Result<std::vector<LiveSession>> TreeView::sessions() const {
  sys::LmdbCursor cursor = TRY(txn_.cursor(databases_.sessions));
  std::vector<LiveSession> sessions;
  for (auto entry = TRY(cursor.first()); entry; entry = TRY(cursor.next())) {
    const SessionRecord record = TRY(decode_session(entry->first, entry->second));
    sessions.push_back({TRY(base::ByteReader(entry->first).u64()), record.pid});
  }
  return sessions;
}

Result<bool> TreeView::has_session(std::uint64_t session) const {
  return TRY(txn_.find(databases_.sessions, session_key(session))).has_value();
}

Result<std::vector<std::string>> TreeView::ephemerals_of(std::uint64_t session) const {
  const std::string prefix = session_key(session);
  sys::LmdbCursor cursor = TRY(txn_.cursor(databases_.ephemerals));
  std::vector<std::string> paths;
  auto entry = TRY(cursor.seek(prefix));
  while (entry && entry->first.starts_with(prefix)) {
    paths.emplace_back(entry->second);
    entry = TRY(cursor.next());
  }
  return paths;
}

Result<TreeWriter> TreeWriter::begin(LocalTree& tree) {
  sys::LmdbWriteTxn txn = TRY(sys::LmdbWriteTxn::begin(tree.env()));
  TreeState state = TRY(TreeView(tree, txn).state());
  ++state.txn;
  return TreeWriter(tree, std::move(txn), state);
}

Result<Outcome> TreeWriter::apply(const Operation& operation, std::uint64_t session) {
  if (const auto* request = std::get_if<Create>(&operation)) return create(*request, session);
  if (const auto* request = std::get_if<Set>(&operation)) return set(*request);
  if (const auto* request = std::get_if<Delete>(&operation)) return remove(*request);
  return check(std::get<Check>(operation));
}

Result<Outcome> TreeWriter::create(const Create& request, std::uint64_t session) {
  const bool sequential = is_sequential(request.kind);
  TRY(check_path(sequential ? with_sequence(request.path, 0) : request.path));
  TRY(check_data(request.data));
  if (request.path == "/" && !sequential)
    return Error{Code::already_exists, "/ exists", "node_exists"};
  const std::string_view parent_path = parent_of(request.path);
  std::optional<NodeRecord> parent = TRY(view().node(parent_path));
  if (!parent)
    return Error{Code::not_found, "there is no node " + std::string(parent_path), "parent_absent"};
  if (parent->stat.ephemeral_owner != 0)
    return Error{Code::failed_precondition, std::string(parent_path) + " is ephemeral",
                 "no_children_of_ephemerals"};
  const std::string path =
      sequential ? with_sequence(request.path, parent->next_sequence) : request.path;
  if (TRY(view().node(path))) return Error{Code::already_exists, path + " exists", "node_exists"};
  NodeRecord node;
  node.stat.created_txn = node.stat.modified_txn = state_.txn;
  node.data = request.data;
  if (is_ephemeral(request.kind)) {
    node.stat.ephemeral_owner = session;
    node.serial = state_.next_serial++;
    TRY(txn_.put(tree_->databases().ephemerals, ephemeral_key(session, node.serial), path));
  }
  TRY(save(path, node));
  if (sequential) ++parent->next_sequence;
  ++parent->stat.children_version;
  TRY(save(parent_path, *parent));
  return Outcome{path, node.stat};
}

Result<Outcome> TreeWriter::set(const Set& request) {
  TRY(check_path(request.path));
  TRY(check_data(request.data));
  std::optional<NodeRecord> node = TRY(view().node(request.path));
  if (!node) return node_absent(request.path);
  TRY(check_version(node->stat, request.version, request.path));
  ++node->stat.version;
  node->stat.modified_txn = state_.txn;
  node->data = request.data;
  TRY(save(request.path, *node));
  return Outcome{request.path, node->stat};
}

Result<Outcome> TreeWriter::remove(const Delete& request) {
  TRY(check_path(request.path));
  if (request.path == "/")
    return Error{Code::invalid_argument, "the root cannot be deleted", "path_invalid"};
  const std::optional<NodeRecord> node = TRY(view().node(request.path));
  if (!node) return node_absent(request.path);
  TRY(check_version(node->stat, request.version, request.path));
  if (TRY(view().has_children(request.path)))
    return Error{Code::failed_precondition, request.path + " has children", "node_has_children"};
  TRY(erase_node(request.path, *node));
  return Outcome{request.path, {}};
}

Result<Outcome> TreeWriter::check(const Check& request) const {
  TRY(check_path(request.path));
  const std::optional<NodeRecord> node = TRY(view().node(request.path));
  if (!node) return node_absent(request.path);
  TRY(check_version(node->stat, request.version, request.path));
  return Outcome{request.path, node->stat};
}

Result<void> TreeWriter::erase_node(std::string_view path, const NodeRecord& node) {
  TRY(txn_.erase(tree_->databases().nodes, node_key(path)));
  if (node.stat.ephemeral_owner != 0) {
    TRY(txn_.erase(tree_->databases().ephemerals,
                   ephemeral_key(node.stat.ephemeral_owner, node.serial)));
  }
  const std::string_view parent_path = parent_of(path);
  std::optional<NodeRecord> parent = TRY(view().node(parent_path));
  if (!parent)
    return Error{Code::corrupt, "the parent of " + std::string(path) + " is missing",
                 "tree_corrupt"};
  ++parent->stat.children_version;
  return save(parent_path, *parent);
}

Result<void> TreeWriter::save(std::string_view path, const NodeRecord& node) {
  const std::string key = node_key(path);
  TRY(txn_.put(tree_->databases().nodes, key, encode(key, node)));
  changed_ = true;
  return {};
}

Result<std::uint64_t> TreeWriter::add_session(std::int64_t pid) {
  const std::uint64_t session = state_.next_session++;
  const std::string key = session_key(session);
  TRY(txn_.put(tree_->databases().sessions, key, encode(key, SessionRecord{pid})));
  state_.sessions_txn = state_.txn;
  changed_ = true;
  return session;
}

Result<void> TreeWriter::end_session(std::uint64_t session) {
  if (!TRY(txn_.erase(tree_->databases().sessions, session_key(session)))) return {};
  const std::vector<std::string> paths = TRY(view().ephemerals_of(session));
  for (const std::string& path : paths) {
    const std::optional<NodeRecord> node = TRY(view().node(path));
    if (!node || node->stat.ephemeral_owner != session)
      return Error{Code::corrupt, path + " is not the session's", "tree_corrupt"};
    TRY(erase_node(path, *node));
  }
  state_.sessions_txn = state_.txn;
  changed_ = true;
  return {};
}

Result<void> TreeWriter::commit() && {
  if (!changed_) return {};
  TRY(txn_.put(tree_->databases().state, kStateKey, encode(kStateKey, state_)));
  TRY(std::move(txn_).commit());
  tree_->wake();
  return {};
}

}  // namespace coordination

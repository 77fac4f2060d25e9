// SPDX-License-Identifier: Apache-2.0
// What clients and storage servers say to the metadata server (7861). Each request names its reply.
//
// 1. A session belongs to one mount. It ends when it was not renewed for `lease` after the server
// last heard of it; its leases, locks and open references go with it. A client counts from the
// moment it sent its last answered renewal, and uses no lease and sends no write after that.
// 2. Leases are kept in the primary's memory. A new primary answers nothing but OpenSession, Renew
// and Reclaim until every session that it finds in its state has reclaimed or ended.
// 3. Changes are sent as batches, in order, numbered per session without gaps, one under way at a
// time; a batch that is sent again has no second effect and gets the same answers.
// 4. An operation of a batch needs a write lease on every inode that it changes. A session without
// them gets them for the time of the batch: the server recalls those of others first.
// 5. Volume epochs only grow. Every request of a session whose epoch is not the volume's is refused
// with failed_precondition stale_epoch (ESTALE).
// Threads: plain values.
#pragma once

#include <optional>
#include <variant>

#include "dfs/api/types.h"

namespace dfs {

enum class MetaKind : std::uint8_t {
  open_session = 1,
  renew,
  close_session,
  reclaim,
  lookup,
  get_inode,
  read_folder,
  apply,
  release_leases,
  set_lock,
  cancel_lock,
  test_lock,
  groups,
  volume_usage,
  inode_numbers,
  register_storage,
  change_group,
  volume_epochs,
  take_object,
  recall = 64,  // notice, server to client
};

struct Nothing {
  template <class Archive>
  void fields(Archive&) {}
};

enum class Takeover : std::uint8_t {
  none,       // join the others under the volume's epoch
  exclusive,  // count the epoch up: from the answer on nobody else can write, anywhere
};

struct OpenSessionReply {
  SessionNumber session = 0;
  VolumeNumber volume = 0;
  VolumeEpoch epoch = 0;
  std::uint32_t lease_ms = 0;
  InodeNumber root = 0;
  std::uint32_t inline_max = 0;  // content up to this size stays in the inode
  Durability durability = Durability::posix;
  bool read_only = false;
  std::vector<GroupPlace> groups;
  template <class Archive>
  void fields(Archive& archive) {
    archive(session, volume, epoch, lease_ms, root, inline_max, durability, read_only, groups);
  }
};
struct OpenSession {
  static constexpr MetaKind kKind = MetaKind::open_session;
  using Reply = OpenSessionReply;
  std::string volume;     // its name
  std::string client;     // new and random per mount; a repeated request finds the session it made
  std::string host;       // for people
  VolumeEpoch epoch = 0;  // the fencing token its caller was given; 0: the current one
  Takeover takeover = Takeover::none;
  template <class Archive>
  void fields(Archive& archive) {
    archive(volume, client, host, epoch, takeover);
  }
};

// Also how a client finds out that it talks to a new primary: failed_precondition reclaim_first.
struct Renew {
  static constexpr MetaKind kKind = MetaKind::renew;
  using Reply = Nothing;
  SessionNumber session = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(session);
  }
};

// Returns once nothing of the session is left. Requires: everything was flushed.
struct CloseSession {
  static constexpr MetaKind kKind = MetaKind::close_session;
  using Reply = Nothing;
  SessionNumber session = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(session);
  }
};

struct LeaseClaim {
  InodeNumber inode = 0;
  Lease lease = Lease::none;
  template <class Archive>
  void fields(Archive& archive) {
    archive(inode, lease);
  }
};
// To a new primary: the leases that the session holds. In parts; the last one says so.
struct Reclaim {
  static constexpr MetaKind kKind = MetaKind::reclaim;
  using Reply = Nothing;
  SessionNumber session = 0;
  std::vector<LeaseClaim> leases;
  bool last = false;
  template <class Archive>
  void fields(Archive& archive) {
    archive(session, leases, last);
  }
};

// Reads. `want…` is the lease that the client would like; what it got is in the reply. Errors:
// not_found inode_absent (ESTALE); not_a_folder (ENOTDIR).
struct LookupReply {
  std::optional<InodeRecord> found;  // nullopt: no such name
  Lease folder = Lease::none;
  Lease inode = Lease::none;
  template <class Archive>
  void fields(Archive& archive) {
    archive(found, folder, inode);
  }
};
struct Lookup {
  static constexpr MetaKind kKind = MetaKind::lookup;
  using Reply = LookupReply;
  SessionNumber session = 0;
  InodeNumber folder = 0;
  std::string name;
  Lease want_folder = Lease::none;
  Lease want_inode = Lease::none;
  template <class Archive>
  void fields(Archive& archive) {
    archive(session, folder, name, want_folder, want_inode);
  }
};

struct GetInodeReply {
  InodeRecord inode;
  Lease lease = Lease::none;
  template <class Archive>
  void fields(Archive& archive) {
    archive(inode, lease);
  }
};
struct GetInode {
  static constexpr MetaKind kKind = MetaKind::get_inode;
  using Reply = GetInodeReply;
  SessionNumber session = 0;
  InodeNumber inode = 0;
  Lease want = Lease::none;
  template <class Archive>
  void fields(Archive& archive) {
    archive(session, inode, want);
  }
};

struct FolderEntry {
  std::string name;
  Attributes attributes;
  Lease lease = Lease::none;  // on the inode
  template <class Archive>
  void fields(Archive& archive) {
    archive(name, attributes, lease);
  }
};
struct ReadFolderReply {
  std::vector<FolderEntry> entries;  // in byte order of the names
  bool complete = false;             // nothing comes after these
  Lease folder = Lease::none;
  template <class Archive>
  void fields(Archive& archive) {
    archive(entries, complete, folder);
  }
};
struct ReadFolder {
  static constexpr MetaKind kKind = MetaKind::read_folder;
  using Reply = ReadFolderReply;
  SessionNumber session = 0;
  InodeNumber folder = 0;
  std::string after;  // names behind this one; empty: from the first
  std::uint32_t entries_max = 1000;
  Lease want_folder = Lease::none;
  Lease want_inodes = Lease::none;
  template <class Archive>
  void fields(Archive& archive) {
    archive(session, folder, after, entries_max, want_folder, want_inodes);
  }
};

// Changes. `time` is the client's clock and becomes the times that POSIX asks for. Inode numbers of
// new files come from InodeNumbers.

struct CreateOp {  // EEXIST, ENOTDIR, EDQUOT, ENOSPC
  InodeNumber folder = 0;
  std::string name;
  InodeNumber inode = 0;
  FileKind kind = FileKind::file;
  std::uint32_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t device = 0;
  std::string target;
  std::vector<Xattr> xattrs;  // inherited ACLs
  TimeNs time = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(folder, name, inode, kind, mode, uid, gid, device, target, xattrs, time);
  }
};
// A file without a name, as O_TMPFILE makes it: CreateOp with an empty name, then HoldOp.
struct LinkOp {  // EEXIST, EMLINK, EPERM for folders
  InodeNumber inode = 0;
  InodeNumber folder = 0;
  std::string name;
  TimeNs time = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(inode, folder, name, time);
  }
};
struct RemoveOp {  // ENOENT, EISDIR, ENOTDIR, ENOTEMPTY
  InodeNumber folder = 0;
  std::string name;
  bool is_folder = false;
  TimeNs time = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(folder, name, is_folder, time);
  }
};
struct RenameOp {  // as rename(2); also EINVAL into its own subtree
  InodeNumber from_folder = 0;
  std::string from;
  InodeNumber to_folder = 0;
  std::string to;
  std::uint32_t flags = 0;  // RENAME_NOREPLACE, RENAME_EXCHANGE
  TimeNs time = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(from_folder, from, to_folder, to, flags, time);
  }
};
// Each field that is given. A smaller size of a file in chunks sets cut_to to the smallest size it
// had; a size above the volume's inline limit needs MoveToChunksOp first.
struct SetAttributesOp {
  InodeNumber inode = 0;
  std::optional<std::uint32_t> mode;
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
  std::optional<std::uint64_t> size;
  std::optional<std::uint64_t> allocated;
  std::optional<TimeNs> accessed;
  std::optional<TimeNs> modified;
  std::optional<TimeNs> changed;
  template <class Archive>
  void fields(Archive& archive) {
    archive(inode, mode, uid, gid, size, allocated, accessed, modified, changed);
  }
};
// Into the inline content; the file grows when it ends behind its size.
struct WriteInlineOp {
  InodeNumber inode = 0;
  std::uint64_t offset = 0;
  std::string data;
  TimeNs time = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(inode, offset, data, time);
  }
};
// The content is in the object from now on; the client has copied it there before. What it was in
// is dropped. The number is the inode's own, once, or what TakeObject gave the session for it.
struct MoveToChunksOp {  // EINVAL
  InodeNumber inode = 0;
  ObjectNumber object = 0;
  GroupNumber group = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(inode, object, group);
  }
};
// The object has been cut to `size` at the storage servers.
struct CutDoneOp {
  InodeNumber inode = 0;
  std::uint64_t size = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(inode, size);
  }
};
struct SetXattrOp {  // EEXIST, ENODATA, ENOSPC, E2BIG by setxattr(2)
  InodeNumber inode = 0;
  std::string name;
  std::string value;
  std::uint32_t flags = 0;  // XATTR_CREATE, XATTR_REPLACE
  TimeNs time = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(inode, name, value, flags, time);
  }
};
struct RemoveXattrOp {  // ENODATA
  InodeNumber inode = 0;
  std::string name;
  TimeNs time = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(inode, name, time);
  }
};
// The session has the inode open and keeps it alive without a name, until DropOp or the session's
// end. Needed only for inodes that lose their last name (see ReleasedLease).
struct HoldOp {
  InodeNumber inode = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(inode);
  }
};
struct DropOp {
  InodeNumber inode = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(inode);
  }
};

// The order is part of the protocol.
using MetaOp = std::variant<CreateOp, LinkOp, RemoveOp, RenameOp, SetAttributesOp, WriteInlineOp,
                            MoveToChunksOp, CutDoneOp, SetXattrOp, RemoveXattrOp, HoldOp, DropOp>;

// Of one operation: os_errno 0, and the inode as it is now (of Remove and Rename: the one that lost
// the name `from` or that was replaced, links 0 when it is gone), or what was wrong, and nothing
// was changed by this operation.
struct OpResult {
  std::uint32_t os_errno = 0;
  Attributes inode;
  template <class Archive>
  void fields(Archive& archive) {
    archive(os_errno, inode);
  }
};
struct ApplyReply {
  std::vector<OpResult> results;  // one per operation; each is tried also when one before it failed
  template <class Archive>
  void fields(Archive& archive) {
    archive(results);
  }
};
// Answered when durable on every in-sync member.
struct Apply {
  static constexpr MetaKind kKind = MetaKind::apply;
  using Reply = ApplyReply;
  SessionNumber session = 0;
  std::uint64_t sequence = 0;      // from 1
  std::vector<MetaOp> operations;  // together at most 4 MiB, at most 10,000
  template <class Archive>
  void fields(Archive& archive) {
    archive(session, sequence, operations);
  }
};

// Notice to a client: keep at most `lease` of each, flush what that needs, then say so with
// ReleaseLeases. Who does not within the session's lease time loses the session.
struct Recall {
  static constexpr MetaKind kKind = MetaKind::recall;
  std::vector<LeaseClaim> leases;
  template <class Archive>
  void fields(Archive& archive) {
    archive(leases);
  }
};
struct ReleasedLease {
  InodeNumber inode = 0;
  Lease keeps = Lease::none;
  bool is_open = false;  // the client has it open: held for it should it lose its last name
  template <class Archive>
  void fields(Archive& archive) {
    archive(inode, keeps, is_open);
  }
};
struct ReleaseLeases {
  static constexpr MetaKind kKind = MetaKind::release_leases;
  using Reply = Nothing;
  SessionNumber session = 0;
  std::vector<ReleasedLease> leases;
  template <class Archive>
  void fields(Archive& archive) {
    archive(session, leases);
  }
};

// Locks of fcntl(2) (`posix`, by owner and range) and flock(2) (`whole`, by owner).
enum class LockKind : std::uint8_t { unlock, shared, exclusive };
enum class LockFlavour : std::uint8_t { posix, whole };
struct LockRange {
  InodeNumber inode = 0;
  LockFlavour flavour = LockFlavour::posix;
  LockKind kind = LockKind::unlock;
  std::uint64_t owner = 0;  // the kernel's, unique within the session
  std::uint64_t first = 0;
  std::uint64_t last = UINT64_MAX;
  std::uint32_t pid = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(inode, flavour, kind, owner, first, last, pid);
  }
  friend bool operator==(const LockRange&, const LockRange&) = default;
};
struct SetLockReply {
  // Nobody else holds or awaits a lock of the inode, and the session has its write lease: it may
  // decide further locks of the inode itself. Before it gives that lease back it tells metadata
  // which ones are held; others' locks wait for that.
  bool is_alone = false;
  template <class Archive>
  void fields(Archive& archive) {
    archive(is_alone);
  }
};
// With `wait` answered when the lock is held. Errors: throttled lock_held (EAGAIN),
// failed_precondition deadlock (EDEADLK), interrupted (EINTR) after CancelLock.
struct SetLock {
  static constexpr MetaKind kKind = MetaKind::set_lock;
  using Reply = SetLockReply;
  SessionNumber session = 0;
  LockRange lock;
  bool wait = false;
  std::uint64_t ticket = 0;  // names this wait for CancelLock
  template <class Archive>
  void fields(Archive& archive) {
    archive(session, lock, wait, ticket);
  }
};
struct CancelLock {
  static constexpr MetaKind kKind = MetaKind::cancel_lock;
  using Reply = Nothing;
  SessionNumber session = 0;
  std::uint64_t ticket = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(session, ticket);
  }
};
struct TestLockReply {
  std::optional<LockRange> held;  // one that is in the way; owner and pid are those of its session
  template <class Archive>
  void fields(Archive& archive) {
    archive(held);
  }
};
struct TestLock {
  static constexpr MetaKind kKind = MetaKind::test_lock;
  using Reply = TestLockReply;
  SessionNumber session = 0;
  LockRange lock;
  template <class Archive>
  void fields(Archive& archive) {
    archive(session, lock);
  }
};

struct GroupsReply {
  std::vector<GroupPlace> groups;
  template <class Archive>
  void fields(Archive& archive) {
    archive(groups);
  }
};
struct Groups {
  static constexpr MetaKind kKind = MetaKind::groups;
  using Reply = GroupsReply;
  template <class Archive>
  void fields(Archive&) {}
};

struct VolumeUsageReply {
  std::uint64_t bytes_max = 0;  // the quota, or what the devices can hold
  std::uint64_t bytes_used = 0;
  std::uint64_t inodes_max = 0;
  std::uint64_t inodes_used = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(bytes_max, bytes_used, inodes_max, inodes_used);
  }
};
struct VolumeUsage {
  static constexpr MetaKind kKind = MetaKind::volume_usage;
  using Reply = VolumeUsageReply;
  SessionNumber session = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(session);
  }
};

// `count` numbers from `first`; those that are not used are lost.
struct InodeNumbersReply {
  InodeNumber first = 0;
  std::uint32_t count = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(first, count);
  }
};
struct InodeNumbers {
  static constexpr MetaKind kKind = MetaKind::inode_numbers;
  using Reply = InodeNumbersReply;
  SessionNumber session = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(session);
  }
};

// The number of an object that MoveToChunks shall make the file's. When the session ends without
// that, or takes another one for the same inode, the object is removed.
struct TakeObjectReply {
  ObjectNumber object = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(object);
  }
};
struct TakeObject {
  static constexpr MetaKind kKind = MetaKind::take_object;
  using Reply = TakeObjectReply;
  SessionNumber session = 0;
  InodeNumber inode = 0;
  GroupNumber group = 0;      // where it will live
  std::uint64_t attempt = 0;  // counts up within the session; the same one gets the same number
  template <class Archive>
  void fields(Archive& archive) {
    archive(session, inode, group, attempt);
  }
};

// From storage servers, with the configuration of chunk groups as in replication::Configuration.
struct GroupConfiguration {
  GroupNumber group = 0;
  std::uint64_t epoch = 0;
  std::string primary;
  std::vector<std::string> in_sync;
  std::uint64_t asked_by = 0;
  std::uint64_t asked_count = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(group, epoch, primary, in_sync, asked_by, asked_count);
  }
};
struct RegisterStorageReply {
  // Every group that the server has or should have a copy of, with the addresses of all who do.
  std::vector<GroupConfiguration> groups;
  std::vector<NodeAddress> nodes;
  template <class Archive>
  void fields(Archive& archive) {
    archive(groups, nodes);
  }
};
// Every second, and at start: "here I am", and what is to be done by me.
struct RegisterStorage {
  static constexpr MetaKind kKind = MetaKind::register_storage;
  using Reply = RegisterStorageReply;
  NodeAddress node;
  std::uint64_t bytes_capacity = 0;
  std::uint64_t bytes_free = 0;
  template <class Archive>
  void fields(Archive& archive) {
    archive(node, bytes_capacity, bytes_free);
  }
};
// Compare-and-set over the configuration with epoch next.epoch - 1; answered with what holds now.
struct ChangeGroup {
  static constexpr MetaKind kKind = MetaKind::change_group;
  using Reply = GroupConfiguration;
  GroupConfiguration next;
  template <class Archive>
  void fields(Archive& archive) {
    archive(next);
  }
};

}  // namespace dfs

// SPDX-License-Identifier: Apache-2.0
#include "dfs/meta/fsck.h"

#include <unordered_map>
#include <unordered_set>

namespace dfs::meta {
namespace {

constexpr std::size_t kProblemsMax = 100;

class Check {
 public:
  explicit Check(const MetaState& state) : state_(state) {}

  FsckReport run() {
    each('i', [this](std::string_view key, std::string_view value) { take_inode(key, value); });
    each('d', [this](std::string_view key, std::string_view value) { take_name(key, value); });
    each('c', [this](std::string_view key, std::string_view value) { take_content(key, value); });
    each('x', [this](std::string_view key, std::string_view value) { take_xattr(key, value); });
    each('h', [this](std::string_view key, std::string_view) { take_hold(key); });
    each('H', [this](std::string_view key, std::string_view) {
      expect(exists(hold_key(number_in_key(key, 9), number_in_key(key))), number_in_key(key, 9),
             "is held by session " + std::to_string(number_in_key(key)) + " on one side only");
    });
    each('w', [this](std::string_view key, std::string_view value) { take_version(key, value); });
    each('W', [this](std::string_view key, std::string_view) {
      const std::string_view of = name_in_key(key);
      expect(exists(version_key(of, snapshot_in(key))), number_in_key(of),
             "has a version on one side only");
    });
    each('k', [this](std::string_view key, std::string_view value) { take_taken(key, value); });
    each('z', [this](std::string_view key, std::string_view) { take_orphan(key); });
    each('o', [this](std::string_view, std::string_view value) { take_garbage(value); });
    each('l', [this](std::string_view key, std::string_view value) { take_locks(key, value); });
    each('L', [this](std::string_view key, std::string_view) {
      expect(exists(locks_key(number_in_key(key, 9))), number_in_key(key, 9),
             "is said to be locked and is not");
    });
    for (const auto& [number, facts] : inodes_) judge(number, facts);
    judge_volumes();
    judge_sessions();
    return std::move(report_);
  }

 private:
  struct Facts {
    VolumeNumber volume = 0;
    FileKind kind = FileKind::file;
    bool has_content = false;
    bool is_orphan = false;
    std::uint32_t links = 0;
    std::uint32_t names = 0;
    std::uint32_t subfolders = 0;
    std::uint32_t xattrs = 0, xattrs_seen = 0;
    std::uint32_t xattr_bytes = 0, xattr_bytes_seen = 0;
    std::uint32_t holds = 0, holds_seen = 0;
    std::uint64_t entries = 0, entries_seen = 0;
    InodeNumber parent = 0;
    InodeNumber named_in = 0;
  };
  struct Usage {
    std::uint64_t inodes = 0, bytes = 0;
  };

  template <class Take>
  void each(char kind, const Take& take) {
    Table::Walk walk(state_.table());
    const std::string prefix(1, kind);
    for (bool more = walk.seek(prefix); more && walk.key().front() == kind; more = walk.next())
      take(walk.key(), walk.value());
  }

  bool exists(const std::string& key) const { return state_.table().find(key).has_value(); }

  void wrong(const std::string& what) {
    ++report_.wrong;
    if (report_.problems.size() < kProblemsMax) report_.problems.push_back(what);
  }
  void expect(bool holds, InodeNumber inode, const std::string& what) {
    if (!holds) wrong("inode " + std::to_string(inode) + " " + what);
  }

  Facts* find(InodeNumber inode, const char* of) {
    const auto at = inodes_.find(inode);
    if (at != inodes_.end()) return &at->second;
    wrong(std::string(of) + " of inode " + std::to_string(inode) + ", which does not exist");
    return nullptr;
  }

  void take_inode(std::string_view key, std::string_view value) {
    const StoredInode inode = decode_stored<StoredInode>(value);
    const Attributes& attributes = inode.attributes;
    const InodeNumber number = number_in_key(key);
    ++report_.inodes;
    expect(attributes.inode == number, number, "has another number in its record");
    expect(number < state_.counters().next_inode, number, "was never given out");
    expect(state_.volumes().contains(inode.volume), number, "is in a volume that does not exist");
    take_object(number, attributes.object);
    expect(attributes.object == 0 || !inode.has_content, number, "has its content twice");
    expect(attributes.kind != FileKind::folder || attributes.size == inode.entries, number,
           "has another size than entries");
    Usage& usage = usage_[inode.volume];
    ++usage.inodes;
    usage.bytes += attributes.allocated;
    Facts facts;
    facts.volume = inode.volume;
    facts.kind = attributes.kind;
    facts.has_content = inode.has_content;
    facts.links = attributes.links;
    facts.xattrs = inode.xattrs;
    facts.xattr_bytes = inode.xattr_bytes;
    facts.holds = inode.holds;
    facts.entries = inode.entries;
    facts.parent = inode.parent;
    if (attributes.kind != FileKind::symlink && inode.has_content) {
      const auto volume = state_.volumes().find(inode.volume);
      const auto content = state_.table().find(content_key(number));
      expect(content && content->size() <= attributes.size, number, "is shorter than its content");
      expect(volume == state_.volumes().end() || attributes.size <= volume->second.inline_max,
             number, "is too large to be inline");
    }
    inodes_.emplace(number, facts);
  }

  // A file's, or that of a version of it: of its own number, or of one that was given out for it.
  void take_object(InodeNumber inode, ObjectNumber object) {
    if (object == 0) return;
    const bool is_given =
        (object & kOtherObject) != 0 && (object & ~kOtherObject) < state_.counters().next_inode;
    expect(object == inode || is_given, inode, "has an object of another one's number");
    const auto [owner, is_new] = objects_.emplace(object, inode);
    expect(owner->second == inode, inode, "shares its object with another");
  }

  static VolumeNumber snapshot_in(std::string_view key, std::size_t offset = 1) {
    return static_cast<VolumeNumber>(number_in_key(key, offset));
  }

  void take_version(std::string_view key, std::string_view value) {
    const std::string_view of = key.substr(1, key.size() - 9);
    const VolumeNumber snapshot = snapshot_in(key, key.size() - 8);
    const InodeNumber number = number_in_key(of);
    expect(state_.is_snapshot(snapshot), number, "has a version for a snapshot that is gone");
    expect(exists(version_index_key(snapshot, of)), number, "has a version on one side only");
    if (of.front() != 'i' || value.front() != '\1') return;
    const StoredInode inode = decode_stored<StoredInode>(value.substr(1));
    expect(inode.attributes.inode == number, number, "has another number in a version");
    take_object(number, inode.attributes.object);
  }

  void take_taken(std::string_view key, std::string_view value) {
    const SessionNumber session = number_in_key(key);
    const InodeNumber number = number_in_key(key, 9);
    const TakenObject taken = decode_stored<TakenObject>(value);
    expect(state_.sessions().contains(session), number, "awaits an object of an ended session");
    // Nobody has it yet, not even a version of the inode.
    expect(objects_.emplace(taken.object, 0).second, number, "awaits an object that is in use");
  }

  void take_name(std::string_view key, std::string_view value) {
    const Dentry dentry = decode_stored<Dentry>(value);
    const InodeNumber folder_number = number_in_key(key);
    ++report_.names;
    Facts* folder = find(folder_number, "a name");
    Facts* inode = find(dentry.inode, "a name");
    if (folder == nullptr || inode == nullptr) return;
    expect(folder->kind == FileKind::folder, folder_number, "has names and is no folder");
    expect(inode->kind == dentry.kind, dentry.inode, "is of another kind than its name says");
    expect(inode->volume == folder->volume, dentry.inode, "has a name in another volume");
    ++folder->entries_seen;
    ++inode->names;
    inode->named_in = folder_number;
    if (inode->kind == FileKind::folder) ++folder->subfolders;
  }

  void take_content(std::string_view key, std::string_view value) {
    const InodeNumber number = number_in_key(key);
    if (Facts* inode = find(number, "content"))
      expect(inode->has_content && !value.empty(), number, "has content that it does not know of");
  }

  void take_xattr(std::string_view key, std::string_view value) {
    Facts* inode = find(number_in_key(key), "an attribute");
    if (inode == nullptr) return;
    ++inode->xattrs_seen;
    inode->xattr_bytes_seen += static_cast<std::uint32_t>(name_in_key(key).size() + value.size());
  }

  void take_hold(std::string_view key) {
    const InodeNumber number = number_in_key(key);
    const SessionNumber session = number_in_key(key, 9);
    Facts* inode = find(number, "a hold");
    if (inode == nullptr) return;
    ++inode->holds_seen;
    const auto at = state_.sessions().find(session);
    expect(at != state_.sessions().end(), number, "is held by a session that has ended");
    if (at != state_.sessions().end())
      expect(at->second.volume == inode->volume, number, "is held from another volume");
    expect(exists(session_hold_key(session, number)), number, "is held on one side only");
  }

  void take_orphan(std::string_view key) {
    ++report_.orphans;
    if (Facts* inode = find(number_in_key(key), "an orphan's mark")) inode->is_orphan = true;
  }

  void take_garbage(std::string_view value) {
    const GarbageRecord garbage = decode_stored<GarbageRecord>(value);
    ++report_.garbage;
    if (objects_.contains(garbage.object))
      wrong("object " + std::to_string(garbage.object) + " is used and to be removed");
  }

  void take_locks(std::string_view key, std::string_view value) {
    const InodeNumber number = number_in_key(key);
    for (const LockEntry& lock : decode_stored<LockList>(value).locks) {
      expect(state_.sessions().contains(lock.session), number, "is locked by an ended session");
      expect(exists(session_lock_key(lock.session, number)), number, "is locked on one side only");
    }
  }

  void judge(InodeNumber number, const Facts& facts) {
    expect(facts.has_content == exists(content_key(number)), number, "misses its content");
    expect(facts.entries == facts.entries_seen, number, "has another number of entries");
    expect(facts.xattrs == facts.xattrs_seen && facts.xattr_bytes == facts.xattr_bytes_seen, number,
           "has other attributes than it counts");
    expect(facts.holds == facts.holds_seen, number, "is held by another number of sessions");
    expect(facts.is_orphan == (facts.links == 0), number, "is marked wrongly as an orphan");
    expect(facts.links > 0 || facts.holds > 0, number, "has neither a name nor a holder");
    if (facts.kind != FileKind::folder) {
      expect(
          facts.links == facts.names, number,
          "has " + std::to_string(facts.names) + " names and says " + std::to_string(facts.links));
      return;
    }
    const auto volume = state_.volumes().find(facts.volume);
    const bool is_root = volume != state_.volumes().end() && volume->second.root == number;
    expect(facts.names == (is_root || facts.links == 0 ? 0U : 1U), number,
           "is a folder with a wrong number of names");
    if (facts.links > 0)
      expect(facts.links == 2 + facts.subfolders, number, "has a wrong number of subfolders");
    if (facts.names == 1) expect(facts.parent == facts.named_in, number, "has another parent");
    if (!is_root && facts.links > 0) expect(leads_to_root(number), number, "is cut off");
  }

  bool leads_to_root(InodeNumber inode) {
    // A chain that is longer than there are inodes is a ring.
    for (std::size_t steps = 0; steps <= inodes_.size(); ++steps) {
      if (rooted_.contains(inode)) break;
      const auto at = inodes_.find(inode);
      if (at == inodes_.end()) return false;
      if (at->second.parent == inode) break;
      if (steps == inodes_.size()) return false;
      inode = at->second.parent;
    }
    rooted_.insert(inode);
    return true;
  }

  void judge_volumes() {
    for (const auto& [number, volume] : state_.volumes()) {
      ++report_.volumes;
      const Usage& usage = usage_[number];
      if (usage.inodes != volume.inodes_used || usage.bytes != volume.bytes_used)
        wrong("volume " + volume.name + " counts " + std::to_string(volume.inodes_used) +
              " inodes and " + std::to_string(volume.bytes_used) + " bytes, there are " +
              std::to_string(usage.inodes) + " and " + std::to_string(usage.bytes));
      if (!volume.is_removed && !inodes_.contains(volume.root))
        wrong("volume " + volume.name + " has no root");
    }
  }

  void judge_sessions() {
    for (const auto& [number, session] : state_.sessions()) {
      if (!state_.volumes().contains(session.volume))
        wrong("session " + std::to_string(number) + " is of no volume");
      if (exists(reply_key(number)) != (session.sequence > 0))
        wrong("session " + std::to_string(number) + " has no answer to its last batch");
    }
    each('r', [this](std::string_view key, std::string_view) {
      if (!state_.sessions().contains(number_in_key(key))) wrong("an answer of an ended session");
    });
  }

  const MetaState& state_;
  FsckReport report_;
  std::unordered_map<InodeNumber, Facts> inodes_;
  std::unordered_map<ObjectNumber, InodeNumber> objects_;  // whose they are; 0: awaited
  std::unordered_set<InodeNumber> rooted_;
  std::map<VolumeNumber, Usage> usage_;
};

}  // namespace

FsckReport check_state(const MetaState& state) { return Check(state).run(); }

}  // namespace dfs::meta

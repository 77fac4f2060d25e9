// SPDX-License-Identifier: Apache-2.0
// What the client knows of the volume: inodes, names, and under which lease.
//
// 1. What is here under a lease is the truth; it wins over what an answer of the server says, which
// may have been made before operations that only this client knows.
// 2. Without a lease an answer is good for the one operation that asked for it, which runs in the
// same turn.
// 3. An inode with operations under way, unwritten content, or in use by a caller is not let go.
// Threads: the loop's.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "dfs/api/meta_protocol.h"
#include "dfs/client/extents.h"
#include "dfs/client/outcome.h"

namespace dfs::client {

struct Dentry {
  InodeNumber inode = 0;  // 0: there is no such name
  std::uint64_t turn = 0;
  bool in_kernel = false;  // the kernel was told that it may keep it
};

struct NameHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view name) const {
    return std::hash<std::string_view>{}(name);
  }
};
using Names = std::unordered_map<std::string, Dentry, NameHash, std::equal_to<>>;

// Content of an open file that is on its way (see file_data.h).
struct Flight {
  Extent extent;
};
struct FileState {
  Extents dirty;
  std::map<std::uint64_t, Flight> flights;  // by offset; they do not overlap
  std::uint64_t generation = 1;             // of what is written now
  std::uint64_t wanted = 0;                 // generations up to this one are to be sent
  std::uint64_t cursor = 0;                 // where the search for what to send goes on
  bool is_blocked = false;                  // something waits for a flight or a cut
  bool is_queued = false;
  bool is_pumping = false;
  bool pump_again = false;
  std::vector<std::pair<std::uint64_t, Done<Nothing>>> barriers;
  ByteRange inline_dirty;       // of the content that is kept in the inode
  bool is_sized = false;        // the open data entry of the log changes more than times
  bool must_move = false;       // metadata does not know yet that the content is in an object
  std::uint64_t cut_after = 0;  // log position of the operation that asked for the cut
  bool is_cutting = false;
  bool is_cut_asked = false;        // the log was asked to hurry for it
  std::uint64_t cut_done = kNoCut;  // to be told to metadata
  std::uint64_t oldest_flight() const {
    std::uint64_t oldest = UINT64_MAX;
    for (const auto& [offset, flight] : flights)
      oldest = std::min(oldest, flight.extent.generation);
    return oldest;
  }
};

// A whole copy of an object that a snapshot has, at the storage servers; not yet the file's.
struct Copied {
  VolumeNumber shared_by = 0;
  ObjectNumber from = 0;
  ObjectNumber to = 0;
  std::uint64_t end = 0;  // zeros follow
};

struct Inode {
  InodeNumber number = 0;
  InodeRecord record;
  bool is_known = false;  // the attributes of the record
  bool has_rest = false;  // its target, content and xattrs
  Lease lease = Lease::none;
  Lease keep = Lease::write;  // less while a recall is carried out
  std::uint64_t turn = 0;
  // In the kernel.
  std::uint64_t lookups = 0;
  bool attributes_in_kernel = false;
  bool pages_in_kernel = false;
  std::uint64_t reads = 0;  // begun and ended, ever
  std::uint32_t reads_under_way = 0;
  std::uint32_t opens = 0;
  std::uint32_t pins = 0;  // operations that gather leases and want to keep this one
  bool is_held = false;    // the server keeps it alive for us (HoldOp or ReleasedLease)
  // Nobody else has it open, and nobody can open it while the write lease is here: it was made
  // here, or metadata said so with the lease.
  bool is_private = false;
  // Of a folder.
  Names names;
  bool is_complete = false;  // all names are here
  std::string listed_to;     // how far pages came under this lease
  bool was_listed = false;   // a first page was asked for under this lease
  // Operations of the change log.
  std::uint64_t last_position = 0;
  std::uint64_t made_position = 0;  // of its own making, when that was here
  std::uint32_t pending = 0;
  std::uint64_t data_position = 0;  // of the data entry that takes further writes
  int error = 0;                    // errno of what failed later than it was answered
  std::unique_ptr<FileState> file;
  // Objects that metadata gave the session for it (client_copy.cc).
  std::optional<Copied> copied;
  ObjectNumber next_object = 0;  // that inline content moves to, in next_group; 0: its own
  GroupNumber next_group = 0;
  std::vector<std::function<void()>> released;  // who waits for the end of a recall
  bool is_recalled = false;
  std::list<Inode*>::iterator age;

  bool is_folder() const { return record.attributes.kind == FileKind::folder; }
  FileState& state() {
    if (!file) file = std::make_unique<FileState>();
    return *file;
  }
  bool has_unwritten() const {
    return file && (!file->dirty.empty() || !file->flights.empty() || file->is_cutting);
  }
};

class InodeCache {
 public:
  Inode* find(InodeNumber number);
  // Makes an empty one when it is not here. Moves it to the young end.
  Inode& get(InodeNumber number);
  void erase(Inode& inode);
  void touch(Inode& inode);

  bool may_read(const Inode& inode) const {
    return inode.is_known && (inode.lease != Lease::none || inode.turn == turn_);
  }
  static bool may_write(const Inode& inode) {
    return inode.is_known && inode.lease == Lease::write && inode.keep == Lease::write;
  }
  // nullptr: not known here. A dentry without an inode: known not to exist.
  Dentry* find_name(Inode& folder, std::string_view name);

  // An answer of the server.
  void take_inode(Inode& inode, const InodeRecord& record, Lease granted);
  void take_attributes(Inode& inode, const Attributes& attributes, Lease granted);
  void take_lease(Inode& inode, Lease granted);
  Dentry& take_name(Inode& folder, std::string_view name, InodeNumber inode);
  // The lease is gone, and with it what it covers.
  void reduce(Inode& inode, Lease keeps);

  std::uint64_t turn() const { return turn_; }
  void next_turn() { ++turn_; }
  std::size_t size() const { return inodes_.size(); }
  std::size_t name_count() const { return names_; }
  // Of what is kept inside inodes. Cost: O(inodes).
  std::size_t content_bytes() const;
  void count_names(std::ptrdiff_t change) { names_ += static_cast<std::size_t>(change); }
  const std::list<Inode*>& by_age() const { return ages_; }  // oldest first
  std::unordered_map<InodeNumber, std::unique_ptr<Inode>>& all() { return inodes_; }

 private:
  std::unordered_map<InodeNumber, std::unique_ptr<Inode>> inodes_;
  std::list<Inode*> ages_;
  std::uint64_t turn_ = 1;
  std::size_t names_ = 0;
};

}  // namespace dfs::client

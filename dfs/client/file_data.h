// SPDX-License-Identifier: Apache-2.0
// The content of files: written into memory, brought to the storage servers in the background, read
// back from both.
//
// Used by Client; calls StorageLink and ChangeLog.
// 1. Small files stay in the inode; one that grows above the volume's limit becomes an object.
// 2. Requests that overlap in an object are never under way at the same time.
// 3. What lies behind a pending cut is not sent before the cut was made; until then the object's
// bytes behind it read as zeros.
// 4. What waits in memory is limited; is_full() says when a writer has to wait for `room`.
// Threads: the loop's.
#pragma once

#include <deque>

#include "dfs/client/change_log.h"
#include "dfs/client/storage_link.h"

namespace dfs::client {

class FileData final : public ChangeLog::Files {
 public:
  struct Limits {
    std::uint64_t dirty_max = std::uint64_t{64} << 20;
    std::uint64_t flight_max = std::uint64_t{12} << 20;
    std::size_t requests_max = 48;
    std::uint32_t read_max = 1 << 20;  // of one request
  };
  struct Terms {
    VolumeNumber volume = 0;
    VolumeEpoch epoch = 0;
    std::uint32_t inline_max = 0;
  };
  struct Events {
    std::function<void(const base::Error&)> session_error;
    std::function<void(Inode&, const base::Error&)> lost;  // content could not be written
    std::function<void()> room;
  };

  FileData(StorageLink& storage, Limits limits, Events events);
  void set_log(ChangeLog& log) { log_ = &log; }
  void set_terms(const Terms& terms) { terms_ = terms; }

  // All: Requires the write lease and the whole record. `now` becomes the times of modification.
  // Errors: ENOSPC when there is no storage at all.
  base::Result<void> write(Inode& inode, std::uint64_t offset, std::string_view data, TimeNs now);
  base::Result<void> grow(Inode& inode, std::uint64_t size, TimeNs now);
  void punch(Inode& inode, ByteRange range, TimeNs now);
  // Drops content behind `size` and takes the new size over. The operation itself is the caller's,
  // who then says where in the log it is.
  void cut(Inode& inode, std::uint64_t size, TimeNs now);
  void cut_logged(Inode& inode, Position position);
  // A cut has to be finished before the file may be cut again.
  static bool needs_settling(const Inode& inode);

  // Requires: a lease, and the whole record. The content lives until `done` returns.
  void read(Inode& inode, std::uint64_t offset, std::uint64_t size, Done<std::string_view> done);
  // What was written until now is at the storage servers.
  void flush(Inode& inode, Done<Nothing> done);
  // Where the next data or hole is, of what was flushed.
  void seek(Inode& inode, std::uint64_t offset, SeekFor what, Done<std::uint64_t> done);
  // Nobody will read it again: it has no name, and nobody has it open here or elsewhere.
  static bool is_dead(const Inode& inode) { return is_left(inode) && inode.is_private; }
  void discard(Inode& inode);

  bool is_full() const { return dirty_bytes_ + flight_bytes_ >= limits_.dirty_max; }
  // Everything that waits is to be sent.
  void relieve();
  std::uint64_t unwritten_bytes() const { return dirty_bytes_ + flight_bytes_; }

  void seal(DataEntry& entry) override;
  bool is_prepared(DataEntry& entry) override;
  void make(DataEntry& entry, std::vector<MetaOp>& out) override;

 private:
  ObjectPlace place_of(const Inode& inode) const;
  base::Result<void> move_to_chunks(Inode& inode);
  void note_change(Inode& inode, TimeNs now);
  void account(const FileState& state, std::uint64_t before);
  void want(Inode& inode, std::uint64_t generation);
  void pump(Inode& inode);
  void send_wanted(Inode& inode);
  void pump_queue();
  bool send_next(Inode& inode, Extents::Map::const_iterator at);
  void on_sent(Inode& inode, std::uint64_t offset, const base::Result<ChangeReply>& reply);
  void maybe_cut(Inode& inode);
  void check_barriers(Inode& inode);
  // Nobody here will change it again; metadata may have dropped it by then.
  static bool is_left(const Inode& inode) {
    return inode.record.attributes.links == 0 && inode.opens == 0 && !inode.is_folder();
  }
  static bool is_flushed(const FileState& state, std::uint64_t generation);

  StorageLink& storage_;
  ChangeLog* log_ = nullptr;
  const Limits limits_;
  const Events events_;
  Terms terms_;
  std::uint64_t dirty_bytes_ = 0;
  std::uint64_t flight_bytes_ = 0;
  std::size_t requests_ = 0;
  std::deque<Inode*> queue_;  // files that have more to send than fits
  std::unordered_map<InodeNumber, Inode*> dirty_files_;
};

}  // namespace dfs::client

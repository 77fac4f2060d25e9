// SPDX-License-Identifier: Apache-2.0
// Operations that were carried out in memory and that metadata is still to be told, in order.
//
// 1. Batches hold the operations in the order they were made; what survives the client is a prefix.
// 2. A data entry stands for content and size of one file, as they are when it is sealed; it is
// sent only once that content is at the storage servers, unless it is marked `unordered`.
// 3. One batch is under way at a time.
// Threads: the loop's.
#pragma once

#include <deque>
#include <optional>

#include "dfs/client/inode_cache.h"
#include "dfs/client/meta_link.h"

namespace dfs::client {

using Position = std::uint64_t;  // from 1

struct DataEntry {
  Inode* inode = nullptr;
  bool is_sealed = false;
  bool is_unordered = false;
  bool is_inline = false;
  // As sealed.
  std::uint64_t generation = 0;
  std::uint64_t offset = 0;  // of the inline content
  std::string content;
  Attributes attributes;
  std::uint64_t cut_after = 0;  // which cut attributes.cut_to is of, see FileState
};

class ChangeLog {
 public:
  // The part that knows files.
  class Files {
   public:
    virtual ~Files() = default;
    virtual void seal(DataEntry& entry) = 0;
    // Whether the content of the sealed entry is at the storage servers. Begins to bring it there
    // otherwise, and calls pump() when that is done.
    virtual bool is_prepared(DataEntry& entry) = 0;
    virtual void make(DataEntry& entry, std::vector<MetaOp>& out) = 0;
  };
  struct Events {
    std::function<SessionNumber()> session;
    // One operation was refused after it had been answered.
    std::function<void(Inode&, const MetaOp&, int os_errno)> refused;
    std::function<void(const base::Error&)> failed;  // of the whole batch: the session's end
    std::function<void()> advanced;                  // there is room again
  };
  struct Limits {
    base::Duration delay = std::chrono::milliseconds(500);
    std::size_t entries_max = 20'000;
    std::size_t entries_early = 1'000;  // sent before the delay is over
    std::size_t bytes_max = std::size_t{16} << 20;
  };

  ChangeLog(MetaLink& link, base::Timers& timers, Files& files, Limits limits, Events events);

  Position append(MetaOp op, std::initializer_list<Inode*> touched);
  // The entry that stands for the content of the inode as it will be.
  Position append_data(Inode& inode);
  // From now on later writes go to an entry of their own.
  void seal(Inode& inode);
  DataEntry* open_entry(Inode& inode);

  // Durable up to `position`. Errors: those of the session.
  void flush(Position position, Done<Nothing> done);
  // As flush(), but does not hurry.
  void when_durable(Position position, Done<Nothing> done);
  void pump();
  Position last() const { return first_ + entries_.size() - 1; }
  Position durable() const { return durable_; }
  bool is_full() const {
    return entries_.size() + sent_.size() >= limits_.entries_max || bytes_ >= limits_.bytes_max;
  }
  // The first entry that was not sent, when nothing is under way.
  Position front() const { return sent_.empty() ? first_ : 0; }
  // The session is lost: nothing of this will ever arrive.
  void fail_all(const base::Error& error);
  // A new session counts anew.
  void restart() { sequence_ = 1; }

 private:
  struct Entry {
    MetaOp op;
    std::optional<DataEntry> data;
    std::array<Inode*, 4> touched{};
    std::uint32_t bytes = 0;
  };

  Entry& at(Position position) { return entries_[position - first_]; }
  Position add(Entry entry);
  bool merge(const MetaOp& op, Inode* inode);
  void demand(Position position);
  void send(std::vector<MetaOp> operations, std::vector<Inode*> owners);
  void on_applied(const base::Result<ApplyReply>& reply, const std::vector<MetaOp>& operations,
                  const std::vector<Inode*>& owners);
  void retire();
  void release(Entry& entry);

  MetaLink& link_;
  base::Timers& timers_;
  Files& files_;
  const Limits limits_;
  const Events events_;
  std::deque<Entry> entries_;  // not sent
  Position first_ = 1;         // of entries_
  std::vector<Entry> sent_;
  std::size_t bytes_ = 0;
  Position durable_ = 0;
  Position demand_ = 0;
  Position prepared_ = 0;  // data entries up to here were asked to be prepared
  std::uint64_t sequence_ = 1;
  bool is_pumping_ = false;
  std::multimap<Position, Done<Nothing>> waiting_;
  base::TimerHandle timer_;
  bool is_early_ = false;  // it fires at once
};

}  // namespace dfs::client

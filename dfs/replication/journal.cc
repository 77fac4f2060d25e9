// SPDX-License-Identifier: Apache-2.0
#include "dfs/replication/journal.h"

#include <algorithm>
#include <cstdlib>

#include "common/base/log.h"
#include "dfs/replication/journal_recovery.h"
#include "dfs/replication/journal_segment.h"

namespace dfs::replication {

using base::Result;

namespace {

constexpr base::Duration kSpareRetry = std::chrono::seconds(1);
constexpr std::size_t kSegmentsBeyond = 4;
constexpr std::size_t kMarkBytes = 32;  // at least what a mark takes

}  // namespace

// One write and one sync.
struct Journal::Batch {
  JournalBatch content;
  std::vector<std::function<void()>> durable;
  std::shared_ptr<base::DiskFile> file;
  std::optional<SegmentHeader> header;  // of a segment that begins with this batch
  std::uint64_t nonce = 0, number = 0, offset = 0, bytes = 0;
  std::size_t frees = 0;  // segments that its marks set free
  Result<void> outcome;

  Result<void> write() {
    const std::string encoded = encode_batch(content, nonce, number);
    bytes = encoded.size();
    if (header) {
      // Its use before counts as long as no newer header says otherwise.
      TRY(write_segment_header(*file, *header));
      TRY(file->sync());
    }
    TRY(file->write(offset, encoded));
    return file->sync();
  }
};

struct Journal::Spare {
  std::string name;
  SegmentMaker maker;
  Result<bool> outcome;
};

Journal::Journal(base::Disk& disk, DiskQueue& queue, base::Timers& timers, base::Rng& rng,
                 JournalOptions options)
    : disk_(disk), queue_(queue), timers_(timers), rng_(rng), options_(std::move(options)) {}
Journal::~Journal() = default;

Result<std::unique_ptr<Journal>> Journal::open(base::Disk& disk, DiskQueue& queue,
                                               base::Timers& timers, base::Rng& rng,
                                               JournalOptions options) {
  CHECK_THAT(options.segments_max >= 4);
  std::unique_ptr<Journal> journal(new Journal(disk, queue, timers, rng, std::move(options)));
  TRY(journal->prepare());
  return journal;
}

Result<void> Journal::prepare() {
  const Result<void> made = disk_.make_folder(options_.folder);
  if (!made && made.error().code != base::Code::already_exists) return made.error();
  TRY(disk_.sync_folder(std::string(base::folder_of(options_.folder))));
  TRY(JournalRecovery(*this).run());
  // Also beyond the limit when all are in use: without writing nothing can be released.
  if (free_.empty()) {
    const std::string name = std::to_string(next_name_++);
    SegmentMaker maker(disk_, options_.folder, name, options_.segment_bytes);
    Result<bool> whole = false;
    while (whole && !*whole) whole = maker.step();
    if (!whole) maker.give_up();
    if (!whole && (live_.empty() || whole.error().code != base::Code::no_space))
      return whole.error();
    if (whole) {
      free_.push_back({name, maker.take(), 0, 0, options_.segment_bytes, {}});
    } else {
      retry_spare();
    }
  }
  sealed_ = live_.empty();
  if (!sealed_) seal_later();
  return {};
}

RecoveredGroup Journal::take_recovered(std::uint32_t group) {
  const auto node = recovered_.extract(group);
  return node.empty() ? RecoveredGroup() : std::move(node.mapped());
}

std::vector<std::uint32_t> Journal::recovered_groups() const {
  std::vector<std::uint32_t> groups;
  for (const auto& [group, recovered] : recovered_) groups.push_back(group);
  return groups;
}

void Journal::append(std::uint32_t group, LogWrite write, std::function<void()> durable) {
  if (dead_) return;
  // One that is larger than a batch becomes durable in pieces, front to back.
  std::size_t bytes = encoded_size_max(LogWrite());
  std::size_t count = 0;
  LogWrite piece = std::move(write);
  for (std::vector<JournalEntry> entries = std::exchange(piece.entries, {});
       JournalEntry & each : entries) {
    const std::size_t size = encoded_size_max(each);
    if (count > 0 && bytes + size > options_.batch_bytes_max) {
      LogWrite rest;
      rest.promised = piece.promised;
      rest.settled = piece.settled;
      rest.is_repeated = piece.is_repeated;
      waiting_.push_back({group, std::exchange(piece, std::move(rest)), bytes, {}});
      bytes = encoded_size_max(LogWrite());
      count = 0;
    }
    piece.entries.push_back(std::move(each));
    bytes += size;
    ++count;
  }
  waiting_.push_back({group, std::move(piece), bytes, std::move(durable)});
  start();
}

// How many of those that wait go into the next batch.
std::size_t Journal::next_count() const {
  std::size_t bytes = 0;
  std::size_t count = 0;
  for (const Waiting& each : waiting_) {
    bytes += each.bytes;
    if (count > 0 && bytes > options_.batch_bytes_max) break;
    ++count;
  }
  return count;
}

void Journal::start() {
  // Segments that may go are free once a batch says so; with nothing to write, one is written for
  // that.
  const bool frees = releasable_ > 0 && !must_begin_segment_;
  if (!waiting_.empty() || frees) write_batch(next_count());
}

void Journal::write_batch(std::size_t count) {
  if (writing_ || dead_) return;
  std::uint64_t most = kBatchHeaderBytes + marks_bytes();
  for (std::size_t i = 0; i < count; ++i) most += waiting_[i].bytes;
  const auto batch = std::make_shared<Batch>();
  // Behind what is written there is always room for the marks that set a segment free.
  if (must_begin_segment_ || end_ + blocks(most) + blocks(marks_bytes()) > live_.back().bytes) {
    if (!free_.empty()) {
      begin_segment(*batch);
      CHECK_THAT(end_ + blocks(most) + blocks(marks_bytes()) <= live_.back().bytes);
    } else if (releasable_ > 0 && !must_begin_segment_) {
      count = 0;
    } else {
      return make_spare();  // once one is free, start() is called again
    }
  }
  if (releasable_ > 0) {
    batch->frees = freeing_ = std::exchange(releasable_, 0);
    for (const auto& [group, known] : known_)
      batch->content.marks.push_back({group, known.promised, known.base});
  }
  Segment& segment = live_.back();
  for (std::size_t i = 0; i < count; ++i) {
    Waiting& each = waiting_.front();
    Known& known = known_[each.group];
    known.promised = std::max(known.promised, each.write.promised);
    if (each.write.base) known.base = *each.write.base;
    note(segment, each.group, each.write);
    batch->content.writes.emplace_back(each.group, std::move(each.write));
    if (each.durable) batch->durable.push_back(std::move(each.durable));
    waiting_.pop_front();
  }
  batch->file = segment.file;
  batch->nonce = segment.nonce;
  batch->number = number_ + 1;
  batch->offset = end_;
  writing_ = true;
  under_way_ = count;
  queue_.submit([batch] { batch->outcome = batch->write(); },
                [this, alive = std::weak_ptr<bool>(alive_), batch] {
                  if (!alive.expired()) finish(batch);
                });
}

std::uint64_t Journal::marks_bytes() const {
  return kBatchHeaderBytes + known_.size() * kMarkBytes;
}

void Journal::begin_segment(Batch& batch) {
  Segment segment = std::move(free_.back());
  free_.pop_back();
  segment.generation = ++generation_;
  segment.nonce = rng_.next();
  segment.last.clear();
  const std::uint64_t oldest = live_.empty() ? generation_ : live_.front().generation;
  batch.header = SegmentHeader{generation_, segment.nonce, oldest, end_, number_};
  live_.push_back(std::move(segment));
  end_ = kSegmentStart;
  must_begin_segment_ = false;
}

// Keeps account of what has to stay. It counts from when the write is begun: a segment that may go
// by it goes with the batch after at the earliest.
void Journal::note(Segment& segment, std::uint32_t group, const LogWrite& write) {
  const auto lower = [&](Segment& each) {
    const auto last = each.last.find(group);
    if (last == each.last.end()) return;
    if (write.base) last->second = 0;
    if (write.keep) last->second = std::min(last->second, *write.keep);
    if (!write.is_repeated || write.entries.empty() || &each == &segment) return;
    const Index first = write.entries.front().entry.index;
    if (last->second >= first && last->second <= write.entries.back().entry.index)
      last->second = first - 1;
  };
  for (Segment& each : live_) lower(each);
  if (live_.empty() || &live_.back() != &segment) lower(segment);  // one that is being read back
  if (write.entries.empty()) return;
  Index& last = segment.last[group];
  last = std::max(last, write.entries.back().entry.index);
}

void Journal::finish(const std::shared_ptr<Batch>& batch) {
  if (dead_) return;
  if (!batch->outcome) return die(batch->outcome.error());
  writing_ = false;
  under_way_ = 0;
  number_ = batch->number;
  end_ = batch->offset + batch->bytes;
  ++batches_;
  bytes_ += batch->bytes;
  sealed_ = batch->content.writes.empty();
  last_batch_ = timers_.clock().now();
  if (!sealed_) seal_later();
  freeing_ = 0;
  for (; batch->frees > 0; --batch->frees) {
    free_.push_back(std::move(live_.front()));
    live_.pop_front();
  }
  count_releasable();
  start();
  make_spare();
  const std::weak_ptr<bool> alive = alive_;
  for (const auto& durable : batch->durable) {
    if (alive.expired() || dead_) return;
    durable();
  }
}

void Journal::release(std::uint32_t group, Position through) {
  Known& known = known_[group];
  if (through.index <= known.base.index) return;
  known.base = through;
  if (writing_) return;
  count_releasable();
  start();
}

// Front to back, so that what is in use has no gaps; the last one is being written. A segment is
// free once marks that say so are durable: until then a restart reads it.
void Journal::count_releasable() {
  const auto is_held = [&](const auto& each) {
    return each.second > known_[each.first].base.index;
  };
  releasable_ = 0;
  while (releasable_ + 1 < live_.size() &&
         std::none_of(live_[releasable_].last.begin(), live_[releasable_].last.end(), is_held))
    ++releasable_;
}

std::size_t Journal::available() const {
  const std::size_t have = live_.size() + free_.size();
  const std::size_t to_make =
      have < options_.segments_max && !spare_timer_ ? options_.segments_max - have : 0;
  return free_.size() + to_make + releasable_ + freeing_;
}

// The last one is kept for promises and for what is under way.
bool Journal::has_room() const { return available() >= 2; }

bool Journal::is_held_by(std::uint32_t group) const {
  if (available() > 2 || live_.empty()) return false;
  const auto last = live_.front().last.find(group);
  const auto known = known_.find(group);
  return last != live_.front().last.end() && known != known_.end() &&
         last->second > known->second.base.index;
}

JournalStats Journal::stats() const {
  return {live_.size() + free_.size(), live_.size(), batches_, bytes_,
          waiting_.size() + under_way_};
}

void Journal::make_spare() {
  if (!free_.empty() || making_spare_ || spare_timer_ || dead_) return;
  // Where nothing can be written nothing can be released: then the limit is passed, but not far.
  const bool is_stuck = must_begin_segment_ || !waiting_.empty();
  if (live_.size() >= options_.segments_max + (is_stuck ? kSegmentsBeyond : 0)) return;
  making_spare_ = true;
  const std::string name = std::to_string(next_name_++);
  continue_spare(std::make_shared<Spare>(
      Spare{name, SegmentMaker(disk_, options_.folder, name, options_.segment_bytes), false}));
}

void Journal::continue_spare(std::shared_ptr<Spare> spare) {
  queue_.submit(
      [spare] {
        spare->outcome = spare->maker.step();
        if (!spare->outcome) spare->maker.give_up();
      },
      [this, alive = std::weak_ptr<bool>(alive_), spare] {
        if (alive.expired() || dead_) return;
        if (!spare->outcome && spare->outcome.error().code != base::Code::no_space)
          return die(spare->outcome.error());
        if (spare->outcome && !*spare->outcome) return continue_spare(spare);
        making_spare_ = false;
        if (spare->outcome) {
          free_.push_back({spare->name, spare->maker.take(), 0, 0, options_.segment_bytes, {}});
          return start();
        }
        retry_spare();
      });
}

void Journal::retry_spare() {
  spare_timer_ = timers_.after(kSpareRetry, [this] {
    spare_timer_.reset();
    make_spare();
  });
}

void Journal::seal_later() {
  if (seal_timer_ || options_.seal_after <= base::Duration(0)) return;
  seal_timer_ = timers_.after(options_.seal_after, [this] {
    seal_timer_.reset();
    if (sealed_ || writing_ || !waiting_.empty()) return;
    if (timers_.clock().now() - last_batch_ < options_.seal_after) return seal_later();
    write_batch(0);
  });
}

void Journal::die(const base::Error& error) {
  dead_ = true;
  if (options_.on_fatal) return options_.on_fatal(error);
  base::log::failure("DFS_JOURNAL_FAILED",
                     "the journal could not be written; what the disk holds is unknown, ending",
                     {{"folder", options_.folder}}, error);
  std::abort();
}

}  // namespace dfs::replication

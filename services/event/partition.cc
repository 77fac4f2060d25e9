// SPDX-License-Identifier: Apache-2.0
#include "services/event/partition.h"

#include <algorithm>
#include <charconv>

#include "common/base/bytes.h"
#include "common/base/log.h"
#include "common/base/text.h"

namespace services::event {
namespace {

constexpr std::string_view kSuffix = ".log";
constexpr std::size_t kNameDigits = 20;

std::string name_of(Offset base) {
  std::string digits = std::to_string(base);
  return std::string(kNameDigits - digits.size(), '0') + digits + std::string(kSuffix);
}

std::optional<Offset> base_of(std::string_view name) {
  if (name.size() != kNameDigits + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
  Offset base = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + kNameDigits, base);
  if (error != std::errc() || end != name.data() + kNameDigits) return std::nullopt;
  return base;
}

}  // namespace

Partition::Partition(base::Disk& disk, const base::Clock& clock, Place place,
                     const ChannelOptions& options, const LogLimits& limits)
    : disk_(disk),
      clock_(clock),
      place_(std::move(place)),
      options_(options),
      limits_(limits),
      last_index_(std::make_shared<std::vector<IndexEntry>>()),
      recent_(limits.dedupe_ids) {}

base::Result<std::unique_ptr<Partition>> Partition::open(base::Disk& disk, const base::Clock& clock,
                                                         Place place, const ChannelOptions& options,
                                                         const LogLimits& limits) {
  std::unique_ptr<Partition> partition(
      new Partition(disk, clock, std::move(place), options, limits));
  TRY(partition->recover());
  return partition;
}

std::string Partition::path_of(Offset base) const { return place_.folder + "/" + name_of(base); }

std::string Partition::seal_of(Offset base) const {
  return base::ByteWriter().text(place_.secret).u32(place_.number).u64(base).take();
}

base::Result<std::unique_ptr<base::DiskFile>> Partition::open_segment(Offset base) {
  return disk_.open(path_of(base), base::OpenMode::existing);
}

void Partition::note_damage(Damage damage) {
  if (std::find(damage_.begin(), damage_.end(), damage) != damage_.end()) return;
  if (damage_.size() < 1000) damage_.push_back(damage);
  base::log::warning("EVENT_LOG_DAMAGED",
                     "events are damaged on the disk and will not be served, going on behind them",
                     {{"channel", place_.channel},
                      {"partition", std::to_string(place_.number)},
                      {"first", std::to_string(damage.first)},
                      {"next", std::to_string(damage.next)}});
}

base::Result<void> Partition::recover() {
  std::vector<Offset> bases;
  for (const std::string& name : TRY(disk_.list(place_.folder)))
    if (const auto base = base_of(name)) bases.push_back(*base);
  std::sort(bases.begin(), bases.end());
  for (std::size_t i = 0; i < bases.size(); ++i)
    TRY(recover_segment(bases[i], i + 1 == bases.size()));
  return {};
}

base::Result<void> Partition::recover_segment(Offset base, bool is_last) {
  auto file = TRY(open_segment(base));
  Segment segment;
  segment.base = base;
  segment.trailer = TRY(read_trailer(*file, seal_of(base)));
  segment.bytes = TRY(file->size());
  if (segment.trailer) {
    segment.is_closed = true;
    segment.next = segment.trailer->next;
    segment.last_time_ms = segment.trailer->last_time_ms;
    batch_number_ = segment.trailer->next_number;
  } else {
    auto scan = TRY(scan_segment(*file, seal_of(base), base, limits_.index_every_bytes));
    for (const Damage& damage : scan.damage) note_damage(damage);
    segment.is_closed = !is_last;
    segment.next = scan.next;
    segment.last_time_ms = scan.last_time_ms;
    if (!segments_.empty())
      segment.last_time_ms = std::max(segment.last_time_ms, segments_.back().last_time_ms);
    batch_number_ = std::max(batch_number_, scan.next_number);
    if (is_last && scan.dropped_bytes > 0) {
      base::log::notice("EVENT_LOG_TAIL_DROPPED", "a write that was never finished was dropped",
                        {{"channel", place_.channel},
                         {"partition", std::to_string(place_.number)},
                         {"bytes", std::to_string(scan.dropped_bytes)}});
      TRY(file->truncate(scan.end));
      TRY(file->sync());
    }
    if (is_last) {
      segment.bytes = scan.end;
      is_proved_ = false;
      last_index_ = std::make_shared<std::vector<IndexEntry>>(std::move(scan.index));
      file_ = std::move(file);
    }
  }
  if (!segments_.empty() && segments_.back().next < base) {
    note_damage({segments_.back().next, base});
    segments_.back().next = base;
  }
  segments_.push_back(segment);
  return {};
}

PartitionState Partition::state() {
  const std::lock_guard lock(mutex_);
  if (segments_.empty()) return {};
  return {segments_.front().base, segments_.back().next};
}

std::vector<Damage> Partition::damage() {
  const std::lock_guard lock(mutex_);
  return damage_;
}

base::Result<std::vector<Placed>> Partition::append(std::vector<const Event*> events) {
  Pending mine;
  for (const Event* event : events) mine.bytes += encoded_size(*event);
  if (mine.bytes > kBatchBodyMax)
    return base::Error{base::Code::too_large, "events of one call are at most 8 MiB together",
                       "event_too_large"};
  mine.events = std::move(events);
  std::unique_lock lock(mutex_);
  pending_.push_back(&mine);
  while (!mine.outcome) {
    if (writing_) {
      changed_.wait(lock);
    } else {
      write_pending(lock);
    }
  }
  return std::move(*mine.outcome);
}

void Partition::write_pending(std::unique_lock<std::mutex>& lock) {
  writing_ = true;
  const std::vector<Pending*> taken = take_pending();
  lock.unlock();
  carry_out(taken);
  lock.lock();
  writing_ = false;
  changed_.notify_all();
}

std::vector<Partition::Pending*> Partition::take_pending() {
  std::vector<Pending*> taken;
  std::size_t bytes = 0;
  while (!pending_.empty() && bytes + pending_.front()->bytes <= kBatchBodyMax) {
    bytes += pending_.front()->bytes;
    taken.push_back(pending_.front());
    pending_.pop_front();
  }
  return taken;
}

void Partition::carry_out(const std::vector<Pending*>& taken) {
  std::vector<const Event*> fresh;
  std::vector<std::vector<Placed>> placed;
  auto done = load_recent();
  Offset next = state().next;
  std::unordered_map<std::string_view, Offset> in_batch;
  for (const Pending* pending : taken) {
    std::vector<Placed>& mine = placed.emplace_back();
    for (const Event* event : pending->events) {
      std::optional<Offset> known = recent_.find(event->id);
      if (const auto found = in_batch.find(event->id); found != in_batch.end())
        known = found->second;
      mine.push_back({place_.number, known.value_or(next), known.has_value()});
      if (known) continue;
      in_batch.emplace(event->id, next++);
      fresh.push_back(event);
    }
  }
  if (done && failed_) done = *failed_;
  if (done && !fresh.empty()) done = write_batch(fresh);
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < taken.size(); ++i)
    taken[i]->outcome =
        done ? base::Result<std::vector<Placed>>(std::move(placed[i])) : done.error();
}

base::Result<void> Partition::load_recent() {
  if (recent_loaded_) return {};
  const PartitionState now = state();
  Offset offset = now.next - std::min<Offset>(now.next - now.first, limits_.dedupe_ids);
  while (offset < now.next) {
    const auto events = read(offset, {});
    if (!events && events.error().reason != "event_damaged") return events.error();
    if (!events) {
      const std::lock_guard lock(mutex_);
      for (const Damage& damage : damage_)
        if (damage.first <= offset && offset < damage.next) offset = damage.next;
      continue;
    }
    for (const StoredEvent& stored : *events) recent_.add(stored.event.id, stored.offset);
    if (events->empty()) break;
    offset = events->back().offset + 1;
  }
  recent_loaded_ = true;
  return {};
}

base::Error Partition::fail(base::Error error) {
  base::log::failure("EVENT_LOG_FAILED",
                     "the disk failed a write, refusing new events of the partition until the next "
                     "start",
                     {{"channel", place_.channel}, {"partition", std::to_string(place_.number)}},
                     error);
  const std::lock_guard lock(mutex_);
  failed_ = base::Error{base::Code::unavailable,
                        "the log of this partition failed: " + error.detail, "event_log_failed"};
  return *failed_;
}

base::Result<void> Partition::put(std::uint64_t position, std::string_view bytes) {
  auto done = file_->write(position, bytes);
  if (!done && done.error().code == base::Code::no_space) {
    // Nothing of it was promised to anybody: what got to the file is taken back.
    if (auto cut = file_->truncate(position); !cut) return fail(cut.error());
    return done;
  }
  if (done) done = file_->sync();
  if (!done) return fail(done.error());
  return {};
}

base::Result<void> Partition::write_batch(const std::vector<const Event*>& events) {
  std::size_t size = 0;
  for (const Event* event : events) size += encoded_size(*event);
  TRY(make_room(size + kBatchHeaderBytes));
  Segment& last = segments_.back();
  BatchHeader header;
  header.number = batch_number_;
  header.first = last.next;
  header.time_ms =
      std::max<std::int64_t>(last.last_time_ms, clock_.wall().time_since_epoch().count());
  header.count = static_cast<std::uint32_t>(events.size());
  const std::string bytes = encode_batch(seal_of(last.base), header, events);
  TRY(put(last.bytes, bytes));

  auto index = last_index_;
  if (!events.empty() && is_index_due(*index, last.bytes, limits_.index_every_bytes)) {
    index = std::make_shared<std::vector<IndexEntry>>(*index);
    index->push_back({header.first, header.time_ms, last.bytes});
  }
  const std::lock_guard lock(mutex_);
  last_index_ = std::move(index);
  last.bytes += bytes.size();
  last.next = header.next();
  last.last_time_ms = header.time_ms;
  ++batch_number_;
  is_proved_ = events.empty();
  for (std::size_t i = 0; i < events.size(); ++i) recent_.add(events[i]->id, header.first + i);
  return {};
}

base::Result<void> Partition::make_room(std::uint64_t bytes) {
  if (!segments_.empty() && !segments_.back().is_closed) {
    const Segment& last = segments_.back();
    if (last.next == last.base || last.bytes + bytes <= limits_.segment_bytes) return {};
    TRY(close_last());
  }
  return begin_segment();
}

base::Result<void> Partition::close_last() {
  Segment& last = segments_.back();
  const std::string seal = seal_of(last.base);
  const Trailer trailer{last.bytes, last.next, last.last_time_ms, batch_number_};
  const std::string bytes = encode_index(seal, *last_index_) + encode_trailer(seal, trailer);
  TRY(put(last.bytes, bytes));
  const std::lock_guard lock(mutex_);
  last.is_closed = true;
  last.trailer = trailer;
  last.bytes += bytes.size();
  file_.reset();
  return {};
}

base::Result<void> Partition::begin_segment() {
  Segment fresh;
  if (!segments_.empty()) {
    fresh.base = segments_.back().next;
    fresh.last_time_ms = segments_.back().last_time_ms;
  }
  fresh.next = fresh.base;
  auto file = TRY(disk_.open(path_of(fresh.base), base::OpenMode::create));
  TRY(file->truncate(0));
  TRY(disk_.sync_folder(place_.folder));
  const std::lock_guard lock(mutex_);
  segments_.push_back(fresh);
  file_ = std::move(file);
  last_index_ = std::make_shared<std::vector<IndexEntry>>();
  return {};
}

bool Partition::is_first_old() {
  std::uint64_t bytes = 0;
  for (const Segment& segment : segments_) bytes += segment.bytes;
  const Segment& first = segments_.front();
  if (segments_.size() < 2 || !first.is_closed) return false;
  if (first.next <= released_) return true;
  if (bytes > options_.retention_bytes) return true;
  const std::int64_t now = clock_.wall().time_since_epoch().count();
  return options_.retention_age.count() > 0 &&
         first.last_time_ms < now - options_.retention_age.count();
}

base::Result<void> Partition::drop_old() {
  // A segment that is old as a whole is closed, so that it can go.
  if (!segments_.empty() && !segments_.back().is_closed && options_.retention_age.count() > 0 &&
      segments_.back().next > segments_.back().base &&
      segments_.back().last_time_ms <
          clock_.wall().time_since_epoch().count() - options_.retention_age.count()) {
    TRY(close_last());
    TRY(begin_segment());
  }
  while (!segments_.empty() && is_first_old()) {
    const Offset base = segments_.front().base;
    {
      const std::lock_guard lock(mutex_);
      segments_.pop_front();
      indexes_.erase(base);
    }
    // In order and one by one, so that a power cut never leaves a gap.
    TRY(disk_.remove(path_of(base)));
    TRY(disk_.sync_folder(place_.folder));
  }
  return {};
}

void Partition::release_before(Offset offset) {
  const std::lock_guard lock(mutex_);
  released_ = std::max(released_, offset);
}

void Partition::tick() {
  std::unique_lock lock(mutex_);
  if (writing_ || failed_ || segments_.empty()) return;
  writing_ = true;
  const bool is_idle = batch_number_ == batches_at_tick_;
  const bool must_prove = is_idle && !is_proved_ && !segments_.back().is_closed;
  lock.unlock();
  base::Result<void> done = drop_old();
  if (done && must_prove) done = write_batch({});
  lock.lock();
  batches_at_tick_ = batch_number_;
  if (done && must_prove) is_proved_ = true;
  if (!done && !failed_)
    base::log::warning("EVENT_LOG_UPKEEP_FAILED",
                       "old events could not be removed, trying again at the next tick",
                       {{"channel", place_.channel}}, done.error());
  writing_ = false;
  changed_.notify_all();
}

}  // namespace services::event

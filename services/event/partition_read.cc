// SPDX-License-Identifier: Apache-2.0
// The reading side of a partition: what is durable, found through the indexes.
#include <algorithm>

#include "services/event/partition.h"

namespace services::event {
namespace {

constexpr std::size_t kIndexesMax = 4;

}  // namespace

base::Error Partition::damaged(Damage damage) {
  {
    const std::lock_guard lock(mutex_);
    note_damage(damage);
  }
  return base::Error{base::Code::corrupt,
                     "offsets " + std::to_string(damage.first) + " to " +
                         std::to_string(damage.next - 1) + " of " + place_.channel + "/" +
                         std::to_string(place_.number) + " are damaged; read on from " +
                         std::to_string(damage.next),
                     "event_damaged"};
}

base::Result<Partition::Index> Partition::index_of(const Segment& segment) {
  if (!segment.is_closed) return Index(last_index_);
  if (const auto found = indexes_.find(segment.base); found != indexes_.end()) return found->second;
  auto file = TRY(open_segment(segment.base));
  Index index;
  if (segment.trailer) {
    if (auto entries = read_index(*file, seal_of(segment.base), *segment.trailer))
      index = std::make_shared<const std::vector<IndexEntry>>(*std::move(entries));
  }
  if (!index) {
    auto scan =
        TRY(scan_segment(*file, seal_of(segment.base), segment.base, limits_.index_every_bytes));
    index = std::make_shared<const std::vector<IndexEntry>>(std::move(scan.index));
  }
  if (indexes_.size() >= kIndexesMax) indexes_.erase(indexes_.begin());
  indexes_.emplace(segment.base, index);
  return index;
}

base::Result<Partition::Start> Partition::find_start(Offset offset) {
  const std::lock_guard lock(mutex_);
  const Offset first = segments_.empty() ? 0 : segments_.front().base;
  const Offset next = segments_.empty() ? 0 : segments_.back().next;
  if (offset < first)
    return base::Error{base::Code::not_found,
                       "events before " + std::to_string(first) + " are kept no longer",
                       "offset_trimmed"};
  if (offset > next)
    return base::Error{base::Code::invalid_argument,
                       "the partition ends at " + std::to_string(next), "offset_beyond_end"};
  if (offset == next) return Start{next, next, 0, next};
  const auto behind =
      std::upper_bound(segments_.begin(), segments_.end(), offset,
                       [](Offset wanted, const Segment& segment) { return wanted < segment.base; });
  const Segment& segment = *(behind - 1);
  Start start{segment.base, segment.next, 0, segment.base};
  const Index index = TRY(index_of(segment));
  if (const IndexEntry* entry = find_entry(*index, offset)) {
    start.position = entry->position;
    start.at = entry->offset;
  }
  return start;
}

// True: the segment's events were read up to its end.
base::Result<bool> Partition::read_segment(const Start& start, Offset offset,
                                           const ReadLimits& limits, std::vector<StoredEvent>& out,
                                           std::size_t& bytes) {
  auto file = TRY(open_segment(start.base));
  const std::string seal = seal_of(start.base);
  Window window(*file);
  std::uint64_t position = start.position;
  std::uint64_t number = 0;
  for (Offset at = start.at; at < start.next;) {
    auto header = TRY(read_batch(window, seal, position));
    if (!header || header->first != at) {
      const auto found = TRY(find_batch(window, seal, position, number, at));
      const Offset next = found ? std::min(found->header.first, start.next) : start.next;
      if (next > offset) {
        if (!out.empty()) return false;
        return damaged({at, next});
      }
      if (!found) return true;
      position = found->position;
      header = found->header;
    }
    if (header->next() > offset) {
      const std::string_view all = TRY(window.view(position, kBatchHeaderBytes + header->size));
      std::vector<Event> events = TRY(decode_events(*header, all.substr(kBatchHeaderBytes)));
      for (std::size_t i = 0; i < events.size(); ++i) {
        if (header->first + i < offset) continue;
        bytes += encoded_size(events[i]);
        const bool is_full = out.size() >= limits.events_max || bytes > limits.bytes_max;
        if (!out.empty() && is_full) return false;
        out.push_back({std::move(events[i]), place_.number, header->first + i,
                       base::WallTime(std::chrono::milliseconds(header->time_ms))});
      }
    }
    at = header->next();
    number = header->number + 1;
    position += header->bytes();
  }
  return true;
}

base::Result<std::vector<StoredEvent>> Partition::read(Offset offset, const ReadLimits& limits) {
  std::vector<StoredEvent> out;
  std::size_t bytes = 0;
  while (out.size() < std::max<std::size_t>(limits.events_max, 1)) {
    const Start start = TRY(find_start(offset));
    if (start.at == start.next) break;
    auto whole = read_segment(start, offset, limits, out, bytes);
    // Retention may take the segment away under the reader.
    if (!whole && whole.error().code == base::Code::not_found && out.empty())
      return base::Error{base::Code::not_found, "these events are kept no longer",
                         "offset_trimmed"};
    if (!whole && !out.empty()) break;
    if (!TRY(std::move(whole))) break;
    offset = start.next;
  }
  return out;
}

base::Result<Offset> Partition::offset_at(base::WallTime time) {
  const std::int64_t wanted = time.time_since_epoch().count();
  Offset offset = 0;
  {
    const std::lock_guard lock(mutex_);
    if (segments_.empty()) return Offset{0};
    const auto found =
        std::find_if(segments_.begin(), segments_.end(), [&](const Segment& segment) {
          return segment.last_time_ms >= wanted && segment.next > segment.base;
        });
    if (found == segments_.end()) return segments_.back().next;
    const Index index = TRY(index_of(*found));
    offset = found->base;
    for (const IndexEntry& entry : *index)
      if (entry.time_ms < wanted) offset = entry.offset;
  }
  for (;;) {
    const auto events = read(offset, {});
    if (!events && events.error().reason == "event_damaged") return offset;
    if (!events) return events.error();
    if (events->empty()) return offset;
    for (const StoredEvent& stored : *events)
      if (stored.time >= time) return stored.offset;
    offset = events->back().offset + 1;
  }
}

}  // namespace services::event

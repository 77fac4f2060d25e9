// SPDX-License-Identifier: Apache-2.0
#include "dfs/replication/journal_recovery.h"

#include <algorithm>

#include "common/base/text.h"
#include "dfs/replication/journal_segment.h"

namespace dfs::replication {
using base::Result;

Result<void> JournalRecovery::run() {
  TRY(open_segments());
  if (found_.empty()) return {};
  TRY(check_generations());
  TRY(replay_segments());
  return hand_over();
}

Result<void> JournalRecovery::open_segments() {
  const std::string& folder = journal_.options_.folder;
  for (const std::string& name : TRY(journal_.disk_.list(folder))) {
    const Result<std::int64_t> number = base::parse_int(name, 1, INT64_MAX);
    if (!number) continue;  // one that was not finished
    journal_.next_name_ = std::max(journal_.next_name_, static_cast<std::uint64_t>(*number) + 1);
    Journal::Segment segment;
    segment.name = name;
    segment.file = TRY(journal_.disk_.open(folder + "/" + name, base::OpenMode::existing));
    segment.bytes = TRY(segment.file->size());
    const Result<SegmentHeader> header = read_segment_header(*segment.file);
    if (!header) return base::prepend("segment " + name, header.error());
    segment.generation = header->generation;
    segment.nonce = header->nonce;
    if (header->generation == 0) {
      journal_.free_.push_back(std::move(segment));
    } else if (!found_.emplace(header->generation, Found{std::move(segment), *header}).second) {
      return journal_corrupt("two segments have generation " + std::to_string(header->generation));
    }
  }
  return {};
}

// Those from the oldest that was still needed to the newest must be there.
Result<void> JournalRecovery::check_generations() const {
  const SegmentHeader& newest = found_.rbegin()->second.header;
  if (newest.oldest > newest.generation)
    return journal_corrupt("a segment header contradicts itself");
  for (std::uint64_t wanted = newest.oldest; wanted <= newest.generation; ++wanted) {
    if (!found_.contains(wanted))
      return journal_corrupt("the segment of generation " + std::to_string(wanted) + " is missing");
  }
  return {};
}

Result<void> JournalRecovery::replay_segments() {
  const SegmentHeader newest = found_.rbegin()->second.header;
  journal_.generation_ = newest.generation;
  for (auto at = found_.begin(); at != found_.end(); ++at) {
    Found& found = at->second;
    Journal::Segment& segment = found.segment;
    if (at->first < newest.oldest) {
      journal_.free_.push_back(std::move(segment));
      continue;
    }
    const auto next = std::next(at);
    SegmentScan scan{found.header.nonce, found.header.batches_before};
    if (next != found_.end()) scan.end = next->second.header.previous_end;
    if (scan.end && *scan.end > segment.bytes) return journal_corrupt("a segment is too short");
    const Result<std::uint64_t> end = scan_segment(
        *segment.file, scan, [&](JournalBatch batch) { return replay(std::move(batch), segment); });
    if (!end) return base::prepend("segment " + segment.name, end.error());
    if (next != found_.end() && scan.number != next->second.header.batches_before)
      return journal_corrupt("segment " + segment.name + " lacks batches");
    journal_.end_ = *end;
    journal_.number_ = scan.number;
    journal_.live_.push_back(std::move(segment));
  }
  return {};
}

Result<void> JournalRecovery::replay(JournalBatch batch, Journal::Segment& segment) {
  if (!batch.marks.empty()) marked_ = segment.generation;
  for (const GroupMark& mark : batch.marks) {
    Log& log = logs_[mark.group];
    log.promised = std::max(log.promised, mark.promised);
    if (mark.base.index < log.base.index) continue;
    log.base = mark.base;
    log.entries.erase(log.entries.begin(), log.entries.upper_bound(mark.base.index));
  }
  for (auto& [group, write] : batch.writes) {
    journal_.note(segment, group, write);
    TRY(replay(logs_[group], std::move(write)));
  }
  return {};
}

Result<void> JournalRecovery::replay(Log& log, LogWrite write) {
  log.promised = std::max(log.promised, write.promised);
  if (write.keep) log.settled = std::min(log.settled, *write.keep);
  if (write.base) log.settled = std::min(log.settled, write.base->index);
  log.settled = std::max(log.settled, write.settled);
  if (write.base) {
    log.entries.clear();
    log.base = *write.base;
  }
  if (write.keep) log.entries.erase(log.entries.upper_bound(*write.keep), log.entries.end());
  for (JournalEntry& each : write.entries) {
    const Index index = each.entry.index;
    if (index <= log.base.index) continue;
    // An entry takes the place of what is behind its predecessor, also where the cut is not said.
    if (!write.is_repeated) log.entries.erase(log.entries.lower_bound(index), log.entries.end());
    const auto [place, is_new] = log.entries.try_emplace(index, std::move(each));
    if (!is_new && place->second.entry.epoch != each.entry.epoch)
      return journal_corrupt("an entry that is written again differs");
  }
  return {};
}

Result<void> JournalRecovery::hand_over() {
  for (auto& [group, log] : logs_) {
    RecoveredGroup& recovered = journal_.recovered_[group];
    recovered.promised = log.promised;
    recovered.settled = log.settled;
    recovered.base = log.base;
    Index expected = log.base.index;
    for (auto& [index, each] : log.entries) {
      if (index != ++expected)
        return journal_corrupt("group " + std::to_string(group) + " lacks entry " +
                               std::to_string(expected));
      recovered.log.push_back(std::move(each));
    }
    journal_.known_[group] = {log.promised, log.base};
  }
  // Without this every start of a process that writes little would add a segment. Marks carry all
  // that is needed of the segments before the one they are in.
  journal_.count_releasable();
  for (; journal_.releasable_ > 0 && journal_.live_.front().generation < marked_;
       --journal_.releasable_) {
    journal_.free_.push_back(std::move(journal_.live_.front()));
    journal_.live_.pop_front();
  }
  journal_.releasable_ = 0;
  return {};
}

}  // namespace dfs::replication

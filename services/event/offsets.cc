// SPDX-License-Identifier: Apache-2.0
#include "services/event/offsets.h"

#include <algorithm>

#include "common/base/bytes.h"
#include "common/base/log.h"
#include "common/base/text.h"

namespace services::event {
namespace {

constexpr LogLimits kOffsetsLog{.segment_bytes = 1 << 20, .dedupe_ids = 0};
// Commits in the log before it is looked at.
constexpr Offset kCompactAfter = 10'000;
constexpr std::size_t kWrittenAtOnce = 1000;
constexpr Offset kForgotten = UINT64_MAX;

base::Result<void> check_group(const std::string& group) {
  if (!group.empty() && group.size() <= kGroupNameMax && base::is_utf8(group)) return {};
  return base::Error{base::Code::invalid_argument, "a group's name is 1 to 255 bytes of text",
                     "group_invalid"};
}

}  // namespace

base::Result<std::unique_ptr<Offsets>> Offsets::open(base::Disk& disk, const base::Clock& clock,
                                                     const std::string& folder) {
  if (auto made = disk.make_folder(folder);
      !made && made.error().code != base::Code::already_exists)
    return made.error();
  TRY(disk.sync_folder(std::string(base::folder_of(folder))));
  // Only what was written again is let go.
  const ChannelOptions options{1, UINT64_MAX, std::chrono::milliseconds(0)};
  auto log = TRY(
      Partition::open(disk, clock, {folder, "committed offsets", 0, folder}, options, kOffsetsLog));
  std::unique_ptr<Offsets> offsets(new Offsets(std::move(log)));
  TRY(offsets->load());
  return offsets;
}

base::Result<void> Offsets::load() {
  const PartitionState state = log_->state();
  next_id_ = state.next;
  for (Offset at = state.first; at < state.next;) {
    const auto events = log_->read(at, {});
    if (!events && events.error().reason == "event_damaged") {
      // The groups concerned go back to what they had committed before.
      for (const Damage& damage : log_->damage())
        if (damage.first <= at && at < damage.next) at = damage.next;
      continue;
    }
    if (!events) return events.error();
    for (const StoredEvent& stored : *events) {
      const std::string data = stored.event.data.value_or("");
      base::ByteReader reader(data);
      std::string group(TRY(reader.text()));
      std::string channel(TRY(reader.text()));
      const std::uint32_t partition = TRY(reader.u32());
      const Offset offset = TRY(reader.u64());
      Place place(std::move(group), std::move(channel), partition);
      if (offset == kForgotten) {
        committed_.erase(place);
      } else {
        committed_[std::move(place)] = {offset, stored.offset};
      }
    }
    at = events->back().offset + 1;
  }
  return {};
}

base::Result<void> Offsets::write(std::map<Place, Commit>& commits) {
  std::vector<Event> events;
  for (const auto& [place, commit] : commits) {
    const auto& [group, channel, partition] = place;
    base::ByteWriter data;
    data.text(group).text(channel).u32(partition).u64(commit.offset);
    events.push_back({std::to_string(next_id_++), "commit", std::nullopt, data.take()});
  }
  auto at = commits.begin();
  for (std::size_t i = 0; i < events.size(); i += kWrittenAtOnce) {
    std::vector<const Event*> some;
    for (std::size_t j = i; j < std::min(events.size(), i + kWrittenAtOnce); ++j)
      some.push_back(&events[j]);
    for (const Placed& placed : TRY(log_->append(std::move(some))))
      (at++)->second.written_at = placed.offset;
  }
  return {};
}

void Offsets::take(const std::map<Place, Commit>& commits) {
  const std::lock_guard lock(mutex_);
  for (const auto& [place, commit] : commits) {
    const auto found = committed_.find(place);
    if (commit.offset == kForgotten) {
      if (found != committed_.end()) committed_.erase(found);
    } else if (found == committed_.end()) {
      committed_.emplace(place, commit);
    } else if (found->second.written_at < commit.written_at) {
      found->second = commit;
    }
  }
}

base::Result<void> Offsets::commit(const std::string& group, std::span<const GroupOffset> offsets) {
  TRY(check_group(group));
  std::map<Place, Commit> fresh;
  for (const GroupOffset& one : offsets)
    fresh[{group, one.channel, one.partition}] = {std::min(one.offset, kForgotten - 1), 0};
  const std::shared_lock compacting(compacting_);
  {
    const std::lock_guard lock(mutex_);
    if (committed_.size() + fresh.size() > kCommitsMax)
      return base::Error{base::Code::failed_precondition,
                         "there are 100000 committed offsets; remove channels that are not used",
                         "too_many_commits"};
  }
  TRY(write(fresh));
  take(fresh);
  return {};
}

std::optional<Offset> Offsets::find(const std::string& group, const std::string& channel,
                                    std::uint32_t partition) {
  const std::lock_guard lock(mutex_);
  const auto found = committed_.find({group, channel, partition});
  if (found == committed_.end()) return std::nullopt;
  return found->second.offset;
}

void Offsets::forget_channel(const std::string& channel) {
  const std::shared_lock compacting(compacting_);
  std::map<Place, Commit> gone;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [place, commit] : committed_)
      if (std::get<1>(place) == channel) gone[place] = {kForgotten, 0};
  }
  if (auto done = write(gone); !done)
    base::log::warning("EVENT_OFFSETS_NOT_FORGOTTEN",
                       "what groups had read of a removed channel is still in the log, going on",
                       {{"channel", channel}}, done.error());
  take(gone);
}

base::Result<void> Offsets::compact() {
  const std::unique_lock compacting(compacting_);
  const PartitionState state = log_->state();
  std::map<Place, Commit> live;
  {
    const std::lock_guard lock(mutex_);
    if (state.next - state.first <= kCompactAfter + 4 * committed_.size()) return {};
    live = committed_;
  }
  TRY(write(live));
  take(live);
  log_->release_before(state.next);
  return {};
}

void Offsets::tick() {
  if (auto done = compact(); !done)
    base::log::warning("EVENT_LOG_UPKEEP_FAILED",
                       "committed offsets could not be written again, trying at the next tick", {},
                       done.error());
  log_->tick();
}

}  // namespace services::event

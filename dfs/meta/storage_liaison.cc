// SPDX-License-Identifier: Apache-2.0
#include "dfs/meta/storage_liaison.h"

#include <algorithm>

#include "common/base/log.h"

namespace dfs::meta {
namespace {

using base::Result;

constexpr std::size_t kRemovalsMax = 64;  // under way
constexpr auto kStorageSilence = std::chrono::seconds(4);
constexpr auto kCallTimeout = std::chrono::seconds(2);
constexpr auto kGarbageRetry = std::chrono::seconds(1);

}  // namespace

std::vector<GroupRecord> plan_groups(const std::vector<std::string>& nodes, std::uint32_t groups,
                                     std::size_t copies) {
  std::vector<GroupRecord> plan;
  for (std::uint32_t number = 1; number <= groups; ++number) {
    GroupRecord group;
    group.configuration.group = number;
    group.configuration.epoch = 1;
    for (std::size_t i = 0; i < std::min(copies, nodes.size()); ++i)
      group.copies.push_back(nodes[(number - 1 + i) % nodes.size()]);
    group.configuration.primary = group.copies.front();
    std::sort(group.copies.begin(), group.copies.end());
    group.configuration.in_sync = group.copies;
    plan.push_back(std::move(group));
  }
  return plan;
}

std::optional<std::vector<std::string>> plan_copies(
    const GroupRecord& group, const std::map<std::string, std::size_t>& copies_on_alive,
    const std::set<std::string>& missing, std::size_t copies) {
  // The least loaded one that has no copy yet.
  const std::string* best = nullptr;
  std::size_t least = 0;
  for (const auto& [node, load] : copies_on_alive) {
    if (std::find(group.copies.begin(), group.copies.end(), node) != group.copies.end()) continue;
    if (best != nullptr && load >= least) continue;
    best = &node;
    least = load;
  }
  if (best == nullptr) return std::nullopt;
  std::vector<std::string> next = group.copies;
  const auto gone = std::find_if(next.begin(), next.end(),
                                 [&](const std::string& node) { return missing.contains(node); });
  if (gone != next.end()) {
    *gone = *best;
  } else if (next.size() < copies) {
    next.push_back(*best);
  } else {
    return std::nullopt;
  }
  std::sort(next.begin(), next.end());
  return next;
}

struct StorageLiaison::FenceJob {
  VolumeNumber volume = 0;
  VolumeEpoch epoch = 0;
  std::set<GroupNumber> left;   // have not answered
  std::set<GroupNumber> asked;  // of these, a call is under way
  std::function<void()> done;
};

StorageLiaison::StorageLiaison(const ServerOptions& options, MetaState& state, base::Net& net,
                               base::Timers& timers, Propose propose, ServerCounts& counts)
    : options_(options),
      state_(state),
      net_(net),
      timers_(timers),
      propose_(std::move(propose)),
      counts_(counts) {}

void StorageLiaison::start() {
  started_ = true;
  since_ = garbage_next_ = timers_.clock().now();
}

void StorageLiaison::stop() {
  started_ = false;
  seen_.clear();
  replaced_.clear();
  clients_.clear();
  removing_.clear();
  removed_.clear();
  fences_.clear();
  placing_ = reporting_ = false;
  alive_ = std::make_shared<bool>(true);  // answers that are under way mean nothing any more
}

std::vector<GroupPlace> StorageLiaison::places() const {
  std::vector<GroupPlace> places;
  for (const auto& [number, group] : state_.groups()) {
    GroupPlace place;
    place.group = number;
    place.epoch = group.configuration.epoch;
    place.primary = group.configuration.primary;
    for (const std::string& node : group.configuration.in_sync) {
      const auto known = state_.storage().find(node);
      if (known != state_.storage().end()) place.members.push_back(known->second.node);
    }
    places.push_back(std::move(place));
  }
  return places;
}

std::vector<StorageView> StorageLiaison::view() const {
  std::vector<StorageView> views;
  const base::Instant now = timers_.clock().now();
  for (const auto& [node, record] : state_.storage()) {
    StorageView view{record};
    const auto seen = seen_.find(node);
    if (seen != seen_.end()) view.bytes_free = seen->second.bytes_free;
    view.is_alive = is_here(node, now);
    views.push_back(std::move(view));
  }
  return views;
}

bool StorageLiaison::is_here(const std::string& node, base::Instant now) const {
  const auto seen = seen_.find(node);
  return seen != seen_.end() && now - seen->second.at < kStorageSilence;
}

std::uint64_t StorageLiaison::bytes_used() const {
  std::uint64_t sum = 0;
  for (const auto& [number, volume] : state_.volumes()) sum += volume.bytes_used;
  return sum;
}

void StorageLiaison::note_seen(const std::string& node, std::uint64_t bytes_free) {
  seen_[node] = {timers_.clock().now(), bytes_free, bytes_used()};
}

// What was taken since a server's report is not in it: all servers are assumed to have their part.
std::uint64_t StorageLiaison::bytes_free() const {
  const std::uint64_t used = bytes_used();
  const std::uint64_t parts = std::max<std::size_t>(seen_.size(), 1);
  std::uint64_t sum = 0;
  for (const auto& [node, seen] : seen_) {
    const std::uint64_t grown = used - std::min(used, seen.bytes_used);
    const std::uint64_t taken = grown / parts * std::min<std::uint64_t>(parts, options_.copies);
    sum += seen.bytes_free - std::min(seen.bytes_free, taken);
  }
  const std::size_t copies = std::clamp<std::size_t>(state_.storage().size(), 1, options_.copies);
  return sum / copies;
}

void StorageLiaison::register_storage(const RegisterStorage& request, Responder responder) {
  const std::string& node = request.node.node;
  const auto answer = [this, node](Responder& to) {
    RegisterStorageReply reply;
    std::set<std::string> nodes{node};
    for (const auto& [number, group] : state_.groups()) {
      const auto& in_sync = group.configuration.in_sync;
      if (std::find(in_sync.begin(), in_sync.end(), node) == in_sync.end() &&
          std::find(group.copies.begin(), group.copies.end(), node) == group.copies.end())
        continue;
      reply.groups.push_back(group.configuration);
      nodes.insert(in_sync.begin(), in_sync.end());
      nodes.insert(group.copies.begin(), group.copies.end());
    }
    for (const std::string& name : nodes) {
      const auto known = state_.storage().find(name);
      if (known != state_.storage().end()) reply.nodes.push_back(known->second.node);
    }
    to.answer(encode(reply));
  };
  const auto known = state_.storage().find(node);
  if (known != state_.storage().end()) {
    note_seen(node, request.bytes_free);
    if (known->second.node == request.node &&
        known->second.bytes_capacity == request.bytes_capacity)
      return answer(responder);
  }
  const RegisterStorageCommand command{
      request.node, request.bytes_capacity,
      timers_.clock().wall().time_since_epoch().count() * std::int64_t{1'000'000}};
  auto waiting = std::make_shared<Responder>(std::move(responder));
  propose_(encode_command(command),
           [this, answer, waiting, node, free = request.bytes_free,
            alive = std::weak_ptr<bool>(alive_)](Result<std::string> applied) {
             if (!applied) return waiting->fail(applied.error());
             const Result<Nothing> done = decode_answer<Nothing>(*applied);
             if (!done) return waiting->fail(done.error());
             if (!alive.expired()) note_seen(node, free);
             answer(*waiting);
           });
}

void StorageLiaison::tick() {
  if (!started_) return;
  const base::Instant now = timers_.clock().now();
  place_copies(now);
  if (now >= garbage_next_) remove_garbage();
  report_removed();
  for (const auto& job : std::vector(fences_)) send_fences(job);
}

std::set<std::string> StorageLiaison::missing_nodes(base::Instant now) {
  std::set<std::string> missing;
  std::map<std::pair<std::string, std::uint16_t>, std::string> addresses;  // of those that are here
  for (const auto& [node, record] : state_.storage())
    if (is_here(node, now)) addresses[{record.node.host, record.node.port}] = node;
  for (const auto& [node, record] : state_.storage()) {
    if (is_here(node, now)) {
      replaced_.erase(node);
      continue;
    }
    const auto seen = seen_.find(node);
    const base::Instant at = seen == seen_.end() ? since_ : seen->second.at;
    if (now - at >= options_.storage_replace_after) missing.insert(node);
    // Only one disk is served at an address: this one was wiped or taken out.
    const auto other = addresses.find({record.node.host, record.node.port});
    if (other == addresses.end()) continue;
    missing.insert(node);
    if (replaced_.emplace(node, other->second).second)
      base::log::warning("META_STORAGE_REPLACED",
                         "another disk answers at the address of a storage server's disk, and gets "
                         "its copies",
                         {{"address", record.node.host + ":" + std::to_string(record.node.port)},
                          {"gone", node},
                          {"instead", other->second}});
  }
  return missing;
}

// Once no group counts on them; until then the command is refused.
void StorageLiaison::forget_replaced(const std::set<std::string>& missing) {
  for (const auto& [node, other] : replaced_) {
    const bool is_needed = std::any_of(
        state_.groups().begin(), state_.groups().end(), [&node = node](const auto& group) {
          const auto& [number, record] = group;
          const auto& in_sync = record.configuration.in_sync;
          return std::find(record.copies.begin(), record.copies.end(), node) !=
                     record.copies.end() ||
                 std::find(in_sync.begin(), in_sync.end(), node) != in_sync.end();
        });
    if (is_needed || !missing.contains(node) || !state_.storage().contains(node)) continue;
    placing_ = true;
    return propose_(
        encode_command(ForgetStorageCommand{node}),
        [this, node = node, alive = std::weak_ptr<bool>(alive_)](const Result<std::string>&) {
          if (alive.expired()) return;
          placing_ = false;
          if (!state_.storage().contains(node)) {
            replaced_.erase(node);
            seen_.erase(node);
          }
        });
  }
}

void StorageLiaison::place_copies(base::Instant now) {
  if (placing_) return;
  const std::set<std::string> missing = missing_nodes(now);
  std::map<std::string, std::size_t> alive;
  for (const auto& [node, record] : state_.storage()) {
    if (is_here(node, now)) alive[node] = 0;
  }
  std::string payload;
  if (state_.groups().empty()) {
    if (alive.empty() || alive.size() < options_.storage_nodes_expected) return;
    std::vector<std::string> nodes;
    for (const auto& [node, load] : alive) nodes.push_back(node);
    payload =
        encode_command(MakeGroupsCommand{plan_groups(nodes, options_.groups, options_.copies)});
    base::log::info(
        "META_GROUPS_MADE", "chunk groups are placed on the storage servers",
        {{"groups", std::to_string(options_.groups)}, {"nodes", std::to_string(nodes.size())}});
  } else {
    for (const auto& [number, group] : state_.groups()) {
      for (const std::string& node : group.copies) {
        const auto at = alive.find(node);
        if (at != alive.end()) ++at->second;
      }
    }
    for (const auto& [number, group] : state_.groups()) {
      const auto next = plan_copies(group, alive, missing, options_.copies);
      if (!next) continue;
      payload = encode_command(PlaceCopiesCommand{number, *next});
      break;
    }
  }
  if (payload.empty()) return forget_replaced(missing);
  placing_ = true;
  propose_(std::move(payload),
           [this, alive_mark = std::weak_ptr<bool>(alive_)](const Result<std::string>&) {
             if (!alive_mark.expired()) placing_ = false;
           });
}

RpcClient* StorageLiaison::primary_of(GroupNumber group) {
  const auto at = state_.groups().find(group);
  if (at == state_.groups().end()) return nullptr;
  const auto known = state_.storage().find(at->second.configuration.primary);
  if (known == state_.storage().end()) return nullptr;
  const base::Endpoint endpoint{known->second.node.host, known->second.node.port};
  std::unique_ptr<RpcClient>& client = clients_[known->first];
  if (!client || client->peer() != endpoint)
    client = std::make_unique<RpcClient>(net_, timers_, endpoint);
  return client.get();
}

// ---- objects that no file needs ----

void StorageLiaison::remove_garbage() {
  garbage_next_ = timers_.clock().now() + kGarbageRetry;
  ObjectNumber after = 0;
  while (removing_.size() < kRemovalsMax) {
    const std::vector<GarbageRecord> found = state_.garbage(after, kRemovalsMax);
    for (const GarbageRecord& garbage : found) {
      after = garbage.object;
      if (removing_.size() < kRemovalsMax && !removing_.contains(garbage.object) &&
          std::find(removed_.begin(), removed_.end(), garbage.object) == removed_.end())
        remove_object(garbage);
    }
    if (found.size() < kRemovalsMax) return;
  }
}

void StorageLiaison::remove_object(const GarbageRecord& garbage) {
  RpcClient* client = primary_of(garbage.group);
  if (client == nullptr) return;
  removing_.insert(garbage.object);
  const auto volume = state_.volumes().find(garbage.volume);
  // Of a volume that is gone nobody writes, whatever the epoch.
  const VolumeEpoch epoch = volume == state_.volumes().end() ? UINT64_MAX : volume->second.epoch;
  client->call(RemoveObject{{garbage.volume, epoch, garbage.group, garbage.object}}, kCallTimeout,
               [this, object = garbage.object, alive = std::weak_ptr<bool>(alive_)](
                   const Result<ChangeReply>& reply, std::string_view) {
                 if (alive.expired()) return;
                 removing_.erase(object);
                 if (!reply) return;
                 removed_.push_back(object);
                 ++counts_.objects_removed;
                 if (removing_.empty()) {
                   garbage_next_ = timers_.clock().now();  // there may be more
                   report_removed();
                 }
               });
}

void StorageLiaison::report_removed() {
  if (removed_.empty() || reporting_) return;
  reporting_ = true;
  const GarbageRemovedCommand command{removed_};
  propose_(
      encode_command(command), [this, count = removed_.size(), alive = std::weak_ptr<bool>(alive_)](
                                   const Result<std::string>& applied) {
        if (alive.expired()) return;
        reporting_ = false;
        if (applied)
          removed_.erase(removed_.begin(), removed_.begin() + static_cast<std::ptrdiff_t>(count));
      });
}

// ---- fences ----

void StorageLiaison::fence(VolumeNumber volume, std::function<void()> done) {
  const auto at = state_.volumes().find(volume);
  auto job = std::make_shared<FenceJob>();
  job->volume = volume;
  job->epoch = at == state_.volumes().end() ? 0 : at->second.epoch;
  job->done = std::move(done);
  for (const auto& [number, group] : state_.groups()) job->left.insert(number);
  if (job->left.empty()) return job->done();
  fences_.push_back(job);
  send_fences(job);
}

// To each group that has not answered and is not being asked; tick() tries again.
void StorageLiaison::send_fences(const std::shared_ptr<FenceJob>& job) {
  for (const GroupNumber group : job->left) {
    RpcClient* client = primary_of(group);
    if (client == nullptr || !job->asked.insert(group).second) continue;
    client->call(Fence{group, job->volume, job->epoch}, kCallTimeout,
                 [this, job, group, alive = std::weak_ptr<bool>(alive_)](
                     const Result<ChangeReply>& reply, std::string_view) {
                   if (alive.expired()) return;
                   job->asked.erase(group);
                   // A higher epoch fences more than we ask for.
                   if (!reply && reply.error().reason != "stale_epoch") return;
                   job->left.erase(group);
                   if (!job->left.empty()) return;
                   std::erase(fences_, job);
                   job->done();
                 });
  }
}

}  // namespace dfs::meta

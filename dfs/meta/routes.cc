// SPDX-License-Identifier: Apache-2.0
#include "dfs/meta/routes.h"

#include <algorithm>
#include <future>
#include <nlohmann/json.hpp>

namespace dfs::meta {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using rest::Method;
using rest::Request;
using rest::Response;
using rest::Run;

constexpr rest::Scope kRead("dfs:read");
constexpr rest::Scope kAdmin("dfs:admin");
constexpr auto kCommandMax = std::chrono::seconds(20);
constexpr std::int64_t kBytesMax = std::int64_t{1} << 60;
constexpr std::int64_t kInodesMax = std::int64_t{1} << 48;

// ---- the loop from a worker ----

// Proposes on the loop and waits here. The outcome is unknown after timed_out.
template <class Command>
Result<typename Command::Answer> command(Api& api, const Command& wanted) {
  auto promise = std::make_shared<std::promise<Result<std::string>>>();  // of both threads
  auto future = promise->get_future();
  api.post([&api, payload = encode_command(wanted), promise]() mutable {
    api.server->command(std::move(payload), [promise](Result<std::string> answer) {
      promise->set_value(std::move(answer));
    });
  });
  if (future.wait_for(kCommandMax) != std::future_status::ready)
    return Error{Code::timed_out, "the metadata servers did not agree in time", "commit_timed_out"};
  const std::string answer = TRY(future.get());
  return decode_answer<typename Command::Answer>(answer);
}

template <class Value>
Value ask(Api& api, std::function<Value()> read) {
  auto promise = std::make_shared<std::promise<Value>>();  // of both threads
  auto future = promise->get_future();
  api.post([promise, read = std::move(read)] { promise->set_value(read()); });
  return future.get();
}

TimeNs wall_time() {
  return base::system_clock().wall().time_since_epoch().count() * std::int64_t{1'000'000};
}

// ---- volumes ----

const char* durability_name(Durability durability) {
  return durability == Durability::strict ? "strict" : "posix";
}

Json write_volume(const MetaState& state, const VolumeRecord& volume) {
  Json clients = Json::array();
  for (const auto& [number, session] : state.sessions()) {
    if (session.volume == volume.volume) clients.push_back(session.host);
  }
  return {{"name", volume.name},
          {"epoch", volume.epoch},
          {"durability", durability_name(volume.durability)},
          {"inline_max_bytes", volume.inline_max},
          {"quota_bytes", volume.bytes_max},
          {"quota_inodes", volume.inodes_max},
          {"used_bytes", volume.bytes_used},
          {"used_inodes", volume.inodes_used},
          {"clients", std::move(clients)}};
}

Result<Response> list_volumes(Api& api, const Request&) {
  Json volumes = Json::array();
  for (const auto& [number, volume] : api.state->volumes()) {
    if (!volume.is_removed && !api.state->is_snapshot(number))
      volumes.push_back(write_volume(*api.state, volume));
  }
  return Response::json({{"volumes", std::move(volumes)}});
}

Result<Response> show_volume(Api& api, const Request& request) {
  const VolumeRecord* volume = std::as_const(*api.state).find_volume(request.parameter("name"));
  if (volume == nullptr)
    return Error{Code::not_found, "there is no volume of this name", "volume_unknown"};
  return Response::json(write_volume(*api.state, *volume));
}

Json describe(Api& api, const std::string& name) {
  return ask<Json>(api, [&api, name] {
    const VolumeRecord* volume = std::as_const(*api.state).find_volume(name);
    return volume == nullptr ? Json::object() : write_volume(*api.state, *volume);
  });
}

Result<Response> create_volume(Api& api, const Request& request) {
  const Json body = TRY(request.json());
  CreateVolumeCommand wanted;
  std::int64_t bytes = 0, inodes = 0, inline_max = wanted.inline_max, uid = 0, gid = 0;
  std::string durability = "posix", mode = "0755";
  base::Fields fields(body);
  fields.required("name", wanted.name, {.length_min = 1, .length_max = 64});
  fields.optional("quota_bytes", bytes, {.min = 0, .max = kBytesMax});
  fields.optional("quota_inodes", inodes, {.min = 0, .max = kInodesMax});
  fields.optional("inline_max_bytes", inline_max,
                  {.min = 0, .max = static_cast<std::int64_t>(kInlineMax)});
  fields.optional("durability", durability);
  fields.optional("mode", mode, {.length_min = 3, .length_max = 5});
  fields.optional("uid", uid, {.min = 0, .max = UINT32_MAX - 1});
  fields.optional("gid", gid, {.min = 0, .max = UINT32_MAX - 1});
  if (durability != "posix" && durability != "strict")
    fields.reject("durability", "is posix or strict");
  if (mode.find_first_not_of("01234567") != std::string::npos || mode.size() > 5)
    fields.reject("mode", "is an octal number, for instance 0755");
  TRY(fields.finish(base::UnknownFields::refuse));
  wanted.bytes_max = static_cast<std::uint64_t>(bytes);
  wanted.inodes_max = static_cast<std::uint64_t>(inodes);
  wanted.inline_max = static_cast<std::uint32_t>(inline_max);
  wanted.durability = durability == "strict" ? Durability::strict : Durability::posix;
  wanted.mode = static_cast<std::uint32_t>(std::stoul(mode, nullptr, 8));
  wanted.uid = static_cast<std::uint32_t>(uid);
  wanted.gid = static_cast<std::uint32_t>(gid);
  wanted.time = wall_time();
  TRY(command(api, wanted));
  return Response::created("/dfs/v1/volumes/" + wanted.name, describe(api, wanted.name));
}

Result<Response> change_volume(Api& api, const Request& request) {
  const Json body = TRY(request.json());
  ChangeVolumeCommand wanted;
  wanted.name = request.parameter("name");
  std::int64_t bytes = -1, inodes = -1;
  base::Fields fields(body);
  fields.optional("quota_bytes", bytes, {.min = 0, .max = kBytesMax});
  fields.optional("quota_inodes", inodes, {.min = 0, .max = kInodesMax});
  TRY(fields.finish(base::UnknownFields::refuse));
  if (bytes >= 0) wanted.bytes_max = static_cast<std::uint64_t>(bytes);
  if (inodes >= 0) wanted.inodes_max = static_cast<std::uint64_t>(inodes);
  TRY(command(api, wanted));
  return Response::json(describe(api, wanted.name));
}

Result<Response> remove_volume(Api& api, const Request& request) {
  TRY(command(api, RemoveVolumeCommand{request.parameter("name")}));
  return Response::no_content();
}

// Afterwards nobody who had the volume open under a lower epoch can change any of its content.
Result<void> fence(Api& api, VolumeNumber volume) {
  auto promise = std::make_shared<std::promise<void>>();  // of both threads
  auto future = promise->get_future();
  api.post(
      [&api, promise, volume] { api.server->fence(volume, [promise] { promise->set_value(); }); });
  if (future.wait_for(kCommandMax) != std::future_status::ready)
    return Error{Code::timed_out, "a chunk group did not take the new epoch in time",
                 "commit_timed_out"};
  return {};
}

Result<Response> count_epoch_up(Api& api, const Request& request) {
  ChangeVolumeCommand wanted;
  wanted.name = request.parameter("name");
  wanted.count_epoch_up = true;
  const VolumeRecord volume = TRY(command(api, wanted));
  TRY(fence(api, volume.volume));
  return Response::json({{"name", volume.name}, {"epoch", volume.epoch}});
}

// ---- snapshots ----

Json write_snapshot(const MetaState& state, const VolumeRecord& made) {
  const SnapshotRecord& snapshot = state.snapshots().at(made.volume);
  Json clients = Json::array();
  for (const auto& [number, session] : state.sessions()) {
    if (session.volume == made.volume) clients.push_back(session.host);
  }
  return {{"name", made.name.substr(made.name.find('@') + 1)},
          {"volume", made.name.substr(0, made.name.find('@'))},
          {"mount", made.name},
          {"created", base::format_time(base::WallTime(
                          std::chrono::milliseconds(made.created / std::int64_t{1'000'000})))},
          {"used_bytes", snapshot.bytes_used},
          {"used_inodes", snapshot.inodes_used},
          {"clients", std::move(clients)}};
}

Result<Response> list_snapshots(Api& api, const Request& request) {
  const VolumeRecord* volume = std::as_const(*api.state).find_volume(request.parameter("name"));
  if (volume == nullptr)
    return Error{Code::not_found, "there is no volume of this name", "volume_unknown"};
  Json snapshots = Json::array();
  for (const auto& [number, snapshot] : api.state->snapshots()) {
    const VolumeRecord& made = api.state->volumes().at(number);
    if (snapshot.origin == volume->volume && !made.is_removed)
      snapshots.push_back(write_snapshot(*api.state, made));
  }
  return Response::json({{"snapshots", std::move(snapshots)}});
}

Result<Response> create_snapshot(Api& api, const Request& request) {
  const Json body = TRY(request.json());
  CreateSnapshotCommand wanted;
  wanted.volume = request.parameter("name");
  base::Fields fields(body);
  fields.required("name", wanted.name, {.length_min = 1, .length_max = 64});
  TRY(fields.finish(base::UnknownFields::refuse));
  wanted.time = wall_time();
  auto promise = std::make_shared<std::promise<Result<std::string>>>();  // of both threads
  auto future = promise->get_future();
  api.post([&api, wanted, promise] {
    api.server->snapshot(
        wanted, [promise](Result<std::string> answer) { promise->set_value(std::move(answer)); });
  });
  if (future.wait_for(kCommandMax) != std::future_status::ready)
    return Error{Code::timed_out, "the metadata servers did not agree in time", "commit_timed_out"};
  const std::string answer = TRY(future.get());
  const VolumeRecord made = TRY(decode_answer<VolumeRecord>(answer));
  return Response::created("/dfs/v1/volumes/" + wanted.volume + "/snapshots/" + wanted.name,
                           ask<Json>(api, [&api, made] {
                             return api.state->is_snapshot(made.volume)
                                        ? write_snapshot(*api.state, made)
                                        : Json::object();
                           }));
}

Result<Response> remove_snapshot(Api& api, const Request& request) {
  TRY(command(
      api, RemoveVolumeCommand{request.parameter("name") + "@" + request.parameter("snapshot")}));
  return Response::no_content();
}

Result<Response> restore_snapshot(Api& api, const Request& request) {
  RestoreSnapshotCommand wanted{request.parameter("name"), request.parameter("snapshot")};
  const VolumeRecord volume = TRY(command(api, wanted));
  TRY(fence(api, volume.volume));
  return Response::json(describe(api, volume.name));
}

// ---- status ----

Json write_groups(const Api& api) {
  Json groups = Json::array();
  for (const auto& [number, group] : api.state->groups()) {
    groups.push_back({{"group", number},
                      {"epoch", group.configuration.epoch},
                      {"primary", group.configuration.primary},
                      {"in_sync", group.configuration.in_sync},
                      {"copies", group.copies}});
  }
  return groups;
}

Result<Response> show_status(Api& api, const Request&) {
  const replication::Configuration& now = api.group->configuration();
  std::vector<std::string> in_sync;
  for (const auto& member : now.in_sync) in_sync.push_back(member.text());
  Json sessions = Json::array();
  for (const SessionView& view : api.server->sessions()) {
    const auto volume = api.state->volumes().find(view.record.volume);
    sessions.push_back({{"session", view.record.session},
                        {"host", view.record.host},
                        {"volume", volume == api.state->volumes().end() ? "" : volume->second.name},
                        {"leases", view.leases},
                        {"waits_for_reclaim", view.is_waiting_for_reclaim}});
  }
  return Response::json({{"name", api.name},
                         {"is_primary", api.group->is_serving()},
                         {"primary", now.primary.text()},
                         {"epoch", now.epoch},
                         {"in_sync", in_sync},
                         {"applied", api.group->applied()},
                         {"health", health(api)},
                         {"sessions", std::move(sessions)},
                         {"groups", write_groups(api)}});
}

Result<Response> list_devices(Api& api, const Request&) {
  Json devices = Json::array();
  for (const StorageView& view : api.server->storage()) {
    devices.push_back({{"node", view.record.node.node},
                       {"address", view.record.node.host},
                       {"port", view.record.node.port},
                       {"alive", view.is_alive},
                       {"capacity_bytes", view.record.bytes_capacity},
                       {"free_bytes", view.bytes_free}});
  }
  return Response::json({{"devices", std::move(devices)}});
}

Result<Response> forget_device(Api& api, const Request& request) {
  TRY(command(api, ForgetStorageCommand{request.parameter("node")}));
  return Response::no_content();
}

Result<Response> run_fsck(Api& api, const Request&) {
  const FsckReport report = TRY(check_durable(api.state->table().store()));
  return Response::json({{"volumes", report.volumes},
                         {"inodes", report.inodes},
                         {"names", report.names},
                         {"orphans", report.orphans},
                         {"garbage", report.garbage},
                         {"wrong", report.wrong},
                         {"problems", report.problems}});
}

constexpr rest::RouteLimits kSlow = {.handler_max = std::chrono::seconds(600)};

constexpr rest::Route<Api> kRoutes[] = {
    {Method::get, "/dfs/v1/volumes", kRead, Run::on_loop, list_volumes, "List volumes"},
    {Method::post, "/dfs/v1/volumes", kAdmin, Run::on_worker, create_volume, "Create a volume"},
    {Method::get, "/dfs/v1/volumes/{name}", kRead, Run::on_loop, show_volume, "Show a volume"},
    {Method::patch, "/dfs/v1/volumes/{name}", kAdmin, Run::on_worker, change_volume,
     "Change a volume's quotas"},
    {Method::put, "/dfs/v1/volumes/{name}", kAdmin, Run::on_worker, change_volume,
     "Change a volume's quotas, as PATCH"},
    {Method::del, "/dfs/v1/volumes/{name}", kAdmin, Run::on_worker, remove_volume,
     "Remove a volume and all its files"},
    {Method::post, "/dfs/v1/volumes/{name}/epoch", kAdmin, Run::on_worker, count_epoch_up,
     "Shut out everybody who has the volume open"},
    {Method::get, "/dfs/v1/volumes/{name}/snapshots", kRead, Run::on_loop, list_snapshots,
     "List a volume's snapshots"},
    {Method::post, "/dfs/v1/volumes/{name}/snapshots", kAdmin, Run::on_worker, create_snapshot,
     "Make a snapshot of a volume"},
    {Method::del, "/dfs/v1/volumes/{name}/snapshots/{snapshot}", kAdmin, Run::on_worker,
     remove_snapshot, "Remove a snapshot"},
    {Method::post, "/dfs/v1/volumes/{name}/snapshots/{snapshot}/restore", kAdmin, Run::on_worker,
     restore_snapshot, "Take a volume back to a snapshot"},
    {Method::get, "/dfs/v1/status", kRead, Run::on_loop, show_status,
     "Metadata servers, clients, chunk groups and their health"},
    {Method::get, "/dfs/v1/devices", kRead, Run::on_loop, list_devices, "List storage servers"},
    {Method::del, "/dfs/v1/devices/{node}", kAdmin, Run::on_worker, forget_device,
     "Forget a storage server that no chunk group counts on"},
    {Method::post, "/dfs/v1/fsck", kRead, Run::on_worker, run_fsck,
     "Check the metadata of the last checkpoint", kSlow},
};

// A reader as a store, for a state that is only looked at. Views live until the next find().
class ReaderStore final : public BaseStore {
 public:
  explicit ReaderStore(std::unique_ptr<BaseReader> reader)
      : reader_(std::move(reader)), cursor_(reader_->cursor()) {}
  replication::Position position() const override { return reader_->position(); }
  std::optional<std::string_view> find(std::string_view key) const override {
    if (!cursor_->seek(key) || cursor_->key() != key) return std::nullopt;
    return cursor_->value();
  }
  std::unique_ptr<BaseCursor> cursor() const override { return reader_->cursor(); }
  Result<void> write(const Changes&, replication::Position) override { return read_only(); }
  void adopt() override {}
  Result<std::unique_ptr<BaseReader>> open_reader() const override { return read_only(); }
  Result<std::unique_ptr<BaseReplacement>> replace() override { return read_only(); }
  Result<void> copy_to(const std::filesystem::path&) override { return read_only(); }
  std::uint64_t used_bytes() const override { return 0; }

 private:
  static Error read_only() {
    return {Code::unsupported, "this state is only looked at", "backup_unsupported"};
  }
  std::unique_ptr<BaseReader> reader_;
  std::unique_ptr<BaseCursor> cursor_;
};

class NoQueue final : public replication::DiskQueue {
 public:
  void submit(std::function<void()>, std::function<void()>) override {}
};

}  // namespace

Result<FsckReport> check_durable(const BaseStore& store) {
  ReaderStore view(TRY(store.open_reader()));
  NoQueue queue;
  const MetaState state(view, queue);
  return check_state(state);
}

Json health(const Api& api) {
  Json problems = Json::array();
  bool is_unavailable = false;
  const replication::Configuration& now = api.group->configuration();
  if (now.in_sync.size() < api.members)
    problems.push_back(std::to_string(now.in_sync.size()) + " of " + std::to_string(api.members) +
                       " metadata servers are in sync");
  if (now.primary.empty()) {
    is_unavailable = true;
    problems.push_back("no metadata server leads");
  }
  if (!api.group->is_serving()) {
    return {{"status", is_unavailable     ? "unavailable"
                       : problems.empty() ? "ok"
                                          : "degraded"},
            {"role", "member"},
            {"problems", std::move(problems)}};
  }
  std::map<std::string, bool> alive;
  for (const StorageView& view : api.server->storage())
    alive[view.record.node.node] = view.is_alive;
  std::size_t wanted = std::min(api.copies, std::max<std::size_t>(alive.size(), 1));
  std::size_t lonely = 0, thin = 0, away = 0;
  for (const auto& [number, group] : api.state->groups()) {
    const auto& in_sync = group.configuration.in_sync;
    const auto live = static_cast<std::size_t>(
        std::count_if(in_sync.begin(), in_sync.end(), [&](const std::string& node) {
          const auto at = alive.find(node);
          return at != alive.end() && at->second;
        }));
    if (live == 0) {
      ++away;
    } else if (live < wanted) {
      ++(live == 1 ? lonely : thin);
    }
  }
  const auto of_groups = [&](std::size_t count) {
    return std::to_string(count) + " of " + std::to_string(api.state->groups().size()) +
           " chunk groups";
  };
  if (api.state->groups().empty()) {
    is_unavailable = true;
    problems.push_back(
        "no storage server has come yet: files beyond the inline size cannot be written");
  }
  if (away > 0) {
    is_unavailable = true;
    problems.push_back(of_groups(away) +
                       " have no server that is alive: their files cannot be read");
  }
  if (lonely > 0)
    problems.push_back(of_groups(lonely) + " have one copy left: the next loss loses data");
  if (thin > 0) problems.push_back(of_groups(thin) + " have fewer copies than wanted");
  if (api.server->is_in_grace()) problems.push_back("clients are reclaiming their leases");
  return {{"status", is_unavailable     ? "unavailable"
                     : problems.empty() ? "ok"
                                        : "degraded"},
          {"role", "primary"},
          {"problems", std::move(problems)}};
}

void add_routes(rest::RouteTable& table, Api* api) {
  if (api == nullptr) {
    table.describe(kRoutes);
  } else {
    table.add(kRoutes, *api);
  }
}

}  // namespace dfs::meta

// SPDX-License-Identifier: Apache-2.0
#include "node/agent/volumes.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "common/base/text.h"
#include "common/sys/files.h"
#include "common/sys/tls.h"
#include "node/agent/backoff.h"

namespace node::agent {

namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using std::chrono::milliseconds;
using sys::UnitProperty;

constexpr std::size_t kNameMax = 64;  // of the file system's volumes
constexpr std::size_t kHashDigits = 16;
constexpr std::string_view kUnitSuffix = ".service";
constexpr milliseconds kVolumePatience{30'000};  // for a file system that comes up with the node
constexpr milliseconds kRetryFirst{100};
constexpr milliseconds kRetryLongest{2000};
constexpr std::uint64_t kMountTimeoutUs = 60'000'000;
constexpr std::uint64_t kUnmountTimeoutUs =
    90'000'000;  // what was written is made durable meanwhile
constexpr std::uint64_t kCapSysAdmin = std::uint64_t{1} << 21;
constexpr std::uint64_t kTasksMax = 64;

std::string mount_unit(std::size_t index, const Record& record) {
  // The instance's own unit without its prefix.
  return std::string(kMountPrefix) + std::to_string(index) + "-" +
         record.unit().substr(api::kUnitPrefix.size());
}

bool is_busy(int status) { return status == 502 || status == 503 || status == 504; }

std::string detail_of(const sys::HttpReply& reply) {
  const auto json = base::parse_json(reply.body);
  if (json && json->is_object() && json->contains("detail") && (*json)["detail"].is_string())
    return (*json)["detail"].get<std::string>();
  return "status " + std::to_string(reply.status);
}

}  // namespace

std::string dfs_volume_name(const std::string& persistent) {
  if (persistent.size() <= kNameMax) return persistent;
  const std::string hash = sys::sha256_hex(persistent).substr(0, kHashDigits);
  return persistent.substr(0, kNameMax - kHashDigits - 1) + "-" + hash;
}

std::optional<MountOwner> parse_mount_unit(std::string_view unit) {
  if (!unit.starts_with(kMountPrefix) || !unit.ends_with(kUnitSuffix)) return std::nullopt;
  unit.remove_prefix(kMountPrefix.size());
  const std::size_t dash = unit.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto index = base::parse_int(unit.substr(0, dash), 0, 1000);
  std::string owner = std::string(api::kUnitPrefix) + std::string(unit.substr(dash + 1));
  if (!index || !api::parse_unit_name(owner)) return std::nullopt;
  return MountOwner{static_cast<std::size_t>(*index), std::move(owner)};
}

std::vector<VolumePlace> volume_places(const Record& record, const Config& config) {
  std::vector<VolumePlace> out;
  for (std::size_t i = 0; i < record.spec->volumes.size(); ++i) {
    const api::VolumeSpec& volume = record.spec->volumes[i];
    VolumePlace place;
    place.folder = volume.host_path;
    if (volume.host_path.empty()) {
      place.folder = config.volumes_folder / volume.persistent;
      const bool is_folder = config.volumes.engine == VolumeEngine::folder ||
                             ::access(place.folder.c_str(), F_OK) == 0;
      if (!is_folder) {
        place.unit = mount_unit(i, record);
        place.folder = config.run_folder / "volumes" / place.unit;
        place.volume = dfs_volume_name(volume.persistent);
        place.size_bytes = volume.size_bytes;
        place.shared = volume.shared;
      }
    }
    out.push_back(std::move(place));
  }
  return out;
}

std::vector<UnitProperty> mount_properties(const VolumePlace& place, const Record& record,
                                           const Config& config) {
  const VolumesConfig& volumes = config.volumes;
  std::string options = "nosuid,nodev,inodes=" + std::to_string(volumes.inodes_max) +
                        ",dirty=" + std::to_string(volumes.dirty_mib);
  if (!place.shared) options += ",takeover";
  if (record.spec->kind == api::RunKind::container && record.uid_first != 0)
    options += ",uid_first=" + std::to_string(record.uid_first);
  using Commands = std::vector<std::vector<std::string>>;
  return {
      {"Description", "Volume " + place.volume + " of " + record.status.id.text()},
      {"Type", std::string("notify")},
      {"NotifyAccess", std::string("main")},
      {"ExecStart", Commands{{volumes.mount, base::join(volumes.servers, ",") + ":/" + place.volume,
                              place.folder, "-f", "-o", options}}},
      // A mount process that was killed leaves a folder that refuses everybody.
      {"ExecStopPost", Commands{{volumes.mount, "--detach", place.folder}}},
      {"Slice", std::string("gestalt.slice")},
      {"Restart", std::string("no")},
      {"CollectMode", std::string("inactive-or-failed")},
      // Before the servers at a shutdown, which ends units in the opposite order.
      {"After",
       std::vector<std::string>{"gestalt-dfs-meta.service", "gestalt-dfs-storage.service"}},
      {"TimeoutStartUSec", kMountTimeoutUs},
      {"TimeoutStopUSec", kUnmountTimeoutUs},
      {"StandardOutput", std::string("journal")},
      {"StandardError", std::string("journal")},
      {"SyslogIdentifier", std::string("gestalt-dfs-mount")},
      // It mounts in the node's own tree, so it has no mount namespace, which most of systemd's
      // fences need.
      {"CapabilityBoundingSet", kCapSysAdmin},
      {"NoNewPrivileges", true},
      {"LockPersonality", true},
      {"MemoryDenyWriteExecute", true},
      {"RestrictRealtime", true},
      {"OOMScoreAdjust", std::int32_t{-500}},
      {"TasksMax", kTasksMax},
  };
}

// One instance's volumes, one after the other.
struct Volumes::Job {
  Ticket ticket = 0;
  Record record;
  std::vector<VolumePlace> places;  // that are mounted
  std::size_t at = 0;
  std::uint32_t uid = 0, gid = 0;
  base::Instant give_up;
  Backoff backoff{kRetryFirst, kRetryLongest};
  sys::WatchHandle call, retry;
  Done done;
  const VolumePlace& place() const { return places[at]; }
};

Volumes::Volumes(Parts parts) : parts_(parts), self_(std::make_shared<Volumes*>(this)) {}
Volumes::~Volumes() { *self_ = nullptr; }

Volumes::Job& Volumes::add(const Record& record, Done done) {
  auto job = std::make_unique<Job>();
  job->ticket = next_ticket_++;
  job->record = record;
  for (VolumePlace& place : volume_places(record, parts_.config))
    if (!place.unit.empty()) job->places.push_back(std::move(place));
  job->done = std::move(done);
  return *jobs_.emplace(job->ticket, std::move(job)).first->second;
}

template <class Outcome>
std::function<void(Outcome)> Volumes::bind(const Job& job, void (Volumes::*method)(Job&, Outcome)) {
  return [self = self_, ticket = job.ticket, method](Outcome outcome) {
    if (*self == nullptr) return;
    ((*self)->*method)(*(*self)->jobs_.at(ticket), std::move(outcome));
  };
}

// Not inside a call of the owner, nor of the job's own handles.
void Volumes::finish(Job& job, Result<void> result) {
  parts_.loop.post([self = self_, ticket = job.ticket, result = std::move(result)] {
    if (*self == nullptr) return;
    const Done done = std::move((*self)->jobs_.at(ticket)->done);
    (*self)->jobs_.erase(ticket);
    done(result);
  });
}

void Volumes::mount(const Record& record, std::uint32_t uid, std::uint32_t gid, Done done) {
  Job& job = add(record, std::move(done));
  job.uid = uid;
  job.gid = gid;
  job.give_up = base::system_clock().now() + kVolumePatience;
  mount_next(job);
}

void Volumes::mount_next(Job& job) {
  if (job.at == job.places.size()) return finish(job, {});
  create(job);
}

sys::HttpCall Volumes::call(const char* method, const std::string& path, const Json& body) const {
  sys::HttpCall out;
  out.method = method;
  out.url = "http://localhost" + path;
  out.unix_socket = parts_.config.volumes.meta_socket;
  out.headers["Content-Type"] = "application/json";
  out.body = base::dump_json(body);
  return out;
}

void Volumes::create(Job& job) {
  const VolumePlace& place = job.place();
  const Json body = {{"name", place.volume},
                     {"quota_bytes", place.size_bytes},
                     {"uid", job.uid},
                     {"gid", job.gid}};
  job.call =
      parts_.http.send(call("POST", "/dfs/v1/volumes", body), bind(job, &Volumes::on_created));
}

void Volumes::on_created(Job& job, Result<sys::HttpReply> reply) {
  is_reachable_ = reply && !is_busy(reply->status);
  if (!reply) return again(job, base::to_string(reply.error()));
  if (is_busy(reply->status)) return again(job, detail_of(*reply));
  const VolumePlace& place = job.place();
  if (reply->status == 409 && place.size_bytes != 0) {
    // It is there; its quota may have been changed with the application.
    job.call = parts_.http.send(
        call("PATCH", "/dfs/v1/volumes/" + place.volume, {{"quota_bytes", place.size_bytes}}),
        bind(job, &Volumes::on_resized));
    return;
  }
  if (reply->status == 201 || reply->status == 409) return start_unit(job);
  finish(job, Error{Code::failed_precondition,
                    "the volume " + place.volume + " cannot be made: " + detail_of(*reply),
                    "volume_unavailable"});
}

void Volumes::on_resized(Job& job, Result<sys::HttpReply> reply) {
  if (reply && reply->status == 200) return start_unit(job);
  // 404: one of the same name is still being removed.
  again(job, reply ? detail_of(*reply) : base::to_string(reply.error()));
}

void Volumes::again(Job& job, const std::string& why) {
  if (base::system_clock().now() >= job.give_up) {
    return finish(job, Error{Code::unavailable,
                             "the file system does not give the volume " + job.place().volume +
                                 ": " + why + " (see `gestalt dfs status`)",
                             "volume_unavailable"});
  }
  job.retry = parts_.loop.after(job.backoff.next(),
                                [this, ticket = job.ticket] { create(*jobs_.at(ticket)); });
}

void Volumes::start_unit(Job& job) {
  const VolumePlace& place = job.place();
  for (const std::string& folder :
       {(parts_.config.run_folder / "volumes").string(), place.folder}) {
    // What is mounted already keeps its own mode.
    if (::access(folder.c_str(), F_OK) == 0) continue;
    if (const auto made = sys::make_folder(folder, 0711); !made) return finish(job, made.error());
  }
  parts_.services.start_transient(place.unit, mount_properties(place, job.record, parts_.config),
                                  bind(job, &Volumes::on_mounted));
}

void Volumes::on_mounted(Job& job, Result<void> started) {
  // An agent before us asked for it.
  if (!started && started.error().reason != "unit_exists") {
    return finish(job, Error{Code::internal,
                             "the volume " + job.place().volume + " was not mounted (" +
                                 started.error().detail + "; `journalctl -u " + job.place().unit +
                                 "` says why)",
                             "volume_mount_failed"});
  }
  ++job.at;
  mount_next(job);
}

void Volumes::unmount(const Record& record, std::function<void()> done) {
  stop_next(add(record, [done = std::move(done)](const Result<void>&) { done(); }));
}

void Volumes::stop_next(Job& job) {
  if (job.at == job.places.size()) return finish(job, {});
  parts_.services.stop(job.place().unit, bind(job, &Volumes::on_stopped));
}

void Volumes::on_stopped(Job& job, Result<void> stopped) {
  if (!stopped) {
    base::log::warning("AGENT_UNMOUNT_FAILED", "a volume was not unmounted, going on",
                       {{"unit", job.place().unit}}, stopped.error());
  }
  parts_.services.reset_failed(job.place().unit, bind(job, &Volumes::on_reset));
}

void Volumes::on_reset(Job& job, Result<void>) {
  // The unit has done it, unless it never started. A folder that is in use stays.
  static_cast<void>(::rmdir(job.place().folder.c_str()));
  ++job.at;
  stop_next(job);
}

void Volumes::check(const Record& record, Done done) { check_next(add(record, std::move(done))); }

void Volumes::check_next(Job& job) {
  if (job.at == job.places.size()) return finish(job, {});
  parts_.services.get_service(job.place().unit, bind(job, &Volumes::on_checked));
}

void Volumes::on_checked(Job& job, Result<sys::ServiceState> state) {
  // While the bus is away nothing is known; the units are looked at again when it is back.
  const bool is_unknown = !state && state.error().code != Code::not_found;
  if (!is_unknown && (!state || state->unit.active_state != "active")) {
    return finish(
        job, Error{Code::failed_precondition,
                   "the mount of its volume " + job.place().volume + " has ended", "volume_lost"});
  }
  ++job.at;
  check_next(job);
}

}  // namespace node::agent

// SPDX-License-Identifier: Apache-2.0
// The volumes of instances that lie in the distributed file system: makes what is missing, mounts
// before a start, unmounts after an end. Called by the Supervisor; calls gestalt-dfs-meta over HTTP
// and systemd, which runs one gestalt-dfs-mount per volume of an instance.
//
// 1. A mount belongs to one instance and epoch, as its unit's name says; it outlives this process
//    and is adopted with the instance.
// 2. A volume of one instance is taken over when it is mounted: whoever had it before, also on a
//    node that nobody can reach, writes nothing from then on. A shared one is joined.
// 3. A folder of an earlier version, with the volume's name below `volumes_folder`, stays in use.
// 4. Mount points lie beside what is removed with an instance, never in it.
// Threads: loop thread. Source: docs/decisions/0014-a-mount-is-a-unit.md.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/sys/bus.h"
#include "common/sys/event_loop.h"
#include "common/sys/http_client.h"
#include "node/agent/config.h"
#include "node/agent/record.h"

namespace node::agent {

// Where one volume of a specification is found on this node.
struct VolumePlace {
  std::string folder;
  std::string unit;    // that mounts it; empty: it is there without
  std::string volume;  // its name in the file system
  std::int64_t size_bytes = 0;
  bool shared = false;
};
// One for each volume of the record's specification, in its order.
std::vector<VolumePlace> volume_places(const Record& record, const Config& config);

inline constexpr std::string_view kMountPrefix = "gsv-";
struct MountOwner {
  std::size_t index = 0;
  std::string unit;  // of the instance
};
// `gsv-<index>-<id>-<epoch>.service`; nullopt for other names.
std::optional<MountOwner> parse_mount_unit(std::string_view unit);

// A persistent name as the file system takes it: at most 64 bytes.
std::string dfs_volume_name(const std::string& persistent);

std::vector<sys::UnitProperty> mount_properties(const VolumePlace& place, const Record& record,
                                                const Config& config);

class Volumes {
 public:
  using Done = std::function<void(base::Result<void>)>;
  struct Parts {
    sys::EventLoop& loop;
    sys::AsyncHttp& http;
    sys::ServiceManager& services;
    const Config& config;
  };
  explicit Volumes(Parts parts);
  ~Volumes();

  // `done` is never called inside the call. Root folders of new volumes belong to `uid` and `gid`
  // of the container. Waits a while for the file system. Errors: unavailable or failed_precondition
  // volume_unavailable; internal volume_mount_failed. What is mounted already stays until
  // unmount().
  void mount(const Record& record, std::uint32_t uid, std::uint32_t gid, Done done);
  // Never fails: what is left is logged.
  void unmount(const Record& record, std::function<void()> done);
  // Errors: failed_precondition volume_lost when a mount is not there any more.
  void check(const Record& record, Done done);

  bool is_reachable() const { return is_reachable_; }

 private:
  struct Job;
  using Ticket = std::uint64_t;

  Job& add(const Record& record, Done done);
  // A callback that does nothing once this object is gone. Requires: the job is under way.
  template <class Outcome>
  std::function<void(Outcome)> bind(const Job& job, void (Volumes::*method)(Job&, Outcome));
  void finish(Job& job, base::Result<void> result);
  sys::HttpCall call(const char* method, const std::string& path, const base::Json& body) const;

  void mount_next(Job& job);
  void create(Job& job);
  void on_created(Job& job, base::Result<sys::HttpReply> reply);
  void on_resized(Job& job, base::Result<sys::HttpReply> reply);
  void again(Job& job, const std::string& why);
  void start_unit(Job& job);
  void on_mounted(Job& job, base::Result<void> started);
  void stop_next(Job& job);
  void on_stopped(Job& job, base::Result<void> stopped);
  void on_reset(Job& job, base::Result<void> reset);
  void check_next(Job& job);
  void on_checked(Job& job, base::Result<sys::ServiceState> state);

  Parts parts_;
  std::shared_ptr<Volumes*> self_;  // of the callbacks under way
  std::map<Ticket, std::unique_ptr<Job>> jobs_;
  Ticket next_ticket_ = 1;
  bool is_reachable_ = true;
};

}  // namespace node::agent

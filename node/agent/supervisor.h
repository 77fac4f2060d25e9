// SPDX-License-Identifier: Apache-2.0
// The instances of this node: brings what is observed to what is desired.
//
// The state machine of an instance, with the function per arrow:
//   (none) → staging            begin_start      the image is not here yet
//   (none), staging → starting  begin_start; on_image, then its turn → prepare → launch
//   starting → running          on_started → on_running
//   running → killing           stop: drain, then the unit's stop job
//   any → finished, failed, killed, lost, error    end
//   a terminal state → (none)   cleanup, then forget once masterd has dropped it
// 1. A record is on disk before the side effect it announces; every side effect may be repeated.
// 2. Running instances do not depend on this process: they are systemd's, and are adopted after a
//    restart of the agent (adopt).
// 3. An end is told to netfwd and masterd before anything is cleaned up.
// Threads: loop thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/rest/metrics.h"
#include "common/sys/bus.h"
#include "common/sys/event_loop.h"
#include "common/sys/http_client.h"
#include "node/agent/checks.h"
#include "node/agent/config.h"
#include "node/agent/coordination_link.h"
#include "node/agent/images.h"
#include "node/agent/instance_files.h"
#include "node/agent/ledger.h"
#include "node/agent/limits.h"
#include "node/agent/master_link.h"
#include "node/agent/netfw_link.h"
#include "node/agent/oom_watch.h"
#include "node/agent/plan.h"
#include "node/agent/record.h"
#include "node/agent/volumes.h"

namespace node::agent {

// A stop that systemd did not take, for instance since it began anew, is asked for again.
inline constexpr auto kStopAgain = std::chrono::milliseconds(500);
inline constexpr auto kUpdateAgain = std::chrono::milliseconds(500);

struct Instance {
  Record record;
  std::string control_group;
  std::unique_ptr<Checks> checks;
  std::unique_ptr<OomWatch> oom_watch;
  base::Instant begun;          // when the start began, for the metrics
  bool launched = false;        // the unit was asked for
  bool image_ready = false;     // while staging: it waits for its turn
  bool stopping = false;        // drain or stop job under way
  sys::WatchHandle stop_again;  // the job failed, for instance since systemd began anew
  bool examining = false;       // the unit's state is being read
  bool examine_again = false;   // it changed meanwhile
  bool cleaning = false;
  std::optional<InstanceFiles> files;  // from their making to the launch
  // A changed specification that is being applied; no digest: none.
  std::string next_digest;
  std::shared_ptr<const api::RunSpec> next_spec;
  sys::WatchHandle update_again;
};

class Supervisor {
 public:
  struct Parts {
    sys::EventLoop& loop;
    sys::WorkerPool& workers;
    sys::WorkerPool& commands;  // for health checks that run a program
    sys::ServiceManager& services;
    sys::AsyncHttp& http;
    Ledger& ledger;
    Images& images;
    NetfwLink& netfw;
    MasterLink& master;
    rest::Metrics& metrics;
    const Config& config;
    std::string boot_id;  // of the machine
  };
  explicit Supervisor(Parts parts);
  ~Supervisor();

  // Takes over what an earlier agent has left; `ready` when every instance is known. Nothing is
  // planned before.
  void adopt(std::vector<Record> records, std::function<void()> ready);
  void set_wishes(std::shared_ptr<const Wishes> wishes);
  void on_unit_changed(const std::string& unit);
  void on_bus_back();

  // Stops an instance on behalf of a caller. Errors: not_found instance_unknown;
  // failed_precondition instance_ended.
  base::Result<void> kill(const api::InstanceId& id);

  const std::map<api::InstanceId, Instance>& instances() const { return instances_; }
  const Instance* find(const api::InstanceId& id) const;
  std::vector<api::InstanceStatus> statuses() const;
  std::set<std::string> images_in_use() const;
  const Volumes& volumes() const { return volumes_; }
  const Cgroups& cgroups() const { return cgroups_; }
  std::string folder_of(const Record& record) const;
  std::string run_folder_of(const Record& record) const;
  // Folders of units that have no record.
  std::vector<std::string> stray_folders() const;

 private:
  using Id = api::InstanceId;

  // A callback that does nothing once this object, or the instance of that epoch, is gone.
  template <class... Arguments>
  std::function<void(Arguments...)> bind(const Instance& instance,
                                         void (Supervisor::*method)(Instance&, Arguments...)) {
    return [self = self_, id = instance.record.status.id, epoch = instance.record.status.epoch,
            method](Arguments... arguments) {
      if (*self == nullptr) return;
      Instance* found = (*self)->find_epoch(id, epoch);
      if (found != nullptr) ((*self)->*method)(*found, std::move(arguments)...);
    };
  }
  Instance* find_epoch(const Id& id, std::int64_t epoch);
  Instance* find_unit(const std::string& unit);

  // supervisor.cc
  void replan();
  void replan_now();
  void apply(const Step& step);
  void publish(const Instance& instance);
  void persist(const Instance& instance);
  std::uint32_t allocate_uids();
  void forget(const Id& id);
  void stop_unit(const std::string& unit);

  // supervisor_start.cc
  static std::string now_text();
  void begin_start(const Step& step);
  void resume_start(Instance& instance);
  void fetch_image(Instance& instance);
  void on_image_progress(Instance& instance, std::string message);
  void on_image(Instance& instance, base::Result<Image> image);
  void prepare(Instance& instance);
  void prepare_files(Instance& instance, base::Result<void> persisted);
  void mount_volumes(Instance& instance, base::Result<InstanceFiles> prepared);
  void launch(Instance& instance, base::Result<void> mounted);
  void on_started(Instance& instance, base::Result<void> started);
  void on_start_failed(Instance& instance, std::string detail);
  void on_running(Instance& instance, base::Result<sys::ServiceState> state);
  void begin_running(Instance& instance, const sys::ServiceState& state);
  void check_limits(Instance& instance);
  void on_limits(Instance& instance, std::vector<std::string> degraded);
  void start_checks(Instance& instance, bool was_healthy);
  void run_command(Instance& instance, std::vector<std::string> argv,
                   std::chrono::milliseconds timeout, LookDone done);
  void on_checks(Instance& instance);
  void set_healthy(Instance& instance, std::optional<bool> healthy);
  void on_exposed(Instance& instance);
  NetfwInstance netfw_view(const Instance& instance, Exposure exposure) const;

  // supervisor_update.cc
  void update(Instance& instance);
  void on_updated(Instance& instance, base::Result<void> updated);
  void forget_update(Instance& instance);

  // supervisor_end.cc
  void stop(Instance& instance);
  void on_stop_persisted(Instance& instance, base::Result<void> persisted);
  void on_drained(Instance& instance);
  void on_stopped(Instance& instance, base::Result<void> stopped);
  void examine(Instance& instance);
  void check_volumes(Instance& instance);
  void on_volumes_checked(Instance& instance, base::Result<void> checked);
  void on_examined(Instance& instance, base::Result<sys::ServiceState> state);
  void end(Instance& instance, api::InstanceState state, const std::string& message);
  void end_as(Instance& instance, const sys::ServiceState& state);
  void on_end_persisted(Instance& instance, base::Result<void> persisted);
  void cleanup(Instance& instance);
  void on_unit_stopped(Instance& instance, base::Result<void> stopped);
  void on_unit_reset(Instance& instance, base::Result<void> reset);
  void on_unmounted(Instance& instance);
  void on_cleaned(Instance& instance, base::Result<void> cleaned);

  // supervisor_adopt.cc
  void adopt_units(std::vector<sys::UnitStatus> units);
  void adopt_mounts(std::vector<sys::UnitStatus> units);
  void adopt_instance(Instance& instance, bool unit_exists);
  void on_adopted(Instance& instance, base::Result<sys::ServiceState> state);
  void adopt_without_record(const Step& step);
  void adoption_done_one();

  Parts parts_;
  Cgroups cgroups_;
  std::shared_ptr<Supervisor*> self_;
  std::map<Id, Instance> instances_;
  std::set<std::string> stray_units_;  // without a record; planned away or adopted
  std::multimap<std::string, std::string> stray_mounts_;  // of those units
  sys::WatchHandle stray_again_;                          // one of them was not stopped
  Volumes volumes_;
  std::shared_ptr<const Wishes> wishes_;
  std::uint32_t uid_next_ = 0;
  bool user_namespaces_ = true;
  bool adopted_ = false;
  bool plan_pending_ = false;
  std::size_t adoptions_left_ = 0;
  std::function<void()> ready_;
  rest::Histogram& start_seconds_;
  rest::Histogram& healthy_seconds_;
};

}  // namespace node::agent

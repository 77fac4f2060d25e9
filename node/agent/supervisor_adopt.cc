// SPDX-License-Identifier: Apache-2.0
// Supervisor: taking over what an earlier agent process has left.
#include <sys/stat.h>

#include "common/base/log.h"
#include "node/agent/supervisor.h"

namespace node::agent {

using api::InstanceState;

void Supervisor::adopt(std::vector<Record> records, std::function<void()> ready) {
  ready_ = std::move(ready);
  for (Record& record : records) {
    Instance instance;
    instance.record = std::move(record);
    instance.begun = base::system_clock().now();
    const Id id = instance.record.status.id;
    instances_.insert_or_assign(id, std::move(instance));
  }
  const std::string glob = std::string(api::kUnitPrefix) + "*.service";
  parts_.services.list(glob, [self = self_](base::Result<std::vector<sys::UnitStatus>> units) {
    if (*self == nullptr) return;
    Supervisor& supervisor = **self;
    if (units) return supervisor.adopt_units(*std::move(units));
    base::log::failure("AGENT_ADOPTION_FAILED",
                       "systemd did not list the units, trying again when it is back", {},
                       units.error());
    supervisor.parts_.loop.stop();
  });
}

// Mounts whose instance nobody knows any more: of a unit that is still there, or of none.
void Supervisor::adopt_mounts(std::vector<sys::UnitStatus> units) {
  for (const sys::UnitStatus& unit : units) {
    const auto owner = parse_mount_unit(unit.name);
    if (!owner || find_unit(owner->unit) != nullptr) continue;
    if (stray_units_.contains(owner->unit)) {
      stray_mounts_.emplace(owner->unit, unit.name);
      continue;
    }
    base::log::notice("AGENT_UNIT_STRAY", "a mount that no instance uses is ended",
                      {{"unit", unit.name}});
    parts_.services.stop(unit.name, [](base::Result<void>) {});
  }
}

void Supervisor::adopt_units(std::vector<sys::UnitStatus> units) {
  std::set<std::string> loaded;
  for (const sys::UnitStatus& unit : units) {
    if (unit.load_state == "not-found" || !api::parse_unit_name(unit.name)) continue;
    loaded.insert(unit.name);
    if (find_unit(unit.name) == nullptr) stray_units_.insert(unit.name);
  }
  parts_.services.list(std::string(kMountPrefix) + "*.service",
                       [self = self_](base::Result<std::vector<sys::UnitStatus>> mounts) {
                         // What cannot be listed now is looked for at the next start.
                         if (*self != nullptr && mounts) (*self)->adopt_mounts(*std::move(mounts));
                       });
  // One more than there are instances, so that the last one cannot come before the end of the loop.
  adoptions_left_ = instances_.size() + 1;
  std::vector<Id> ids;
  for (const auto& [id, instance] : instances_) ids.push_back(id);
  for (const Id& id : ids) {
    Instance& instance = instances_.at(id);
    adopt_instance(instance, loaded.contains(instance.record.unit()));
  }
  adoption_done_one();
}

void Supervisor::adopt_instance(Instance& instance, bool unit_exists) {
  const Record& record = instance.record;
  if (api::is_terminal(record.status.state)) {
    if (!record.cleaned) cleanup(instance);
    return adoption_done_one();
  }
  if (unit_exists) {
    return parts_.services.get_service(record.unit(), bind(instance, &Supervisor::on_adopted));
  }
  if (record.stop_requested) {
    end(instance, InstanceState::killed, "stopped while the agent was away");
  } else if (record.status.state <= InstanceState::starting) {
    // The unit was never asked for, or the machine has restarted since.
    resume_start(instance);
  } else {
    end(instance, InstanceState::lost,
        record.boot_id == parts_.boot_id ? "its unit is gone" : "the machine has restarted");
  }
  adoption_done_one();
}

void Supervisor::on_adopted(Instance& instance, base::Result<sys::ServiceState> state) {
  Record& record = instance.record;
  const bool runs =
      state && state->unit.active_state == "active" && state->unit.sub_state == "running";
  if (runs) {
    if (record.status.started_at.empty()) record.status.started_at = record.status.staged_at;
    begin_running(instance, *state);
    base::log::info("AGENT_INSTANCE_ADOPTED", "a running instance is taken over",
                    {{"instance", record.status.id.text()}});
    if (record.stop_requested) {
      instance.stopping = false;
      stop(instance);
    }
  } else if (state && state->unit.active_state == "activating") {
    // The start job of the agent before us is still running; its end comes as a change.
    record.status.state = InstanceState::starting;
    instance.launched = true;
    parts_.services.start(record.unit(), bind(instance, &Supervisor::on_started));
  } else if (state && state->unit.active_state == "deactivating") {
    record.status.state = InstanceState::killing;
    on_drained(instance);
  } else if (state) {
    end_as(instance, *state);
  } else {
    end(instance, record.stop_requested ? InstanceState::killed : InstanceState::lost,
        "its unit is gone");
  }
  adoption_done_one();
}

// The ledger was lost, or the record was never written: the unit's name says whose it is.
void Supervisor::adopt_without_record(const Step& step) {
  stray_units_.erase(step.unit);
  stray_mounts_.erase(step.unit);
  const api::Assignment* wish = nullptr;
  for (const api::Assignment& each : wishes_->assignments.instances) {
    if (each.id == step.id) wish = &each;
  }
  const auto spec = wish == nullptr ? wishes_->specs.end() : wishes_->specs.find(wish->spec);
  if (spec == wishes_->specs.end()) return stop_unit(step.unit);
  Instance instance;
  instance.record.status.id = step.id;
  instance.record.status.epoch = step.epoch;
  instance.record.status.address = parts_.config.address;
  instance.record.status.ports = wish->ports;
  instance.record.status.state = InstanceState::starting;
  instance.record.status.staged_at = base::format_time(base::system_clock().wall());
  instance.record.spec = spec->second;
  instance.record.spec_digest = wish->spec;
  instance.record.boot_id = parts_.boot_id;
  if (const Image* image = parts_.images.find(spec->second->image)) {
    instance.record.image_digest = image->digest;
  }
  struct stat info = {};
  if (::stat((folder_of(instance.record) + "/upper").c_str(), &info) == 0) {
    instance.record.uid_first = info.st_uid;
  }
  Instance& placed = instances_.insert_or_assign(step.id, std::move(instance)).first->second;
  ++adoptions_left_;
  parts_.services.get_service(step.unit, bind(placed, &Supervisor::on_adopted));
  persist(placed);
}

void Supervisor::adoption_done_one() {
  if (--adoptions_left_ != 0 || adopted_) return;
  adopted_ = true;
  auto ready = std::move(ready_);
  ready();
  replan_now();
}

}  // namespace node::agent

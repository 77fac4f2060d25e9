// SPDX-License-Identifier: Apache-2.0
// Supervisor: a changed specification of the same epoch reaches an instance that runs. What may
// change so is what masterd says needs no restart: limits and checks.
#include "common/base/log.h"
#include "node/agent/supervisor.h"
#include "node/agent/unit_properties.h"

namespace node::agent {

using api::InstanceState;

// The record changes when systemd has taken the limits: an agent that is killed before does it
// again.
void Supervisor::update(Instance& instance) {
  const api::InstanceStatus& status = instance.record.status;
  for (const api::Assignment& wish : wishes_->assignments.instances) {
    if (wish.id != status.id || wish.epoch != status.epoch) continue;
    const auto spec = wishes_->specs.find(wish.spec);
    if (spec == wishes_->specs.end()) return;  // unreadable: what runs goes on as it is
    instance.next_digest = wish.spec;
    instance.next_spec = spec->second;
    parts_.services.set_properties(instance.record.unit(),
                                   limit_properties(*spec->second, parts_.config.pids_default),
                                   bind(instance, &Supervisor::on_updated));
    return;
  }
}

void Supervisor::on_updated(Instance& instance, base::Result<void> updated) {
  Record& record = instance.record;
  if (record.status.state != InstanceState::running) return;
  if (!updated) {
    base::log::warning("AGENT_UPDATE_FAILED", "changed limits were not applied, trying again",
                       {{"instance", record.status.id.text()}}, updated.error());
    instance.update_again =
        parts_.loop.after(kUpdateAgain, bind(instance, &Supervisor::forget_update));
    return;
  }
  const auto before = std::exchange(record.spec, std::exchange(instance.next_spec, nullptr));
  record.spec_digest = std::exchange(instance.next_digest, {});
  persist(instance);
  check_limits(instance);
  if (before->health_checks != record.spec->health_checks ||
      before->readiness_checks != record.spec->readiness_checks) {
    // Without checks it counted as healthy, and it is in rotation until the new ones decide.
    const bool was_healthy = before->health_checks.empty() || record.status.healthy.value_or(false);
    if (record.spec->health_checks.empty()) record.status.healthy.reset();
    start_checks(instance, was_healthy);
  }
  publish(instance);
  replan();
}

void Supervisor::forget_update(Instance& instance) {
  instance.next_digest.clear();
  instance.next_spec.reset();
  replan();
}

}  // namespace node::agent

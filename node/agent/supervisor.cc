// SPDX-License-Identifier: Apache-2.0
#include "node/agent/supervisor.h"

#include "common/base/log.h"
#include "common/sys/files.h"

namespace node::agent {

using api::InstanceState;

namespace {

// How the machine's kernel numbers itself: "5.14.0-427.el9".
bool kernel_maps_overlay_layers() {
  auto text = base::read_file("/proc/sys/kernel/osrelease", 256);
  int major = 0;
  int minor = 0;
  if (!text || std::sscanf(text->c_str(), "%d.%d", &major, &minor) != 2) return false;
  return major > 5 || (major == 5 && minor >= 19);
}

}  // namespace

Supervisor::Supervisor(Parts parts)
    : parts_(parts),
      cgroups_(find_cgroups()),
      self_(std::make_shared<Supervisor*>(this)),
      volumes_({parts.loop, parts.http, parts.services, parts.config}),
      start_seconds_(parts.metrics.histogram("gestalt_agentd_start_seconds",
                                             "From the decision to start an instance to running")),
      healthy_seconds_(parts.metrics.histogram(
          "gestalt_agentd_healthy_seconds", "From the decision to start an instance to healthy")) {
  switch (parts_.config.user_namespaces) {
    case UserNamespaces::on: user_namespaces_ = true; break;
    case UserNamespaces::off: user_namespaces_ = false; break;
    case UserNamespaces::automatic: user_namespaces_ = kernel_maps_overlay_layers(); break;
  }
}

Supervisor::~Supervisor() { *self_ = nullptr; }

const Instance* Supervisor::find(const Id& id) const {
  const auto at = instances_.find(id);
  return at == instances_.end() ? nullptr : &at->second;
}

Instance* Supervisor::find_epoch(const Id& id, std::int64_t epoch) {
  const auto at = instances_.find(id);
  return at == instances_.end() || at->second.record.status.epoch != epoch ? nullptr : &at->second;
}

Instance* Supervisor::find_unit(const std::string& unit) {
  const auto owner = api::parse_unit_name(unit);
  return owner ? find_epoch(owner->id, owner->epoch) : nullptr;
}

std::vector<api::InstanceStatus> Supervisor::statuses() const {
  std::vector<api::InstanceStatus> out;
  for (const auto& [id, instance] : instances_) out.push_back(instance.record.status);
  return out;
}

std::set<std::string> Supervisor::images_in_use() const {
  std::set<std::string> out;
  for (const auto& [id, instance] : instances_) {
    if (!instance.record.cleaned) out.insert(instance.record.image_digest);
  }
  return out;
}

std::string Supervisor::folder_of(const Record& record) const {
  return parts_.config.state_folder / "instances" /
         (record.status.id.text() + "-" + std::to_string(record.status.epoch));
}

std::string Supervisor::run_folder_of(const Record& record) const {
  return parts_.config.run_folder / "instances" /
         (record.status.id.text() + "-" + std::to_string(record.status.epoch));
}

std::vector<std::string> Supervisor::stray_folders() const {
  std::vector<std::string> out;
  for (const std::string& unit : stray_units_) {
    const auto owner = api::parse_unit_name(unit);
    if (!owner) continue;
    Record record;
    record.status.id = owner->id;
    record.status.epoch = owner->epoch;
    out.push_back(folder_of(record));
    out.push_back(run_folder_of(record));
  }
  return out;
}

void Supervisor::set_wishes(std::shared_ptr<const Wishes> wishes) {
  wishes_ = std::move(wishes);
  if (adopted_) replan_now();
}

void Supervisor::replan() {
  if (plan_pending_ || !adopted_) return;
  plan_pending_ = true;
  // Behind the callbacks that are due now: many changes, one plan.
  parts_.loop.post([self = self_] {
    if (*self != nullptr) (*self)->replan_now();
  });
}

void Supervisor::replan_now() {
  plan_pending_ = false;
  PlanInput input;
  if (wishes_) input.desired = &wishes_->assignments;
  for (const auto& [id, instance] : instances_) {
    const api::InstanceStatus& status = instance.record.status;
    input.instances.push_back(
        {id, status.epoch, status.state, status.ports, instance.record.cleaned,
         instance.image_ready,
         instance.next_digest.empty() ? instance.record.spec_digest : instance.next_digest});
  }
  input.units.assign(stray_units_.begin(), stray_units_.end());
  input.starts_max = static_cast<std::size_t>(parts_.config.starts_max);
  for (const Step& step : plan(input)) apply(step);
}

void Supervisor::apply(const Step& step) {
  switch (step.kind) {
    case Step::Kind::stop_unit: return stop_unit(step.unit);
    case Step::Kind::adopt: return adopt_without_record(step);
    case Step::Kind::forget: return forget(step.id);
    case Step::Kind::start: return begin_start(step);
    case Step::Kind::proceed: {
      Instance* instance = find_epoch(step.id, step.epoch);
      if (instance != nullptr && instance->record.status.state == InstanceState::staging) {
        prepare(*instance);
      }
      return;
    }
    case Step::Kind::update: {
      Instance* instance = find_epoch(step.id, step.epoch);
      if (instance != nullptr) update(*instance);
      return;
    }
    case Step::Kind::stop: {
      Instance* instance = find_epoch(step.id, step.epoch);
      if (instance != nullptr) stop(*instance);
      return;
    }
  }
}

void Supervisor::publish(const Instance& instance) {
  parts_.master.changed(instance.record.status.id);
}

void Supervisor::persist(const Instance& instance) {
  parts_.ledger.put(instance.record, [id = instance.record.status.id](base::Result<void> written) {
    if (written) return;
    base::log::failure("AGENT_LEDGER_FAILED",
                       "the state of an instance was not stored, it is kept in memory",
                       {{"instance", id.text()}}, written.error());
  });
}

std::uint32_t Supervisor::allocate_uids() {
  std::set<std::uint32_t> used;
  for (const auto& [id, instance] : instances_) used.insert(instance.record.uid_first);
  for (std::uint32_t i = 0; i < kUidRanges; ++i) {
    const std::uint32_t range = (uid_next_ + i) % kUidRanges;
    const std::uint32_t first = kUidFirst + range * kUidsPerInstance;
    if (used.contains(first)) continue;
    uid_next_ = range + 1;
    return first;
  }
  CHECK_THAT(!"more instances than an assignment can hold");
}

void Supervisor::forget(const Id& id) {
  const auto at = instances_.find(id);
  if (at == instances_.end()) return;
  const std::string folder = folder_of(at->second.record);
  instances_.erase(at);
  parts_.ledger.erase(id);
  // What remains when no worker is free is removed at the next start of the agent.
  [[maybe_unused]] auto submitted =
      parts_.workers.submit([folder] { [[maybe_unused]] auto removed = sys::remove_tree(folder); });
  replan();
}

void Supervisor::stop_unit(const std::string& unit) {
  stray_units_.erase(unit);
  base::log::notice("AGENT_UNIT_STRAY", "a unit that no assignment wants is stopped",
                    {{"unit", unit}});
  parts_.services.stop(unit, [self = self_, unit](base::Result<void> stopped) {
    if (*self == nullptr) return;
    Supervisor& own = **self;
    if (!stopped) {
      base::log::warning("AGENT_STOP_FAILED", "a unit was not stopped, trying again",
                         {{"unit", unit}}, stopped.error());
      own.stray_units_.insert(unit);
      own.stray_again_ = own.parts_.loop.after(kStopAgain, [&own] { own.replan(); });
      return;
    }
    own.parts_.services.reset_failed(unit, [](base::Result<void>) {});
    const auto [first, last] = own.stray_mounts_.equal_range(unit);
    for (auto at = first; at != last; ++at)
      own.parts_.services.stop(at->second, [](base::Result<void>) {});
    own.stray_mounts_.erase(first, last);
    own.replan();
  });
}

base::Result<void> Supervisor::kill(const Id& id) {
  const auto at = instances_.find(id);
  if (at == instances_.end()) {
    return base::Error{base::Code::not_found, "no instance " + id.text(), "instance_unknown"};
  }
  if (api::is_terminal(at->second.record.status.state)) {
    return base::Error{base::Code::failed_precondition, "the instance has ended already",
                       "instance_ended"};
  }
  stop(at->second);
  return {};
}

void Supervisor::on_unit_changed(const std::string& unit) {
  if (const auto mount = parse_mount_unit(unit)) {
    Instance* user = find_unit(mount->unit);
    if (user != nullptr && adopted_ && user->record.status.state == InstanceState::running)
      check_volumes(*user);
    return;
  }
  Instance* instance = find_unit(unit);
  if (instance == nullptr || !adopted_) return;
  const InstanceState state = instance->record.status.state;
  // While it starts, the end of the start job says everything.
  if (state == InstanceState::running || state == InstanceState::killing) examine(*instance);
}

void Supervisor::on_bus_back() {
  for (auto& [id, instance] : instances_) {
    const InstanceState state = instance.record.status.state;
    if (state == InstanceState::running || state == InstanceState::killing) examine(instance);
    if (state == InstanceState::running) check_volumes(instance);
  }
}

}  // namespace node::agent

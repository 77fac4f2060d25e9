// SPDX-License-Identifier: Apache-2.0
// Supervisor: from an assignment to a healthy instance.
#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "common/sys/journal.h"
#include "common/sys/process.h"
#include "node/agent/instance_files.h"
#include "node/agent/supervisor.h"
#include "node/agent/unit_properties.h"

namespace node::agent {

using api::InstanceState;
using api::RunKind;
using std::chrono::milliseconds;

namespace {

// The last line that a unit wrote, or `fallback`. Blocks.
std::string last_words(const std::string& unit, const std::string& fallback) {
  auto reader = sys::JournalReader::open({.unit = unit, .last = 1});
  if (!reader) return fallback;
  const auto lines = (*reader)->read(1);
  return lines && !lines->empty() ? lines->back().message : fallback;
}

}  // namespace

std::string Supervisor::now_text() { return base::format_time(base::system_clock().wall()); }

void Supervisor::begin_start(const Step& step) {
  const api::Assignment* wish = nullptr;
  for (const api::Assignment& each : wishes_->assignments.instances) {
    if (each.id == step.id) wish = &each;
  }
  if (wish == nullptr) return;
  Instance instance;
  api::InstanceStatus& status = instance.record.status;
  status.id = wish->id;
  status.epoch = wish->epoch;
  status.address = parts_.config.address;
  status.ports = wish->ports;
  status.staged_at = now_text();
  instance.record.spec_digest = wish->spec;
  instance.record.boot_id = parts_.boot_id;
  instance.begun = base::system_clock().now();
  const auto spec = wishes_->specs.find(wish->spec);
  if (spec == wishes_->specs.end()) {
    static const auto kNoSpec = std::make_shared<const api::RunSpec>();
    instance.record.spec = kNoSpec;
    Instance& placed = instances_.insert_or_assign(wish->id, std::move(instance)).first->second;
    const auto why = wishes_->spec_errors.find(wish->spec);
    return end(placed, InstanceState::error,
               why == wishes_->spec_errors.end() ? "the specification is not there"
                                                 : base::to_string(why->second));
  }
  instance.record.spec = spec->second;
  const bool container = spec->second->kind == RunKind::container;
  if (!container || user_namespaces_) instance.record.uid_first = allocate_uids();
  if (container && !user_namespaces_) status.degraded = {"user_namespace_unavailable"};
  resume_start(instances_.insert_or_assign(wish->id, std::move(instance)).first->second);
}

void Supervisor::resume_start(Instance& instance) {
  const api::RunSpec& spec = *instance.record.spec;
  if (spec.kind == RunKind::process) return prepare(instance);
  const Image* image = parts_.images.find(spec.image);
  if (image == nullptr || spec.force_pull) return fetch_image(instance);
  instance.record.image_digest = image->digest;
  prepare(instance);
}

void Supervisor::fetch_image(Instance& instance) {
  instance.record.status.state = InstanceState::staging;
  instance.image_ready = false;
  instance.record.status.message = "fetching the image";
  persist(instance);
  publish(instance);
  parts_.images.ensure(instance.record.spec->image, instance.record.spec->force_pull,
                       bind(instance, &Supervisor::on_image_progress),
                       bind(instance, &Supervisor::on_image));
}

void Supervisor::on_image_progress(Instance& instance, std::string message) {
  if (instance.record.status.state != InstanceState::staging) return;
  if (instance.record.status.message == message) return;
  instance.record.status.message = std::move(message);
  publish(instance);
}

void Supervisor::on_image(Instance& instance, base::Result<Image> image) {
  if (instance.record.status.state != InstanceState::staging) return;  // stopped meanwhile
  if (!image) return end(instance, InstanceState::error, base::to_string(image.error()));
  instance.record.image_digest = image->digest;
  instance.record.status.message.clear();
  instance.image_ready = true;
  replan();
}

void Supervisor::prepare(Instance& instance) {
  instance.record.status.state = InstanceState::starting;
  parts_.ledger.put(instance.record, bind(instance, &Supervisor::prepare_files));
  if (!instance.record.status.ports.empty()) {
    parts_.netfw.set(instance.record.status.id, netfw_view(instance, Exposure::starting));
  }
  publish(instance);
}

void Supervisor::prepare_files(Instance& instance, base::Result<void> persisted) {
  if (instance.record.status.state != InstanceState::starting) return;
  if (!persisted) return end(instance, InstanceState::error, base::to_string(persisted.error()));
  auto input = std::make_shared<InstanceFilesInput>();
  input->record = instance.record;
  input->folder = folder_of(instance.record);
  input->run_folder = run_folder_of(instance.record);
  input->volumes = volume_places(instance.record, parts_.config);
  input->mkfs = parts_.config.mkfs;
  input->oci_start = parts_.config.oci_start;
  if (instance.record.spec->kind == RunKind::container) {
    const Image* image = parts_.images.find_digest(instance.record.image_digest);
    // It was collected while the agent was away.
    if (image == nullptr) return fetch_image(instance);
    input->image = *image;
  }
  auto done = bind(instance, &Supervisor::mount_volumes);
  auto submitted = parts_.workers.submit([input, done, &loop = parts_.loop] {
    loop.post([done, result = make_instance_files(*input)] { done(result); });
  });
  if (!submitted) end(instance, InstanceState::error, base::to_string(submitted.error()));
}

void Supervisor::mount_volumes(Instance& instance, base::Result<InstanceFiles> prepared) {
  Record& record = instance.record;
  if (api::is_terminal(record.status.state)) return;
  if (!prepared) return end(instance, InstanceState::error, base::to_string(prepared.error()));
  if (record.stop_requested)
    return end(instance, InstanceState::killed, "stopped before it started");
  instance.files = *std::move(prepared);
  volumes_.mount(record, instance.files->uid, instance.files->gid,
                 bind(instance, &Supervisor::launch));
}

void Supervisor::launch(Instance& instance, base::Result<void> mounted) {
  Record& record = instance.record;
  if (api::is_terminal(record.status.state)) return;
  if (record.stop_requested)
    return end(instance, InstanceState::killed, "stopped before it started");
  if (!mounted) return end(instance, InstanceState::failed, base::to_string(mounted.error()));
  const std::optional<InstanceFiles> prepared = std::exchange(instance.files, std::nullopt);
  if (!prepared->disk_failure.empty()) {
    base::log::warning("AGENT_DISK_LIMIT_FAILED",
                       "an instance starts without its disk limit, which its status says",
                       {{"instance", record.status.id.text()}, {"detail", prepared->disk_failure}});
  }
  base::Result<std::vector<std::string>> network = std::vector<std::string>();
  if (record.spec->network == api::kBridgeNetwork) {
    network = bridge_options(record, parts_.config.bridge, parts_.config.port_first,
                             parts_.config.socket_proxy);
    if (!network) return end(instance, InstanceState::error, base::to_string(network.error()));
  }
  const Image* image = parts_.images.find_digest(record.image_digest);
  const UnitInput input{record,
                        folder_of(record),
                        run_folder_of(record),
                        image == nullptr ? "" : image->tree.string(),
                        image == nullptr ? 15 : image->config.stop_signal,
                        parts_.config.pids_default,
                        parts_.config.oci_start,
                        parts_.config.crun,
                        *std::move(network),
                        prepared->has_disk ? disk_file(folder_of(record)) : ""};
  std::vector<sys::UnitProperty> properties;
  if (record.spec->kind == RunKind::container) {
    properties = container_properties(input);
  } else {
    auto made = process_properties(input, make_environment(record, input.folder + "/sandbox", {}));
    if (!made) return end(instance, InstanceState::error, base::to_string(made.error()));
    properties = *std::move(made);
  }
  // Its volumes are unmounted after it when the node shuts down.
  std::vector<std::string> mounts;
  for (const VolumePlace& place : volume_places(record, parts_.config))
    if (!place.unit.empty()) mounts.push_back(place.unit);
  if (!mounts.empty()) properties.push_back({"After", std::move(mounts)});
  instance.launched = true;
  parts_.services.start_transient(record.unit(), properties,
                                  bind(instance, &Supervisor::on_started));
}

void Supervisor::on_started(Instance& instance, base::Result<void> started) {
  // A unit of that name is there: an agent before us asked for it and was killed. It is ours.
  if (!started && started.error().reason != "unit_exists") {
    // The runtime has written its reason to the journal.
    auto done = bind(instance, &Supervisor::on_start_failed);
    auto work = [unit = instance.record.unit(), fallback = started.error().detail, done,
                 &loop = parts_.loop] {
      loop.post([done, detail = last_words(unit, fallback)] { done(detail); });
    };
    if (auto submitted = parts_.workers.submit(std::move(work)); submitted) return;
    return on_start_failed(instance, started.error().detail);
  }
  parts_.services.get_service(instance.record.unit(), bind(instance, &Supervisor::on_running));
}

void Supervisor::on_start_failed(Instance& instance, std::string detail) {
  const bool asked = instance.record.stop_requested;
  end(instance, asked ? InstanceState::killed : InstanceState::failed,
      "the start failed: " + detail);
}

void Supervisor::on_running(Instance& instance, base::Result<sys::ServiceState> state) {
  if (!state) return end(instance, InstanceState::failed, "it ended while it was started");
  instance.record.status.started_at = now_text();
  if (state->unit.active_state != "active" || state->unit.sub_state != "running") {
    return end_as(instance, *state);
  }
  const auto took = base::system_clock().now() - instance.begun;
  start_seconds_.observe(std::chrono::duration<double>(took).count());
  instance.record.status.message.clear();
  begin_running(instance, *state);
  persist(instance);
  if (instance.record.stop_requested) {
    instance.stopping = false;
    stop(instance);
  }
}

void Supervisor::begin_running(Instance& instance, const sys::ServiceState& state) {
  api::InstanceStatus& status = instance.record.status;
  const bool was_healthy = status.healthy.value_or(false);
  status.state = instance.record.stop_requested ? InstanceState::killing : InstanceState::running;
  status.pid = state.main_pid;
  instance.control_group = state.control_group;
  instance.oom_watch = OomWatch::make(parts_.loop, cgroups_, state.control_group);
  check_limits(instance);
  if (!instance.record.stop_requested) start_checks(instance, was_healthy);
  check_volumes(instance);
  publish(instance);
  replan();
}

void Supervisor::check_limits(Instance& instance) {
  const auto& wanted = instance.record.spec->resources;
  const auto pids = pids_max_of(*instance.record.spec, parts_.config.pids_default);
  auto done = bind(instance, &Supervisor::on_limits);
  // Of a process the root is the node's.
  const bool container = instance.record.spec->kind == RunKind::container;
  const std::int64_t pid = container ? instance.record.status.pid : 0;
  auto submitted = parts_.workers.submit([cgroups = cgroups_, group = instance.control_group,
                                          wanted, pids, pid, done, &loop = parts_.loop] {
    auto degraded = judge_limits(wanted, pids, read_limits(cgroups, group, pid));
    loop.post([done, degraded = std::move(degraded)] { done(degraded); });
  });
  if (!submitted) on_limits(instance, {"limits_not_checked"});
}

void Supervisor::on_limits(Instance& instance, std::vector<std::string> degraded) {
  api::InstanceStatus& status = instance.record.status;
  if (api::is_terminal(status.state)) return;
  const bool mapped =
      instance.record.spec->kind == RunKind::process || instance.record.uid_first != 0;
  if (!mapped) degraded.push_back("user_namespace_unavailable");
  if (status.degraded == degraded) return;
  status.degraded = std::move(degraded);
  publish(instance);
}

void Supervisor::start_checks(Instance& instance, bool was_healthy) {
  auto on_change = bind(instance, &Supervisor::on_checks);
  Checks::Parts parts{
      parts_.loop, parts_.http,
      [self = self_, id = instance.record.status.id, epoch = instance.record.status.epoch](
          std::vector<std::string> argv, milliseconds timeout, LookDone done) {
        if (*self == nullptr) return;
        Instance* found = (*self)->find_epoch(id, epoch);
        if (found != nullptr) (*self)->run_command(*found, std::move(argv), timeout, done);
      },
      on_change};
  instance.checks = std::make_unique<Checks>(std::move(parts), instance.record,
                                             base::system_clock().now(), was_healthy);
  instance.record.status.ready = instance.checks->ready();
  instance.record.status.health_results = instance.checks->results();
  instance.record.status.readiness_results = instance.checks->readiness();
  if (instance.record.spec->health_checks.empty()) {
    // Marathon takes a task without health checks for good as soon as it runs.
    if (!instance.record.status.ports.empty()) {
      parts_.netfw.set(instance.record.status.id, netfw_view(instance, Exposure::healthy));
    }
    return;
  }
  const Exposure exposure = was_healthy ? Exposure::healthy : Exposure::starting;
  if (!instance.record.status.ports.empty()) {
    parts_.netfw.set(instance.record.status.id, netfw_view(instance, exposure));
  }
}

void Supervisor::run_command(Instance& instance, std::vector<std::string> argv,
                             milliseconds timeout, LookDone done) {
  const Record& record = instance.record;
  sys::Command command;
  command.argv = {parts_.config.oci_start, "exec", "--pid", std::to_string(record.status.pid)};
  if (record.spec->kind == RunKind::container) {
    for (const std::string& each :
         {std::string("--"), parts_.config.crun, std::string("--root"),
          run_folder_of(record) + "/crun", std::string("--cgroup-manager=disabled"),
          std::string("exec"), record.status.id.text()}) {
      command.argv.push_back(each);
    }
  } else {
    const std::string uid = std::to_string(record.uid_first);
    command.argv.insert(command.argv.end(), {"--uid", uid, "--"});
    command.environment = make_environment(record, folder_of(record) + "/sandbox", {});
  }
  command.argv.insert(command.argv.end(), argv.begin(), argv.end());
  command.deadline = timeout;
  auto submitted =
      parts_.commands.submit([command = std::move(command), done, &loop = parts_.loop] {
        auto ended = sys::run(command);
        std::string failure;
        if (!ended) {
          failure = ended.error().detail;
        } else if (ended->status != 0) {
          failure = "the command ended with status " + std::to_string(ended->status);
        }
        loop.post([done, failure = std::move(failure)] { done(failure); });
      });
  if (!submitted) {
    parts_.loop.post([done, detail = submitted.error().detail] { done(detail); });
  }
}

void Supervisor::on_checks(Instance& instance) {
  api::InstanceStatus& status = instance.record.status;
  if (status.state != InstanceState::running || !instance.checks) return;
  status.health_results = instance.checks->results();
  status.readiness_results = instance.checks->readiness();
  status.ready = instance.checks->ready();
  const auto healthy = instance.checks->healthy();
  if (healthy != status.healthy) return set_healthy(instance, healthy);
  publish(instance);
}

void Supervisor::set_healthy(Instance& instance, std::optional<bool> healthy) {
  const Id& id = instance.record.status.id;
  const bool good = healthy.value_or(false);
  const Exposure exposure = good ? Exposure::healthy : Exposure::unhealthy;
  const bool exposed = !instance.record.status.ports.empty() && healthy.has_value();
  if (good && exposed) {
    // "Healthy" in Marathon means reachable: the report waits for netfwd, though not for long.
    parts_.netfw.set(id, netfw_view(instance, exposure), bind(instance, &Supervisor::on_exposed));
    return;
  }
  if (exposed) parts_.netfw.set(id, netfw_view(instance, exposure));
  instance.record.status.healthy = healthy;
  persist(instance);
  publish(instance);
}

void Supervisor::on_exposed(Instance& instance) {
  api::InstanceStatus& status = instance.record.status;
  if (status.state != InstanceState::running || !instance.checks) return;
  if (instance.checks->healthy() != std::optional(true) || status.healthy == true) return;
  if (!status.healthy) {
    const auto took = base::system_clock().now() - instance.begun;
    healthy_seconds_.observe(std::chrono::duration<double>(took).count());
  }
  status.healthy = true;
  status.health_results = instance.checks->results();
  persist(instance);
  publish(instance);
}

NetfwInstance Supervisor::netfw_view(const Instance& instance, Exposure exposure) const {
  const api::InstanceStatus& status = instance.record.status;
  return {instance.record.spec->app, status.address, status.ports, exposure};
}

}  // namespace node::agent

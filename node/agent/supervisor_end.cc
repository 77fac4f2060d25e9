// SPDX-License-Identifier: Apache-2.0
// Supervisor: stopping, noticing an end, and cleaning up behind it.
#include <signal.h>

#include "common/base/log.h"
#include "node/agent/instance_files.h"
#include "node/agent/supervisor.h"

namespace node::agent {

using api::InstanceState;

namespace {

std::string describe(const api::InstanceStatus& status) {
  if (status.out_of_memory) return "it ran out of memory";
  if (status.signal != 0) return "ended by signal " + std::to_string(status.signal);
  return "ended with status " + std::to_string(status.exit_status);
}

bool has_ended(const sys::ServiceState& state) {
  const std::string& active = state.unit.active_state;
  return active == "failed" || active == "inactive" ||
         (active == "active" && state.unit.sub_state == "exited");
}

}  // namespace

void Supervisor::stop(Instance& instance) {
  Record& record = instance.record;
  if (api::is_terminal(record.status.state) || instance.stopping) return;
  record.stop_requested = true;
  instance.stopping = true;
  if (record.status.state == InstanceState::staging) {
    return end(instance, InstanceState::killed, "stopped before it started");
  }
  // The steps of a start see the request and come back here, or end it.
  if (record.status.state == InstanceState::starting) return persist(instance);
  record.status.state = InstanceState::killing;
  instance.checks.reset();
  publish(instance);
  parts_.ledger.put(record, bind(instance, &Supervisor::on_stop_persisted));
}

void Supervisor::on_stop_persisted(Instance& instance, base::Result<void> persisted) {
  const Record& record = instance.record;
  if (api::is_terminal(record.status.state)) return;
  if (!persisted) {
    base::log::failure("AGENT_LEDGER_FAILED", "a stop was not stored, stopping anyway",
                       {{"instance", record.status.id.text()}}, persisted.error());
  }
  const auto drain = std::chrono::duration_cast<std::chrono::milliseconds>(record.spec->drain);
  const bool exposed = !record.status.ports.empty() && record.status.healthy.value_or(true);
  if (!exposed || drain.count() == 0) return on_drained(instance);
  parts_.netfw.drain(record.status.id, drain, bind(instance, &Supervisor::on_drained));
}

void Supervisor::on_drained(Instance& instance) {
  if (api::is_terminal(instance.record.status.state)) return;
  // systemd sends the stop signal, waits for the grace period and then kills, also when this agent
  // is gone by then.
  parts_.services.stop(instance.record.unit(), bind(instance, &Supervisor::on_stopped));
}

void Supervisor::on_stopped(Instance& instance, base::Result<void> stopped) {
  if (api::is_terminal(instance.record.status.state)) return;
  if (!stopped) {
    base::log::warning("AGENT_STOP_FAILED",
                       "an instance was not stopped, looking at its unit and trying again",
                       {{"instance", instance.record.status.id.text()}}, stopped.error());
    instance.stop_again = parts_.loop.after(kStopAgain, bind(instance, &Supervisor::on_drained));
  }
  examine(instance);
}

void Supervisor::examine(Instance& instance) {
  if (instance.examining) {
    instance.examine_again = true;
    return;
  }
  instance.examining = true;
  parts_.services.get_service(instance.record.unit(), bind(instance, &Supervisor::on_examined));
}

void Supervisor::check_volumes(Instance& instance) {
  if (instance.record.spec->volumes.empty()) return;
  volumes_.check(instance.record, bind(instance, &Supervisor::on_volumes_checked));
}

// A container keeps what it had mounted: only a new instance sees a new mount.
void Supervisor::on_volumes_checked(Instance& instance, base::Result<void> checked) {
  if (checked || instance.record.status.state != InstanceState::running) return;
  base::log::warning("AGENT_VOLUME_LOST", "an instance has lost a volume's mount, ending it",
                     {{"instance", instance.record.status.id.text()}}, checked.error());
  end(instance, InstanceState::failed, checked.error().detail);
}

void Supervisor::on_examined(Instance& instance, base::Result<sys::ServiceState> state) {
  instance.examining = false;
  if (api::is_terminal(instance.record.status.state)) return;
  if (state && has_ended(*state)) return end_as(instance, *state);
  if (!state && state.error().code == base::Code::not_found) {
    const bool asked = instance.record.stop_requested;
    return end(instance, asked ? InstanceState::killed : InstanceState::lost,
               asked ? "stopped" : "its unit is gone");
  }
  if (!instance.examine_again) return;
  instance.examine_again = false;
  examine(instance);
}

void Supervisor::end_as(Instance& instance, const sys::ServiceState& state) {
  api::InstanceStatus& status = instance.record.status;
  if (state.exec_main_code == CLD_EXITED) {
    status.exit_status = state.exec_main_status & 0xff;
  } else if (state.exec_main_code != 0) {
    status.signal = state.exec_main_status;
  }
  const bool killed_by_kernel = status.signal == SIGKILL && !instance.record.stop_requested;
  status.out_of_memory = state.result == "oom-kill" || (killed_by_kernel && instance.oom_watch &&
                                                        instance.oom_watch->has_fired());
  const bool good = state.exec_main_code == CLD_EXITED && status.exit_status == 0 &&
                    !status.out_of_memory && state.unit.active_state != "failed";
  if (instance.record.stop_requested) return end(instance, InstanceState::killed, describe(status));
  end(instance, good ? InstanceState::finished : InstanceState::failed, describe(status));
}

void Supervisor::end(Instance& instance, InstanceState state, const std::string& message) {
  api::InstanceStatus& status = instance.record.status;
  if (api::is_terminal(status.state)) return;
  parts_.netfw.remove(status.id);
  status.state = state;
  status.message = message.substr(0, 1000);
  status.finished_at = now_text();
  status.healthy.reset();
  status.ready = false;
  status.pid = 0;
  if (instance.checks) status.health_results = instance.checks->results();
  status.readiness_results.clear();
  instance.checks.reset();
  instance.oom_watch.reset();
  publish(instance);
  parts_.metrics
      .counter("gestalt_agentd_ends_total", "Instances that ended",
               {{"state", std::string(api::state_word(state))}})
      .add();
  base::log::info("AGENT_INSTANCE_ENDED", "an instance has ended",
                  {{"instance", status.id.text()},
                   {"state", std::string(api::state_word(state))},
                   {"detail", status.message}});
  parts_.ledger.put(instance.record, bind(instance, &Supervisor::on_end_persisted));
  replan();
}

void Supervisor::on_end_persisted(Instance& instance, base::Result<void> persisted) {
  if (!persisted) {
    base::log::failure("AGENT_LEDGER_FAILED",
                       "an instance's end was not stored, cleaning up anyway",
                       {{"instance", instance.record.status.id.text()}}, persisted.error());
  }
  cleanup(instance);
}

void Supervisor::cleanup(Instance& instance) {
  if (instance.cleaning) return;
  instance.cleaning = true;
  // An ended unit is kept until now; this also stops what is left of a half-started one.
  parts_.services.stop(instance.record.unit(), bind(instance, &Supervisor::on_unit_stopped));
}

void Supervisor::on_unit_stopped(Instance& instance, base::Result<void>) {
  parts_.services.reset_failed(instance.record.unit(), bind(instance, &Supervisor::on_unit_reset));
}

void Supervisor::on_unit_reset(Instance& instance, base::Result<void>) {
  volumes_.unmount(instance.record, bind(instance, &Supervisor::on_unmounted));
}

void Supervisor::on_unmounted(Instance& instance) {
  auto done = bind(instance, &Supervisor::on_cleaned);
  auto work = [folder = folder_of(instance.record), run_folder = run_folder_of(instance.record),
               done, &loop = parts_.loop] {
    loop.post([done, removed = remove_runtime_files(folder, run_folder)] { done(removed); });
  };
  auto submitted = parts_.workers.submit(std::move(work));
  if (!submitted) on_cleaned(instance, submitted);
}

void Supervisor::on_cleaned(Instance& instance, base::Result<void> cleaned) {
  if (!cleaned) {
    base::log::warning("AGENT_CLEANUP_FAILED",
                       "files of an ended instance remain, they go with the next start",
                       {{"instance", instance.record.status.id.text()}}, cleaned.error());
  }
  instance.record.cleaned = true;
  persist(instance);
  replan();
}

}  // namespace node::agent

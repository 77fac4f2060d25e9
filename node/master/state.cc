// SPDX-License-Identifier: Apache-2.0
#include "node/master/state.h"

namespace node::master {

using api::InstanceState;

bool Instance::is_healthy() const {
  if (goal != api::Goal::running || unreachable || !reported) return false;
  if (status.state != InstanceState::running) return false;
  if (has_health_checks && !status.healthy.value_or(false)) return false;
  return !has_readiness_checks || status.ready;
}

std::string_view action_word(ActionKind kind) {
  switch (kind) {
    case ActionKind::start: return "StartApplication";
    case ActionKind::scale: return "ScaleApplication";
    case ActionKind::restart: return "RestartApplication";
    case ActionKind::stop: return "StopApplication";
  }
  return "";
}

std::set<std::string> Deployment::affected() const {
  std::set<std::string> apps;
  for (const auto& [app, definition] : originals) apps.insert(app);
  for (const Step& step : steps) {
    for (const Action& action : step) apps.insert(action.app);
  }
  return apps;
}

std::string task_state(const Instance& instance) {
  if (instance.unreachable) return "TASK_UNREACHABLE";
  switch (instance.status.state) {
    case InstanceState::staging: return "TASK_STAGING";
    case InstanceState::starting: return "TASK_STARTING";
    case InstanceState::running:
      return instance.goal == api::Goal::stopped ? "TASK_KILLING" : "TASK_RUNNING";
    case InstanceState::killing: return "TASK_KILLING";
    case InstanceState::finished: return "TASK_FINISHED";
    case InstanceState::failed: return "TASK_FAILED";
    case InstanceState::killed: return "TASK_KILLED";
    case InstanceState::lost: return "TASK_LOST";
    case InstanceState::error: return "TASK_ERROR";
  }
  return "";
}

std::string condition(const Instance& instance) {
  if (instance.unreachable) return "Unreachable";
  switch (instance.status.state) {
    case InstanceState::staging: return "Staging";
    case InstanceState::starting: return "Starting";
    case InstanceState::running: return instance.goal == api::Goal::stopped ? "Killing" : "Running";
    case InstanceState::killing: return "Killing";
    case InstanceState::finished: return "Finished";
    case InstanceState::failed: return "Failed";
    case InstanceState::killed: return "Killed";
    case InstanceState::lost: return "Gone";
    case InstanceState::error: return "Error";
  }
  return "";
}

std::string instance_name(const api::InstanceId& id) {
  const std::string& text = id.text();
  return text.substr(0, text.rfind("._app"));
}

}  // namespace node::master

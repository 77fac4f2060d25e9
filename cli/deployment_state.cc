// SPDX-License-Identifier: Apache-2.0
#include "cli/deployment_state.h"

#include <nlohmann/json.hpp>

#include "cli/views.h"

namespace cli {

using base::Json;

bool DeploymentState::take(const ServerEvent& event) {
  const auto body = base::parse_json(event.data, {.bytes_max = EventReader::kEventMax});
  if (!body || !body->is_object()) return false;
  const std::string type = text_at(*body, "eventType", event.type);
  const std::string id = text_at(*body, "id");
  if (type == "deployment_success" && id == deployment_) {
    phase_ = Phase::succeeded;
    return true;
  }
  if (type == "deployment_failed" && id == deployment_) {
    phase_ = Phase::failed;
    const std::string reason = text_at(*body, "reason");
    if (!reason.empty()) cause_ = reason;
    return true;
  }
  if (type == "deployment_step_success") return text_at(*body, "plan/id", id) == deployment_;
  if (text_at(*body, "appId") != app_) return false;
  const std::string state = text_at(*body, "taskStatus");
  if (state == "TASK_FAILED" || state == "TASK_ERROR" || state == "TASK_LOST") {
    cause_ = text_at(*body, "taskId") + ": " + text_at(*body, "message", state);
  }
  return true;
}

void DeploymentState::take_list(const Json& list) {
  if (phase_ != Phase::under_way || !list.is_array()) return;
  for (const Json& deployment : list) {
    if (text_at(deployment, "id") == deployment_) return;
  }
  phase_ = Phase::gone;
}

}  // namespace cli

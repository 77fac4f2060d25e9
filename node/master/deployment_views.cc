// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "node/master/views.h"

namespace node::master {
namespace {

using base::Json;

// Of a deployment whose events show the definitions before and after: rendering them holds up the
// loop.
constexpr std::size_t kPlanAppsMax = 100;
// Of one app: their responses may have a kilobyte each.
constexpr std::size_t kReadinessShown = 100;

Json action_json(const Action& action) {
  return {{"action", action_word(action.kind)}, {"app", action.app}};
}

// A group with nothing but the apps a deployment touches.
Json plan_group(const std::string& version, Json apps) {
  return {{"id", "/"},
          {"version", version},
          {"apps", std::move(apps)},
          {"groups", Json::array()},
          {"pods", Json::array()},
          {"dependencies", Json::array()}};
}

}  // namespace

Json steps_json(const Deployment& deployment) {
  Json steps = Json::array();
  for (const Step& step : deployment.steps) {
    Json actions = Json::array();
    for (const Action& action : step) actions.push_back(action_json(action));
    steps.push_back({{"actions", std::move(actions)}});
  }
  return steps;
}

DeploymentReadiness look_at_readiness(const Scheduler& scheduler, const Deployment& deployment) {
  DeploymentReadiness found;
  if (deployment.current >= deployment.steps.size()) return found;
  for (const Action& action : deployment.steps[deployment.current]) {
    const AppState* app = scheduler.find_app(action.app);
    if (app == nullptr) continue;
    auto readiness = look_at_readiness(scheduler, *app, kReadinessShown);
    if (!readiness.empty()) found[action.app] = std::move(readiness);
  }
  return found;
}

Json current_actions_json(const Deployment& deployment, const DeploymentReadiness& readiness) {
  Json actions = Json::array();
  if (deployment.current >= deployment.steps.size()) return actions;
  for (const Action& action : deployment.steps[deployment.current]) {
    Json shown = action_json(action);
    const auto found = readiness.find(action.app);
    shown["readinessCheckResults"] =
        found == readiness.end() ? Json::array() : readiness_json(found->second);
    actions.push_back(std::move(shown));
  }
  return actions;
}

Json deployment_json(const Deployment& deployment, const DeploymentReadiness& readiness) {
  const auto affected = deployment.affected();
  return {{"id", deployment.id},
          {"version", deployment.version},
          {"affectedApps", Json(std::vector<std::string>(affected.begin(), affected.end()))},
          {"affectedPods", Json::array()},
          {"steps", steps_json(deployment)},
          {"currentActions", current_actions_json(deployment, readiness)},
          {"currentStep", deployment.current + 1},
          {"totalSteps", deployment.steps.size()}};
}

Json plan_json(const Deployment& deployment, const std::map<std::string, AppState>& apps,
               PlanFormat format) {
  Json plan = {
      {"id", deployment.id}, {"version", deployment.version}, {"steps", steps_json(deployment)}};
  if (format == PlanFormat::light || deployment.originals.size() > kPlanAppsMax) return plan;
  Json before = Json::array();
  Json after = Json::array();
  for (const auto& [id, original] : deployment.originals) {
    if (original != nullptr) before.push_back(*original->document);
    const auto found = apps.find(id);
    if (found != apps.end() && found->second.current != nullptr)
      after.push_back(*found->second.current->document);
  }
  plan["original"] = plan_group(deployment.version, std::move(before));
  plan["target"] = plan_group(deployment.version, std::move(after));
  return plan;
}

}  // namespace node::master

// SPDX-License-Identifier: Apache-2.0
// What is known of one deployment so far, from masterd's events and its list of deployments. Pure;
// used by the wait in deployment_watch.
#pragma once

#include <string>

#include "cli/event_reader.h"
#include "common/base/json.h"

namespace cli {

class DeploymentState {
 public:
  DeploymentState(std::string deployment, std::string app)
      : deployment_(std::move(deployment)), app_(std::move(app)) {}

  enum class Phase { under_way, succeeded, failed, gone };

  // Takes an event of masterd's stream in. True when it is about this deployment or its app.
  bool take(const ServerEvent& event);
  // Takes the reply of GET /v2/deployments in: a deployment that is not listed has ended.
  void take_list(const base::Json& list);

  Phase phase() const { return phase_; }
  // Why, as far as events told: the last failure of an instance, the reason of the deployment.
  const std::string& cause() const { return cause_; }

 private:
  std::string deployment_;
  std::string app_;
  Phase phase_ = Phase::under_way;
  std::string cause_;
};

}  // namespace cli

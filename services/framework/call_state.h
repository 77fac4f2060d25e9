// SPDX-License-Identifier: Apache-2.0
// What a Call is made of, for the framework only.
#pragma once

#include <any>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/framework/call.h"

namespace services {

struct PendingEvent {
  std::string id;
  std::string name;
  std::string payload;  // JSON text
};

struct Call::State {
  explicit State(Host& owner);
  ~State();

  // Forgets what a handler did, before it runs again.
  void forget_effects();

  Host& host;
  const ActionRow* row = nullptr;
  const rest::Request* request = nullptr;
  CallerPtr caller;
  Target target;
  base::WallTime now{};
  std::string href_base;
  std::unique_ptr<base::Json> body;
  store::Reader* reader = nullptr;
  store::Writer* writer = nullptr;  // set inside the transaction only
  bool dryrun = false;
  bool explaining = false;
  bool released = false;    // held before; the gate lets it pass
  std::string parent_task;  // of a released call: the task that it fulfils
  std::vector<PendingEvent> events;
  std::unique_ptr<base::Json> audit;      // an object of extra fields
  std::unique_ptr<base::Json> explained;  // an array of {stage, …}
  std::vector<std::string> started_tasks;
  std::vector<std::string> changed_tasks;
  std::optional<std::uint64_t> version;
  std::any kept;
  std::string once;  // of the call's Idempotency-Key; empty: it has none
};

}  // namespace services

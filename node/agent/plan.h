// SPDX-License-Identifier: Apache-2.0
// What to do next: desired instances × observed instances and units → ordered steps. Pure.
//
// 1. Without a known wish nothing is touched: a node that lost its coordination keeps running.
// 2. A step is only planned when it can be applied now; whatever changes afterwards leads to a new
//    plan. Planning again without a change gives no new steps, because applied steps show up in
//    what is observed.
// 3. Stops come before starts, so that ports and memory become free first.
// Threads: pure function.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "node/api/assignments.h"
#include "node/api/status.h"

namespace node::agent {

struct ObservedInstance {
  api::InstanceId id;
  std::int64_t epoch = 0;
  api::InstanceState state = api::InstanceState::staging;
  std::vector<std::uint16_t> ports;
  bool cleaned = false;      // of a terminal instance: unit and folders are gone
  bool image_ready = false;  // of a staging instance: it waits for its turn to start
  std::string spec = {};     // digest of what it runs by, or is being brought to
};

struct PlanInput {
  const api::Assignments* desired = nullptr;  // nullptr: not known
  std::vector<ObservedInstance> instances;
  std::vector<std::string> units;  // loaded units of ours that belong to no observed instance
  std::size_t starts_max = 1;      // instances that may be starting at the same time
};

struct Step {
  enum class Kind {
    stop_unit,  // a unit nobody wants: stop it, remove its remains
    stop,       // drain and stop an instance
    forget,     // a terminal instance that masterd has dropped
    adopt,      // a unit that is wanted but has no record
    proceed,    // a staging instance whose image has come
    update,     // a running instance gets the limits and checks of a changed specification
    start,
  };
  Kind kind;
  api::InstanceId id;
  std::int64_t epoch = 0;
  std::string unit = {};
  friend bool operator==(const Step&, const Step&) = default;
};

std::vector<Step> plan(const PlanInput& input);

}  // namespace node::agent

// SPDX-License-Identifier: Apache-2.0
// What masterd wants one node to run: the content of /gestalt/assign/<node>.
// Threads: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"
#include "node/api/ids.h"

namespace node::api {

enum class Goal { running, stopped };

struct Assignment {
  InstanceId id;
  std::string spec;        // digest of the RunSpec: 64 lower-case hex digits
  std::int64_t epoch = 1;  // grows when the same instance is started anew
  std::vector<std::uint16_t> ports;
  Goal goal = Goal::running;
  friend bool operator==(const Assignment&, const Assignment&) = default;
};

struct Assignments {
  std::int64_t generation = 0;  // grows with each write
  std::vector<Assignment> instances;
  friend bool operator==(const Assignments&, const Assignments&) = default;
};

inline constexpr std::size_t kAssignmentsMax = 4000;

// Errors: invalid_argument field_missing, field_invalid, field_unknown, not_an_object, with a
// pointer; the same id twice is field_invalid.
base::Result<Assignments> read_assignments(const base::Json& json);
base::Result<Assignments> decode_assignments(std::string_view text);
base::Json to_json(const Assignments& assignments);
std::string encode(const Assignments& assignments);

}  // namespace node::api

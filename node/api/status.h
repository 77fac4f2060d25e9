// SPDX-License-Identifier: Apache-2.0
// What an agent reports to masterd about its instances.
//
// 1. Times are RFC 3339 texts in UTC, for people; an empty text stands for null.
// 2. A terminal state never changes again for the same (id, epoch).
// Threads: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"
#include "node/api/ids.h"

namespace node::api {

enum class InstanceState {
  staging,   // the image or the volumes are being made ready
  starting,  // the unit is being started
  running,
  killing,
  finished,  // ended by itself with status 0
  failed,    // ended by itself otherwise
  killed,    // ended because it was told to
  lost,      // its end was not seen: the machine or systemd restarted
  error,     // could not be started
};

std::string_view state_word(InstanceState state);
inline bool is_terminal(InstanceState state) { return state >= InstanceState::finished; }

struct HealthResult {
  bool alive = false;
  std::int64_t consecutive_failures = 0;
  std::string first_success;
  std::string last_success;
  std::string last_failure;
  std::string last_failure_cause;
  friend bool operator==(const HealthResult&, const HealthResult&) = default;
};

inline constexpr std::size_t kCheckBodyMax = 1024;

// What an instance answered to a readiness check. No answer at all is shown as 504 with what went
// wrong, as Marathon has it.
struct CheckResponse {
  std::int64_t status = 0;
  std::string content_type;
  std::string body;  // the beginning, at most kCheckBodyMax bytes
  friend bool operator==(const CheckResponse&, const CheckResponse&) = default;
};

struct ReadinessResult {
  std::string name;  // of the check
  bool ready = false;
  std::optional<CheckResponse> last_response;  // of a check that keeps it, once it has looked
  friend bool operator==(const ReadinessResult&, const ReadinessResult&) = default;
};

struct InstanceStatus {
  InstanceId id;
  std::int64_t epoch = 1;
  InstanceState state = InstanceState::staging;
  std::optional<bool> healthy;  // nullopt: no check has decided yet, or there is none
  bool ready = false;
  std::string address;
  std::vector<std::uint16_t> ports;
  std::int64_t pid = 0;
  std::string staged_at;
  std::string started_at;
  std::string finished_at;
  std::string message;
  std::int64_t exit_status = 0;
  std::int64_t signal = 0;
  bool out_of_memory = false;
  std::vector<std::string> degraded;  // memory_limit_not_effective, …
  std::vector<HealthResult> health_results;
  std::vector<ReadinessResult> readiness_results;  // while it runs; per readiness check
  friend bool operator==(const InstanceStatus&, const InstanceStatus&) = default;
};

struct StatusReport {
  std::string boot;           // a UUID of the agent's process
  std::int64_t sequence = 0;  // grows by one per report
  bool full = false;          // all instances, not only changed ones
  std::vector<InstanceStatus> instances;
  friend bool operator==(const StatusReport&, const StatusReport&) = default;
};

// Errors: invalid_argument field_missing, field_invalid, field_unknown, not_an_object, with a
// pointer.
base::Result<InstanceStatus> read_instance_status(const base::Json& json,
                                                  const std::string& pointer = "");
base::Result<StatusReport> read_status_report(const base::Json& json);
base::Json to_json(const InstanceStatus& status);
base::Json to_json(const StatusReport& report);

}  // namespace node::api

// SPDX-License-Identifier: Apache-2.0
// Agents' reports of their instances: what can be read is written as what reads as the same again.
#include "node/api/status.h"

#include <cstdint>

#include "common/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto json = base::parse_json({reinterpret_cast<const char*>(data), size});
  if (!json) return 0;
  const auto report = node::api::read_status_report(*json);
  if (!report) return 0;
  for (const node::api::InstanceStatus& status : report->instances) {
    CHECK_THAT(node::api::is_instance_id(status.id.text()));
    for (const auto& each : status.readiness_results) {
      CHECK_THAT(!each.last_response ||
                 each.last_response->body.size() <= node::api::kCheckBodyMax);
    }
  }
  // Escapes make a text longer, so the limit of what was read does not hold for what is written.
  const std::string text = base::dump_json(to_json(*report));
  const auto parsed = base::parse_json(text, {.bytes_max = text.size()});
  CHECK_THAT(parsed.has_value());
  const auto again = node::api::read_status_report(*parsed);
  CHECK_THAT(again && *again == *report);
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Assignments, and the unit names made from them: what can be read leads back to itself.
#include "node/api/assignments.h"

#include <cstdint>

#include "common/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto owner = node::api::parse_unit_name(text)) {
    CHECK_THAT(node::api::unit_name(owner->id, owner->epoch) == text);
  }
  const auto assignments = node::api::decode_assignments(text);
  if (!assignments) return 0;
  for (const auto& each : assignments->instances) {
    const auto owner = node::api::parse_unit_name(node::api::unit_name(each.id, each.epoch));
    CHECK_THAT(owner && owner->id == each.id && owner->epoch == each.epoch);
  }
  const auto again = node::api::decode_assignments(encode(*assignments));
  CHECK_THAT(again && *again == *assignments);
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// A JSON Patch from a client, applied to a document: never a crash, and what applies is JSON still.
#include <cstdint>
#include <nlohmann/json.hpp>

#include "common/base/check.h"
#include "services/meta/json_patch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto body = base::parse_json(text, {.bytes_max = 64 << 10, .depth_max = 32});
  if (!body) return 0;
  const auto operations = services::meta::read_patch(*body);
  if (!operations) return 0;
  const base::Json document = {{"name", "a"},
                               {"tags", {"x", "y", {"z"}}},
                               {"properties", {{"env", {{"A", "1"}}}, {"n", 1}}}};
  const auto patched = services::meta::apply_patch(document, *operations);
  if (!patched) return 0;
  // The patch between the two leads to the same place.
  const auto back = services::meta::read_patch(services::meta::patch_between(document, *patched));
  if (!back) return 0;  // deeper or longer than is taken
  const auto again = services::meta::apply_patch(document, *back);
  if (again) CHECK_THAT(*again == *patched);
  return 0;
}

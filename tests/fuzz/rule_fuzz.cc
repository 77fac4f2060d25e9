// SPDX-License-Identifier: Apache-2.0
// A policy rule and a resource it is asked about: never a crash, and the same answer twice.
#include <cstdint>
#include <nlohmann/json.hpp>

#include "common/base/check.h"
#include "services/policy/api/evaluate.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto document = base::parse_json(text, {.bytes_max = 64 << 10, .depth_max = 16});
  if (!document || !document->is_object()) return 0;
  const auto rule = services::policy::read_rule(*document);
  if (!rule) return 0;
  const auto facts = document->find("facts");
  const services::policy::Lookup lookup =
      [&](const services::policy::Rule&,
          std::string_view name) -> base::Result<std::optional<base::Json>> {
    if (facts == document->end() || !facts->is_object()) return std::optional<base::Json>();
    const auto found = facts->find(name);
    if (found == facts->end()) return std::optional<base::Json>();
    return std::optional<base::Json>(*found);
  };
  for (const services::policy::Match& match : rule->matches) {
    const auto first = services::policy::judge({*rule}, match.action, lookup);
    const auto second = services::policy::judge({*rule, *rule}, match.action, lookup);
    CHECK_THAT(first.denied == second.denied);
    services::policy::fire({*rule}, match.action, lookup);
  }
  return 0;
}

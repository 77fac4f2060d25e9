// SPDX-License-Identifier: Apache-2.0
// Fully qualified organisation names, as every route by organisation reads them: what is accepted
// is safe in an address and as a key, and is the name of an organisation below those it names.
#include <cstdint>

#include "common/base/check.h"
#include "common/base/text.h"
#include "services/security/model/names.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (!security::is_fqon(text)) return 0;
  CHECK_THAT(text.size() <= security::kFqonMax);
  CHECK_THAT(text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") == text.npos);
  std::string made(security::kRootFqon);
  for (const std::string_view name : base::split(text, '.')) {
    CHECK_THAT(security::check_org_name(name).has_value());
    const auto next = security::make_fqon(made, name);
    // "root" alone names the root, and nothing made below it.
    if (!next) return 0;
    CHECK_THAT(security::is_fqon(*next) && security::is_within(*next, made));
    CHECK_THAT(made == security::kRootFqon || !security::is_within(made, *next));
    made = *next;
  }
  CHECK_THAT(made == text);
  return 0;
}

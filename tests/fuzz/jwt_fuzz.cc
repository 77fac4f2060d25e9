// SPDX-License-Identifier: Apache-2.0
// Any text as a token, and as a key set: refused or verified, never a crash; nothing verifies that
// our key did not sign.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "common/base/check.h"
#include "services/security/token/jwt.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto keys = [] {
    security::KeySet set;
    auto key = sys::EcKey::generate();
    CHECK_THAT(key.has_value());
    set.add("k1", *std::move(key));
    return set;
  }();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto claims = keys.verify(
      text, {.type = security::kAccessTokenType, .issuer = "i", .audience = {}, .now = 1});
  CHECK_THAT(!claims);
  (void)security::looks_like_jwt(text);
  (void)security::jwt_key_id(text);
  const auto json = base::parse_json(text);
  if (json) {
    const auto set = security::KeySet::parse(*json);
    if (set) CHECK_THAT(set->to_json().has_value());
  }
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Any text as a stored record, a patch, a password hash or a name of security.
#include <array>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "common/base/check.h"
#include "services/security/api/grant.h"
#include "services/security/data/records.h"
#include "services/security/model/names.h"
#include "services/security/model/patch.h"
#include "services/security/token/secret_token.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto account = security::decode<security::AccountRecord>(text);
  if (account) {
    const std::string again = security::encode(*account);
    CHECK_THAT(security::encode(*security::decode<security::AccountRecord>(again)) == again);
  }
  (void)security::decode<security::TokenRecord>(text);
  constexpr std::array<std::string_view, 2> kPaths = {"/email", "/config/*"};
  const auto json = base::parse_json(text);
  if (json) (void)security::parse_patch(*json, kPaths);
  const std::size_t half = size / 2;
  const std::string_view a = text.substr(0, half), b = text.substr(half);
  const auto ab = security::matches_grant(a, b), ba = security::matches_grant(b, a);
  CHECK_THAT(ab.has_value() == ba.has_value() && (!ab || *ab == *ba));
  if (size < 4096) (void)security::matches_wildcard(a, b);
  (void)security::check_username(text);
  (void)security::check_email(text);
  const auto phone = security::canonical_phone(text);
  if (phone) CHECK_THAT(*security::canonical_phone(*phone) == *phone);
  (void)security::token_kind(text);
  return 0;
}

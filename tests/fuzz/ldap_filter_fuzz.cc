// SPDX-License-Identifier: Apache-2.0
// Any value in a filter stays a value: brackets are balanced, and an equality has no wildcard.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "common/base/check.h"
#include "services/security/adapters/ldap/filter.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const bool wildcard : {false, true}) {
    const security::LdapFilter one = wildcard ? security::LdapFilter::wildcard("uid", text)
                                              : security::LdapFilter::equal("uid", text);
    const std::string& filter = one.text();
    CHECK_THAT(std::count(filter.begin(), filter.end(), '(') == 1);
    CHECK_THAT(std::count(filter.begin(), filter.end(), ')') == 1);
    CHECK_THAT(filter.front() == '(' && filter.back() == ')');
    if (!wildcard) CHECK_THAT(filter.find('*') == filter.npos);
    CHECK_THAT(std::all_of(filter.begin(), filter.end(), [](char c) {
      return static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) < 0x7f;
    }));
  }
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
#include "services/security/adapters/ldap/filter.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/text.h"

namespace security {

namespace {

constexpr std::string_view kHex = "0123456789abcdef";

void append_hex(std::string& out, char c) {
  const auto byte = static_cast<unsigned char>(c);
  out += '\\';
  out += kHex[byte >> 4];
  out += kHex[byte & 15];
}

bool is_filter_special(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return c == '*' || c == '(' || c == ')' || c == '\\' || byte < 0x20 || byte >= 0x7f;
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

}  // namespace

bool is_ldap_attribute(std::string_view name) {
  return !name.empty() && name.size() <= 64 && is_letter(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '-'; });
}

std::string escape_filter_value(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (is_filter_special(c)) {
      append_hex(out, c);
    } else {
      out += c;
    }
  }
  return out;
}

LdapFilter LdapFilter::equal(std::string_view name, std::string_view value) {
  CHECK_THAT(is_ldap_attribute(name));
  return LdapFilter("(" + std::string(name) + "=" + escape_filter_value(value) + ")");
}

LdapFilter LdapFilter::wildcard(std::string_view name, std::string_view pattern) {
  CHECK_THAT(is_ldap_attribute(name));
  std::string value;
  bool after_star = false;
  for (const std::string_view piece : base::split(pattern, '*')) {
    if (after_star && !value.ends_with('*')) value += '*';
    value += escape_filter_value(piece);
    after_star = true;
  }
  return LdapFilter("(" + std::string(name) + "=" + value + ")");
}

LdapFilter LdapFilter::all_of(const std::vector<LdapFilter>& parts) {
  if (parts.empty()) return LdapFilter("(objectClass=*)");
  if (parts.size() == 1) return parts.front();
  std::string text = "(&";
  for (const LdapFilter& part : parts) text += part.text();
  return LdapFilter(text + ")");
}

}  // namespace security

// SPDX-License-Identifier: Apache-2.0
// Search filters of LDAP (RFC 4515) made from parts, never from text with holes.
//
// Used by the LDAP adapter.
// 1. A value is escaped by what it is: equal() leaves nothing special, wildcard() leaves `*` alone.
// 2. A name of an attribute comes from the configuration and is checked to be one.
// Threads: any (pure).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace security {

// A letter, then letters, digits and hyphens, at most 64 (RFC 4512 section 1.4).
bool is_ldap_attribute(std::string_view name);
std::string escape_filter_value(std::string_view value);

class LdapFilter {
 public:
  // Requires: is_ldap_attribute(name).
  static LdapFilter equal(std::string_view name, std::string_view value);
  static LdapFilter wildcard(std::string_view name, std::string_view pattern);
  static LdapFilter all_of(const std::vector<LdapFilter>& parts);  // of none: everything
  const std::string& text() const { return text_; }

 private:
  explicit LdapFilter(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

}  // namespace security

// SPDX-License-Identifier: Apache-2.0
#include "services/security/model/names.h"

#include <algorithm>

#include "common/base/text.h"

namespace security {

namespace {

base::Error name_error(std::string detail) {
  return {base::Code::invalid_argument, std::move(detail), "name_invalid"};
}

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_printable(std::string_view text) {
  return base::is_utf8(text) && std::none_of(text.begin(), text.end(), [](char c) {
           return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
         });
}

bool is_org_name(std::string_view name) {
  if (name.empty() || name.size() > 63) return false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool joins = name[i] == '-' && i > 0 && i + 1 < name.size() && name[i - 1] != '-';
    if (!is_lower_or_digit(name[i]) && !joins) return false;
  }
  return true;
}

}  // namespace

base::Result<void> check_org_name(std::string_view name) {
  if (is_org_name(name)) return {};
  return name_error(
      "org names are lower case letters, digits and single hyphens between them, at most 63");
}

bool is_fqon(std::string_view text) {
  if (text.empty() || text.size() > kFqonMax) return false;
  const auto pieces = base::split(text, '.');
  return std::all_of(pieces.begin(), pieces.end(), is_org_name);
}

base::Result<std::string> make_fqon(std::string_view parent_fqon, std::string_view name) {
  TRY(check_org_name(name));
  std::string fqon = parent_fqon == kRootFqon ? std::string(name)
                                              : std::string(parent_fqon) + "." + std::string(name);
  if (fqon == kRootFqon) return name_error("only the root is called root");
  if (fqon.size() > kFqonMax) return name_error("the path of an org has at most 240 characters");
  return fqon;
}

bool is_within(std::string_view fqon, std::string_view ancestor) {
  if (ancestor == kRootFqon || fqon == ancestor) return true;
  return fqon.size() > ancestor.size() && fqon.starts_with(ancestor) &&
         fqon[ancestor.size()] == '.';
}

base::Result<void> check_username(std::string_view name) {
  if (name.empty() || name.size() > kNameMax) {
    return name_error("a username has 1 to 200 bytes");
  }
  if (!is_printable(name) || base::trim(name) != name || name.find_first_of("*/") != name.npos) {
    return name_error("a username is text without control characters, '*' and '/'");
  }
  return {};
}

base::Result<void> check_display_name(std::string_view name, std::string_view what) {
  if (name.empty() || name.size() > kNameMax || !is_printable(name) || base::trim(name) != name ||
      name.find('*') != name.npos) {
    return name_error(std::string(what) +
                      " is text of 1 to 200 bytes without control characters and '*'");
  }
  return {};
}

base::Result<void> check_email(std::string_view email) {
  const base::Error wrong{base::Code::invalid_argument, "the e-mail address is not one",
                          "email_invalid"};
  const auto at = email.rfind('@');
  if (email.size() > 200 || at == email.npos || at == 0 || at > 64 || !is_printable(email)) {
    return wrong;
  }
  if (email.find_first_of(" \t<>,;*\"()\\") != email.npos) return wrong;
  const std::string_view local = email.substr(0, at), domain = email.substr(at + 1);
  if (local.find('@') != local.npos || local.front() == '.' || local.back() == '.') return wrong;
  for (const std::string_view label : base::split(domain, '.')) {
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') {
      return wrong;
    }
  }
  return {};
}

base::Result<std::string> canonical_phone(std::string_view phone) {
  std::string digits;
  for (const char c : phone) {
    if (c != '-' && c != ' ' && c != '(' && c != ')' && c != '.') digits += c;
  }
  const bool fits =
      digits.size() >= 11 && digits.size() <= 16 && digits.front() == '+' &&
      std::all_of(digits.begin() + 1, digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!fits) {
    return base::Error{base::Code::invalid_argument,
                       "phone numbers are E.164, for instance +15058675309", "phone_invalid"};
  }
  return digits;
}

bool matches_wildcard(std::string_view pattern, std::string_view text) {
  // Greedy with one point to go back to: O(pattern * text), no recursion.
  std::size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p, ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace security

// SPDX-License-Identifier: Apache-2.0
#include "services/security/api/grant.h"

#include <algorithm>
#include <vector>

#include "common/base/text.h"

namespace security {

namespace {

base::Error grant_error(std::string detail) {
  return {base::Code::invalid_argument, std::move(detail), "grant_invalid"};
}

}  // namespace

base::Result<void> check_grant_name(std::string_view name) {
  if (name.empty()) return grant_error("grant name must be non-empty");
  const auto segments = base::split(name, ':');
  for (std::size_t i = 0; i + 1 < segments.size(); ++i) {
    if (segments[i] == "**") {
      return grant_error("invalid matcher; super-wildcard must be in the right-most field");
    }
  }
  return {};
}

base::Result<bool> matches_grant(std::string_view grant, std::string_view test) {
  TRY(check_grant_name(grant));
  TRY(check_grant_name(test));
  const auto a = base::split(grant, ':'), b = base::split(test, ':');
  for (std::size_t i = 0;; ++i) {
    if ((i < a.size() && a[i] == "**") || (i < b.size() && b[i] == "**")) return true;
    if (i == a.size() || i == b.size()) return a.size() == b.size();
    if (a[i] != b[i] && a[i] != "*" && b[i] != "*") return false;
  }
}

bool has_grant(std::span<const Grant> grants, std::string_view name) {
  return std::any_of(grants.begin(), grants.end(), [&](const Grant& g) { return g.name == name; });
}

bool has_matching_grant(std::span<const Grant> grants, std::string_view test) {
  return std::any_of(grants.begin(), grants.end(),
                     [&](const Grant& g) { return matches_grant(g.name, test).value_or(false); });
}

bool has_value(std::span<const Grant> grants, std::string_view name, std::string_view value) {
  return std::any_of(grants.begin(), grants.end(),
                     [&](const Grant& g) { return g.name == name && g.value == value; });
}

bool matches_value(std::span<const Grant> grants, std::string_view name, std::string_view value,
                   const std::function<bool(std::string_view, std::string_view)>& equal) {
  return std::any_of(grants.begin(), grants.end(), [&](const Grant& g) {
    return g.name == name && g.value && equal(*g.value, value);
  });
}

bool covers_right(std::span<const Grant> grants, std::string_view right) {
  return std::any_of(grants.begin(), grants.end(), [&](const Grant& g) {
    return !g.value && (g.name == right || g.name == kSuperuser);
  });
}

}  // namespace security

// SPDX-License-Identifier: Apache-2.0
// What a check says about the machine, and the report of all of them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/json.h"

namespace node::preflight {

// skipped: the check does not apply to the role, or cannot look (a fake tree, not root).
enum class Verdict { pass, warn, fail, waived, skipped };
std::string_view verdict_name(Verdict verdict);

// What the machine is to become. An appliance is for development: a shortage that would fail a
// production node is only a warning there.
enum class Role { infra, dmz, appliance };
std::string_view role_name(Role role);
std::optional<Role> parse_role(std::string_view text);

struct Finding {
  Verdict verdict = Verdict::pass;
  std::string found;                       // "2 cores"
  std::string needed;                      // "4 cores"
  std::string fix;                         // what to do; empty when the check passed
  std::string evidence = {};               // file or call that the finding rests on
  std::optional<std::uint64_t> have = {};  // the number behind `found`, where there is one
  std::optional<std::uint64_t> need = {};
};

struct NamedFinding {
  std::string id;
  Finding finding;
};

struct Report {
  Role role = Role::infra;
  std::string machine;  // its host name
  std::vector<NamedFinding> findings;

  std::size_t count(Verdict verdict) const;
  // 0 nothing failed, 1 something failed, 3 there are warnings and `strict` is set.
  int exit_status(bool strict) const;
  base::Json to_json() const;
  // "2 failed, 1 warning, 9 passed".
  std::string summary() const;
};

// Failures become waived and keep what was found; the reason is added to it. Warnings too.
void waive(Report& report, const std::map<std::string, std::string>& reasons);

}  // namespace node::preflight

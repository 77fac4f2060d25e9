// SPDX-License-Identifier: Apache-2.0
#include "node/preflight/finding.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace node::preflight {

std::string_view verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass: return "pass";
    case Verdict::warn: return "warn";
    case Verdict::fail: return "fail";
    case Verdict::waived: return "waived";
    case Verdict::skipped: return "skipped";
  }
  return "fail";
}

std::string_view role_name(Role role) {
  switch (role) {
    case Role::infra: return "infra";
    case Role::dmz: return "dmz";
    case Role::appliance: return "appliance";
  }
  return "infra";
}

std::optional<Role> parse_role(std::string_view text) {
  for (const Role role : {Role::infra, Role::dmz, Role::appliance}) {
    if (text == role_name(role)) return role;
  }
  return std::nullopt;
}

std::size_t Report::count(Verdict verdict) const {
  return static_cast<std::size_t>(std::count_if(
      findings.begin(), findings.end(),
      [verdict](const NamedFinding& named) { return named.finding.verdict == verdict; }));
}

int Report::exit_status(bool strict) const {
  if (count(Verdict::fail) > 0) return 1;
  return strict && count(Verdict::warn) > 0 ? 3 : 0;
}

base::Json Report::to_json() const {
  base::Json checks = base::Json::array();
  for (const NamedFinding& named : findings) {
    const Finding& finding = named.finding;
    base::Json check = {{"id", named.id},
                        {"status", verdict_name(finding.verdict)},
                        {"found", finding.found},
                        {"needed", finding.needed}};
    if (!finding.fix.empty()) check["fix"] = finding.fix;
    if (!finding.evidence.empty()) check["evidence"] = finding.evidence;
    if (finding.have) check["have"] = *finding.have;
    if (finding.need) check["need"] = *finding.need;
    checks.push_back(std::move(check));
  }
  const std::string_view result = count(Verdict::fail) > 0   ? "fail"
                                  : count(Verdict::warn) > 0 ? "warn"
                                                             : "pass";
  return {{"schema", 1},
          {"node", machine},
          {"role", role_name(role)},
          {"result", result},
          {"checks", std::move(checks)}};
}

std::string Report::summary() const {
  const std::size_t warnings = count(Verdict::warn);
  std::string text = std::to_string(count(Verdict::fail)) + " failed, " + std::to_string(warnings) +
                     (warnings == 1 ? " warning, " : " warnings, ") +
                     std::to_string(count(Verdict::pass)) + " passed";
  if (count(Verdict::waived) > 0) text += ", " + std::to_string(count(Verdict::waived)) + " waived";
  if (count(Verdict::skipped) > 0) {
    text += ", " + std::to_string(count(Verdict::skipped)) + " skipped";
  }
  return text;
}

void waive(Report& report, const std::map<std::string, std::string>& reasons) {
  for (NamedFinding& named : report.findings) {
    const auto reason = reasons.find(named.id);
    if (reason == reasons.end()) continue;
    Finding& finding = named.finding;
    if (finding.verdict != Verdict::fail && finding.verdict != Verdict::warn) continue;
    finding.verdict = Verdict::waived;
    finding.found += " (waived: " + reason->second + ")";
    finding.fix.clear();
  }
}

}  // namespace node::preflight

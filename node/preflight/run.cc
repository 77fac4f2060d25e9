// SPDX-License-Identifier: Apache-2.0
#include "node/preflight/run.h"

#include <algorithm>

#include "node/preflight/role.h"

namespace node::preflight {

namespace {

base::Result<void> check_known(const std::string& id) {
  for (const Check& check : all_checks()) {
    if (check.id == id) return {};
  }
  return base::Error{base::Code::invalid_argument,
                     "there is no check \"" + id + "\": see gestalt node preflight --list",
                     "check_unknown"};
}

Finding look(const Check& check, const Machine& machine) {
  if (machine.role == Role::dmz && !check.on_dmz) {
    return {Verdict::skipped, "not needed on a DMZ node", "", ""};
  }
  Finding finding = check.look(machine);
  if (machine.role == Role::appliance && check.on_appliance == OnAppliance::warns &&
      finding.verdict == Verdict::fail) {
    finding.verdict = Verdict::warn;
  }
  return finding;
}

}  // namespace

base::Result<Report> run_checks(const Options& options, Probes& probes) {
  for (const std::string& id : options.only) TRY(check_known(id));
  for (const auto& [id, reason] : options.waivers) TRY(check_known(id));
  std::error_code ignored;
  if (!std::filesystem::is_directory(options.sysroot, ignored)) {
    return base::Error{base::Code::not_found, "there is no folder " + options.sysroot.string(),
                       "sysroot_missing"};
  }
  const Tree tree(options.sysroot);
  const Role role = options.role ? *options.role : configured_role(tree);
  const Machine machine{tree, probes, role, options.data_device, options.peers};
  Report report;
  report.role = role;
  report.machine = tree.text("/proc/sys/kernel/hostname").value_or("");
  for (const Check& check : all_checks()) {
    const bool wanted = options.only.empty() || std::find(options.only.begin(), options.only.end(),
                                                          check.id) != options.only.end();
    if (wanted) report.findings.push_back({std::string(check.id), look(check, machine)});
  }
  waive(report, options.waivers);
  return report;
}

base::Result<Report> run_checks(const Options& options) {
  const auto probes = options.sysroot == "/" ? live_probes() : no_probes();
  return run_checks(options, *probes);
}

}  // namespace node::preflight

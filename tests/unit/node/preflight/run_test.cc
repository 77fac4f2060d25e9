// SPDX-License-Identifier: Apache-2.0
#include "node/preflight/run.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "node/preflight/finding.h"

#include "tests/support/check_result.h"
#include "tests/unit/node/preflight/fake_machine.h"

namespace {

using base::Code;
using node::preflight::Report;
using node::preflight::Role;
using node::preflight::Verdict;

}  // namespace

TEST_GROUP(PreflightRun) { FakeMachine machine; };

TEST(PreflightRun, a_good_node_passes_every_check) {
  using namespace std::chrono_literals;
  machine.probes.peers["n2"] = {"10.0.0.3", 300us, 1500};
  const Report report = machine.run({.peers = {"n2"}});
  for (const auto& named : report.findings) {
    STRCMP_EQUAL("pass", std::string(verdict_name(named.finding.verdict)).c_str());
  }
  STRCMP_EQUAL("0 failed, 0 warnings, 20 passed", report.summary().c_str());
  CHECK_EQUAL(0, report.exit_status(true));
}

TEST(PreflightRun, one_failure_fails_the_machine) {
  machine.remove("proc/net/fib_trie");
  const Report report = machine.run({.only = {"net.addr", "cpu.cores"}});
  STRCMP_EQUAL("1 failed, 0 warnings, 1 passed", report.summary().c_str());
  CHECK_EQUAL(1, report.exit_status(false));
  STRCMP_EQUAL("fail", report.to_json()["result"].get<std::string>().c_str());
}

TEST(PreflightRun, warnings_matter_only_when_strict) {
  machine.disk("vdb", "253:16", 16);
  const Report report = machine.run({.only = {"disk.data"}});
  CHECK_EQUAL(0, report.exit_status(false));
  CHECK_EQUAL(3, report.exit_status(true));
  STRCMP_EQUAL("0 failed, 1 warning, 0 passed", report.summary().c_str());
}

TEST(PreflightRun, a_waiver_turns_a_failure_into_a_note_with_its_reason) {
  machine.write("proc/meminfo", "MemTotal: 4194304 kB\n");
  const Report report =
      machine.run({.only = {"mem.total"}, .waivers = {{"mem.total", "test bed"}}});
  CHECK_EQUAL(0, report.exit_status(true));
  STRCMP_EQUAL("4.0 GiB (waived: test bed)", report.findings[0].finding.found.c_str());
  STRCMP_EQUAL("waived", report.to_json()["checks"][0]["status"].get<std::string>().c_str());
}

TEST(PreflightRun, a_waiver_for_a_check_that_passes_changes_nothing) {
  const Report report = machine.run({.only = {"mem.total"}, .waivers = {{"mem.total", "x"}}});
  CHECK(report.findings[0].finding.verdict == Verdict::pass);
}

TEST(PreflightRun, unknown_ids_and_a_missing_tree_are_refused) {
  FakeProbes probes;
  CHECK_ERROR(Code::invalid_argument, "check_unknown",
              node::preflight::run_checks({.only = {"cpu.coers"}}, probes));
  CHECK_ERROR(Code::invalid_argument, "check_unknown",
              node::preflight::run_checks({.waivers = {{"x", "y"}}}, probes));
  CHECK_ERROR(Code::not_found, "sysroot_missing",
              node::preflight::run_checks({.sysroot = "/nonexistent"}, probes));
}

TEST(PreflightRun, the_json_names_numbers_evidence_and_fix) {
  machine.disk("vdb", "253:16", 14);
  const base::Json check =
      machine.run({.role = Role::appliance, .only = {"disk.data"}}).to_json()["checks"][0];
  STRCMP_EQUAL("warn", check["status"].get<std::string>().c_str());
  CHECK_EQUAL(20'000'000'000ULL, check["need"].get<std::uint64_t>());
  CHECK(check["have"].get<std::uint64_t>() > 13'900'000'000ULL);
  STRCMP_EQUAL("use a disk of at least 20 GB", check["fix"].get<std::string>().c_str());
  STRCMP_EQUAL("/sys/block", check["evidence"].get<std::string>().c_str());
}

TEST(PreflightRun, an_empty_tree_fails_or_skips_and_never_passes_by_accident) {
  FakeMachine empty;
  for (const std::string name : {"etc", "usr", "proc", "sys", "dev", "lib"}) empty.remove(name);
  node::preflight::Options options;
  options.sysroot = empty.at("");
  const auto report = UNWRAP(node::preflight::run_checks(options));
  for (const auto& named : report.findings) {
    // A tree without listeners and without a firewall manager has neither.
    if (named.id == "fw.conflict" || named.id == "ports.local") continue;
    CHECK_TEXT(named.finding.verdict != Verdict::pass, named.id.c_str());
  }
}

TEST(PreflightRun, this_machine_can_be_looked_at) {
  const auto report = UNWRAP(node::preflight::run_checks({}));
  CHECK_EQUAL(node::preflight::all_checks().size(), report.findings.size());
  for (const auto& named : report.findings)
    CHECK_TEXT(!named.finding.found.empty(), named.id.c_str());
}

TEST(PreflightRun, without_a_role_the_nodes_configuration_decides) {
  LONGS_EQUAL(static_cast<int>(Role::infra),
              static_cast<int>(machine.run({.role = std::nullopt}).role));
  machine.write("etc/gestalt/agentd.json", "{}");
  machine.write("proc/meminfo", "MemTotal: 4194304 kB\n");
  const Report report = machine.run({.role = std::nullopt, .only = {"mem.total"}});
  LONGS_EQUAL(static_cast<int>(Role::appliance), static_cast<int>(report.role));
  // What fails a production node is a warning there.
  CHECK(report.findings[0].finding.verdict == Verdict::warn);
  CHECK_EQUAL(0, report.exit_status(false));
}

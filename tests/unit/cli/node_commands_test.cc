// SPDX-License-Identifier: Apache-2.0
#include "cli/node_commands.h"

#include "cli/log_commands.h"
#include "tests/support/check_result.h"

#include <nlohmann/json.hpp>

namespace {

using base::Code;
using cli::PreflightOptions;
using node::preflight::Report;
using node::preflight::Role;
using node::preflight::Verdict;

}  // namespace

TEST_GROUP(NodeCommands){};

TEST(NodeCommands, preflight_options_are_read) {
  const auto read = cli::read_preflight_options({.role = "dmz",
                                                 .only = {"cpu.cores"},
                                                 .waivers = {"mem.total=lab = small"},
                                                 .sysroot = "/x"});
  CHECK_OK(read);
  CHECK(read->role == Role::dmz);
  STRCMP_EQUAL("lab = small", read->waivers.at("mem.total").c_str());
  STRCMP_EQUAL("/x", read->sysroot.c_str());
}

TEST(NodeCommands, a_waiver_without_a_reason_and_an_unknown_role_are_refused) {
  for (const char* waiver : {"mem.total", "mem.total=", "="}) {
    CHECK_ERROR(Code::invalid_argument, "option_invalid",
                cli::read_preflight_options({.waivers = {waiver}}));
  }
  CHECK_ERROR(Code::invalid_argument, "option_invalid",
              cli::read_preflight_options({.role = "Infra"}));
}

TEST(NodeCommands, a_report_shows_what_is_needed_and_the_fix_only_where_something_is_wrong) {
  Report report;
  report.findings = {{"a", {Verdict::pass, "good", "x", ""}},
                     {"long.id", {Verdict::fail, "bad\033[0m", "y", "do it"}},
                     {"c", {Verdict::skipped, "not looked at", "", ""}}};
  STRCMP_EQUAL(
      "PASS     a        good\n"
      "FAIL     long.id  bad?[0m; needed: y\n"
      "                  fix: do it\n"
      "SKIPPED  c        not looked at\n"
      "as infra: 1 failed, 0 warnings, 1 passed, 1 skipped\n",
      cli::render_report(report, {}).c_str());
  STRCMP_CONTAINS("\033[31mFAIL   \033[0m", cli::render_report(report, {.colour = true}).c_str());
}

TEST(NodeCommands, instances_of_an_app_are_picked_from_any_shape_of_list) {
  const auto found = cli::instances_of(
      base::Json::parse(R"([{"id":"a","app":"/web"},{"id":"b","app":"/db"},{"app":"/web"},7])"),
      "/web");
  LONGS_EQUAL(1, found.size());
  STRCMP_EQUAL("a", found[0].c_str());
  LONGS_EQUAL(0, cli::instances_of(base::Json(), "/web").size());
}

TEST(NodeCommands, instances_are_told_apart_by_the_start_of_their_uuid) {
  STRCMP_EQUAL("b4c7e2d0",
               cli::short_instance("demo_web.instance-b4c7e2d0-1111-2222._app.1").c_str());
  STRCMP_EQUAL("odd", cli::short_instance("odd").c_str());
}

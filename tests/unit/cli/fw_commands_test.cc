// SPDX-License-Identifier: Apache-2.0
#include "cli/fw_commands.h"

#include <stdlib.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"
#include "tests/unit/cli/command_rig.h"
#include "tests/unit/cli/fake_daemon.h"

namespace {

constexpr const char* kOnTrial =
    R"({"management_sources":["192.0.2.0/24"],"on_trial":true,
        "trial":{"id":"t-1","until":"2026-12-01T08:00:00.000Z","confirm":"gestalt fw confirm",
                 "takes_away":[{"port":22,"source":"10.0.0.0/8"}]}})";

}  // namespace

TEST_GROUP_BASE(FwCommands, CommandRig) {
  FakeDaemon netfw{folder / "netfwd.sock"};
  std::string policy = (folder / "policy.json").string();

  void setup() override {
    std::ofstream(policy) << R"({"management_sources":["192.0.2.0/24"]} // ours)";
    setenv("SSH_CONNECTION", "10.0.0.5 51234 10.0.0.9 22", 1);
  }
  void teardown() override { unsetenv("SSH_CONNECTION"); }
};

TEST(FwCommands, a_policy_is_applied_and_stored) {
  netfw.answer("PUT /v1/policy", R"({"on_trial":false})");
  LONGS_EQUAL(0, run({"fw", "apply", policy}));
  STRCMP_EQUAL("in force and stored\n", out.str().c_str());
  STRCMP_EQUAL(R"(PUT /v1/policy {"management_sources":["192.0.2.0/24"]})",
               netfw.asked().at(0).c_str());
}

TEST(FwCommands, a_policy_that_goes_on_trial_says_until_when_and_how_to_confirm_it) {
  netfw.answer("PUT /v1/policy", kOnTrial, 202);
  LONGS_EQUAL(0, run({"fw", "apply", policy, "--confirm-seconds", "90"}));
  STRCMP_CONTAINS("PUT /v1/policy?confirm_seconds=90 ", netfw.asked().at(0).c_str());
  STRCMP_CONTAINS("on trial until 2026-12-01T08:00:00.000Z", out.str().c_str());
  STRCMP_CONTAINS("! port 22 closes for 10.0.0.0/8", out.str().c_str());
  LONGS_EQUAL(0, run({"fw", "apply", policy, "--json"}));
  STRCMP_EQUAL("t-1", base::Json::parse(out.str())["trial"]["id"].get<std::string>().c_str());
}

TEST(FwCommands, a_confirmation_names_the_trial_and_the_session_it_is_sent_from) {
  netfw.answer("GET /v1/policy", kOnTrial);
  netfw.answer("POST /v1/policy/confirm", R"({"on_trial":false})");
  LONGS_EQUAL(0, run({"fw", "confirm"}));
  STRCMP_EQUAL("confirmed: the policy is in force and stored\n", out.str().c_str());
  STRCMP_EQUAL(R"(POST /v1/policy/confirm {"connection":"10.0.0.5:51234","trial":"t-1"})",
               netfw.asked().at(1).c_str());
}

TEST(FwCommands, what_is_not_proven_or_not_on_trial_is_told_by_status_6) {
  netfw.answer("GET /v1/policy", kOnTrial);
  netfw.answer("POST /v1/policy/confirm",
               R"({"type":"/problems/policy_unproven","detail":"open a new SSH session"})", 409);
  LONGS_EQUAL(6, run({"fw", "confirm"}));
  STRCMP_CONTAINS("open a new SSH session [policy_unproven]", err.str().c_str());
  FakeDaemon other(folder / "other.sock");
  other.answer("GET /v1/policy", R"({"on_trial":false})");
  LONGS_EQUAL(6, run({"--url", "unix:" + (folder / "other.sock").string(), "fw", "confirm"}));
  STRCMP_CONTAINS("policy_no_trial", err.str().c_str());
}

TEST(FwCommands, a_rollback_takes_the_trial_back) {
  netfw.answer("POST /v1/policy/rollback", R"({"on_trial":false})");
  LONGS_EQUAL(0, run({"fw", "rollback"}));
  STRCMP_EQUAL("taken back: the policy before is in force again\n", out.str().c_str());
}

TEST(FwCommands, a_trial_lasts_a_second_to_an_hour) {
  LONGS_EQUAL(2, run({"fw", "apply", policy, "--confirm-seconds", "0"}));
  LONGS_EQUAL(2, run({"fw", "apply", policy, "--confirm-seconds", "3601"}));
  LONGS_EQUAL(2, run({"fw", "apply"}));
  LONGS_EQUAL(0, netfw.asked().size());
}

TEST(FwCommands, the_clients_end_is_read_from_what_sshd_leaves) {
  STRCMP_EQUAL("10.0.0.5:51234", cli::ssh_client("10.0.0.5 51234 10.0.0.9 22").c_str());
  STRCMP_EQUAL("[fe80::5%eth0]:51234",
               cli::ssh_client("fe80::5%eth0 51234 fe80::9%eth0 22").c_str());
  for (const char* const odd :
       {"", "UNKNOWN 65535 UNKNOWN", "10.0.0.5 0 10.0.0.9 22", " 51234 10.0.0.9 22", "a b c d"}) {
    STRCMP_EQUAL("", cli::ssh_client(odd).c_str());
  }
}

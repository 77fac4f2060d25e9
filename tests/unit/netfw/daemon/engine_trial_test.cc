// SPDX-License-Identifier: Apache-2.0
#include "netfw/daemon/guardian.h"
#include "tests/unit/netfw/daemon/engine_rig.h"

#include <signal.h>

using namespace netfw_test;

TEST_GROUP_BASE(EngineTrial, EngineRig){};

TEST(EngineTrial, a_policy_on_trial_goes_back_by_itself) {
  Policy policy = default_policy();
  policy.public_tcp = {80};
  CHECK_OK(put_policy(policy, 1s));
  CHECK_TRUE(kernel().ports[SetId::public_tcp] == std::set<std::uint16_t>{80});
  CHECK_ERROR(base::Code::failed_precondition, "policy_trial_pending", put_policy(policy, 1s));
  CHECK_TRUE(eventually([&] { return kernel().ports[SetId::public_tcp].contains(443); }));
  CHECK_TRUE(eventually([&] {
    engine->tick();
    return !engine->policy()["on_trial"].get<bool>();
  }));
  CHECK_ERROR(base::Code::failed_precondition, "policy_no_trial", confirm_policy());
  CHECK_EQUAL(2, engine->policy()["public_tcp"].size());
}

TEST(EngineTrial, nf_tables_does_the_same) {
  put_services();
  CHECK_OK(engine->put_instance(member("i1", 3001)));
  engine.reset();
  firewall.kind = FirewallKind::nftables;
  start();
  CHECK_TRUE(run_tool({"/usr/sbin/iptables-legacy", "-S"}).find("GESTALT") == std::string::npos);
  STRCMP_EQUAL("nftables", engine->status()["firewall"]["backend"].get<std::string>().c_str());
  CHECK_EQUAL(1, kernel().instances.size());
  CHECK_TRUE(kernel().ports[SetId::service_tcp].contains(10001));
  CHECK_OK(engine->put_instance(member("i2", 3002)));
  CHECK_EQUAL(2, kernel().instances.size());
  run_tool({"/usr/sbin/nft", "flush", "ruleset"});
  engine->tick();
  CHECK_EQUAL(2, kernel().instances.size());
  // The guardian puts back what is in nf_tables.
  Policy policy = default_policy();
  policy.public_tcp = {80};
  CHECK_OK(put_policy(policy, 30s));
  CHECK_TRUE(kernel().ports[SetId::public_tcp] == std::set<std::uint16_t>{80});
  engine.reset();
  CHECK_TRUE(kernel().ports[SetId::public_tcp].contains(443));
  CHECK_EQUAL(2, kernel().instances.size());
  start();
  CHECK_OK(put_policy(policy, 30s));
  CHECK_OK(confirm_policy());
  CHECK_TRUE(kernel().ports[SetId::public_tcp] == std::set<std::uint16_t>{80});
  CHECK_OK(engine->remove_instance(InstanceId("i1")));
  CHECK_OK(engine->remove_instance(InstanceId("i2")));
  CHECK_FALSE(kernel().ports[SetId::service_tcp].contains(10001));
}

TEST(EngineTrial, a_confirmed_policy_stays_also_in_the_next_life) {
  Policy policy = default_policy();
  policy.public_tcp = {80};
  CHECK_OK(put_policy(policy, 30s));
  CHECK_OK(confirm_policy());
  engine.reset();
  start();
  CHECK_EQUAL(1, engine->policy()["public_tcp"].size());
  CHECK_TRUE(kernel().ports[SetId::public_tcp] == std::set<std::uint16_t>{80});
}

TEST(EngineTrial, the_death_of_the_daemon_ends_a_trial) {
  Policy policy = default_policy();
  policy.public_tcp = {80};
  CHECK_OK(put_policy(policy, 30s));
  engine.reset();  // the connection to the guardian ends as it does with the process
  CHECK_TRUE(kernel().ports[SetId::public_tcp].contains(443));
  start();
  CHECK_EQUAL(2, engine->policy()["public_tcp"].size());
}

TEST(EngineTrial, a_policy_that_locks_out_or_whose_guardian_is_missing_changes_nothing) {
  Policy policy = default_policy();
  policy.management.clear();
  CHECK_ERROR(base::Code::failed_precondition, "policy_locks_out", put_policy(policy));
  policy = default_policy();
  policy.public_tcp = {80};
  CHECK_OK(put_policy(policy, 30s));
  CHECK_OK(rollback_policy());
  CHECK_TRUE(kernel().ports[SetId::public_tcp].contains(443));
}

TEST(EngineTrial, a_trial_whose_guardian_was_killed_is_over) {
  Policy policy = default_policy();
  policy.public_tcp = {80};
  CHECK_OK(put_policy(policy, 30s));
  const std::string children =
      run_tool({"/usr/bin/pgrep", "-P", std::to_string(getpid()), "-f", "guardian"});
  kill(std::stoi(children), SIGKILL);
  CHECK_TRUE(eventually([&] {
    engine->tick();
    return !engine->policy()["on_trial"].get<bool>();
  }));
  CHECK_TRUE(kernel().ports[SetId::public_tcp].contains(443));
  CHECK_ERROR(base::Code::failed_precondition, "policy_no_trial", rollback_policy());
}

TEST(EngineTrial, without_a_guardian_there_is_no_trial_and_no_change) {
  engine.reset();
  guardian = "/nonexistent";
  start();
  Policy policy = default_policy();
  policy.public_tcp = {80};
  CHECK_FALSE(put_policy(policy, 30s).has_value());
  CHECK_TRUE(kernel().ports[SetId::public_tcp].contains(443));
  CHECK_FALSE(engine->policy()["on_trial"].get<bool>());
}

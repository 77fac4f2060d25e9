// SPDX-License-Identifier: Apache-2.0
// Policies that take the management of the node away from somebody, on a real packet filter with
// the real guardian: what is stored never does without a confirmation that is proven.
#include <nlohmann/json.hpp>

#include "common/base/time_text.h"
#include "tests/unit/netfw/daemon/engine_rig.h"
#include "tests/unit/netfw/hostile_policies.h"

using namespace netfw_test;

// clang-format off
TEST_GROUP_BASE(LockOut, EngineRig) {
  const std::string old_client = "10.0.0.5:50001";
  const std::string new_client = "192.0.2.1:50002";

  // Nobody but one machine manages.
  static Policy lone() {
    Policy out = default_policy();
    out.management = {*IpNet::parse("192.0.2.1/32")};
    return out;
  }
  Policy in_force() { return UNWRAP(read_policy(engine->policy())); }
  Managers kernel_managers() { return managers(FirewallIr{kernel(), false}); }
  void next_life() {
    engine.reset();
    start();
  }
  std::set<IpNet> managing() { return kernel().nets[SetId::management]; }
  // The store has no room for what is to be saved until empty_store(). A few of its 65,536 pages are
  // in use. Of a value that needs more than half the pages LMDB may have dirty it writes some out
  // first, and forgets their list (1 MiB) when the transaction fails; this one needs no more.
  void fill_store() {
    CHECK_ERROR(base::Code::no_space, "database_full",
                engine->put_services({}, std::string(std::size_t{65'530} * 4096 - 16, 'x')));
  }
  void empty_store() {
    CHECK_OK(engine->put_services({}, R"({"generation":1,"services":[]})"));
  }
};
// clang-format on

TEST(LockOut, a_policy_that_takes_access_away_goes_on_trial_although_nobody_asks_for_one) {
  const std::set<IpNet> before = managing();
  const auto trial = UNWRAP(put_policy(lone()));
  CHECK_TRUE(trial.has_value());
  CHECK_TRUE(managing() == std::set<IpNet>{*IpNet::parse("192.0.2.1/32")});
  const base::Json shown = engine->policy();
  CHECK_TRUE(shown["on_trial"].get<bool>());
  STRCMP_EQUAL(trial->id.c_str(), shown["trial"]["id"].get<std::string>().c_str());
  // Five networks lose SSH and three ports.
  LONGS_EQUAL(20, shown["trial"]["takes_away"].size());
  STRCMP_EQUAL(R"({"port":22,"source":"10.0.0.0/8"})",
               shown["trial"]["takes_away"][0].dump().c_str());
  const auto until = UNWRAP(base::parse_time(shown["trial"]["until"].get<std::string>()));
  const auto rest = until - base::system_clock().wall();
  CHECK_TRUE(rest > 40s && rest <= Engine::kTrialForced);
  next_life();
  CHECK_TRUE(managing() == before);
  CHECK_TRUE(in_force() == default_policy());
  CHECK_FALSE(engine->policy().contains("trial"));
}

TEST(LockOut, a_policy_that_takes_nothing_away_is_stored_at_once) {
  Policy policy = default_policy();
  policy.public_tcp = {80};
  policy.management.push_back(*IpNet::parse("192.0.2.0/24"));
  CHECK_FALSE(UNWRAP(put_policy(policy)).has_value());
  next_life();
  LONGS_EQUAL(6, in_force().management.size());
}

TEST(LockOut, a_confirmation_needs_a_connection_that_the_new_policy_has_let_in) {
  open_ssh(old_client);
  const auto trial = UNWRAP(put_policy(lone()));
  CHECK_ERROR(base::Code::failed_precondition, "policy_unproven", confirm_policy());
  CHECK_ERROR(base::Code::failed_precondition, "policy_unproven", confirm_policy(old_client));
  CHECK_ERROR(base::Code::failed_precondition, "policy_unproven", confirm_policy(new_client));
  open_ssh(new_client);
  CHECK_ERROR(base::Code::failed_precondition, "policy_trial_other",
              engine->confirm_policy({.trial = "another", .connection = {}}, {}));
  CHECK_ERROR(base::Code::failed_precondition, "policy_unproven", confirm_policy(old_client));
  CHECK_TRUE(engine->policy()["on_trial"].get<bool>());
  CHECK_OK(confirm_policy(new_client));
  next_life();
  CHECK_TRUE(in_force() == lone());
  CHECK_TRUE(managing() == std::set<IpNet>{*IpNet::parse("192.0.2.1/32")});
}

TEST(LockOut, what_was_taken_away_comes_back_by_the_guardian_alone) {
  const std::set<IpNet> before = managing();
  CHECK_OK(put_policy(lone(), 1s));
  CHECK_FALSE(managing() == before);
  CHECK_TRUE(eventually([&] { return managing() == before; }));
  CHECK_TRUE(eventually([&] {
    engine->tick();
    return !engine->policy()["on_trial"].get<bool>();
  }));
  CHECK_TRUE(managing() == before);
  open_ssh(new_client);
  CHECK_ERROR(base::Code::failed_precondition, "policy_no_trial", confirm_policy(new_client));
}

TEST(LockOut, without_a_list_of_connections_there_is_no_trial) {
  const std::set<IpNet> before = managing();
  flows = base::os_error(EACCES, "list the connections");
  CHECK_ERROR(base::Code::permission_denied, "", put_policy(lone()));
  CHECK_FALSE(engine->policy()["on_trial"].get<bool>());
  CHECK_TRUE(managing() == before);
}

TEST(LockOut, without_a_guardian_nothing_is_taken_away) {
  guardian = "/nonexistent";
  next_life();
  const std::set<IpNet> before = managing();
  CHECK_FALSE(put_policy(lone()).has_value());
  CHECK_TRUE(managing() == before);
  next_life();
  CHECK_TRUE(in_force() == default_policy());
}

TEST(LockOut, a_confirmed_policy_that_the_disk_does_not_take_is_in_force_and_stored_later) {
  CHECK_OK(put_policy(lone()));
  open_ssh(new_client);
  fill_store();
  CHECK_ERROR(base::Code::no_space, "database_full", confirm_policy(new_client));
  CHECK_TRUE(managing() == std::set<IpNet>{*IpNet::parse("192.0.2.1/32")});
  // A life that begins before there is room has the policy before.
  next_life();
  CHECK_TRUE(in_force() == default_policy());
  flows = Flows{};
  CHECK_OK(put_policy(lone()));
  open_ssh(new_client);
  fill_store();
  CHECK_FALSE(confirm_policy(new_client).has_value());
  empty_store();
  next_life();
  CHECK_TRUE(in_force() == lone());
}

TEST(LockOut, a_full_disk_stops_no_trial_and_stores_none) {
  fill_store();
  CHECK_TRUE(UNWRAP(put_policy(lone())).has_value());
  CHECK_OK(rollback_policy());
  empty_store();
  next_life();
  CHECK_TRUE(in_force() == default_policy());
}

TEST(LockOut, whatever_is_put_nobody_loses_for_good_what_was_stored) {
  HostilePolicies policies(20261201);
  Managers stored = managers(compile_policy(in_force()));
  int trials = 0;
  for (int round = 0; round < 60; ++round) {
    const Policy policy = policies.below(4) == 0 ? policies.widen(in_force()) : policies.draw();
    const auto trial = UNWRAP(put_policy(policy));
    if (trial) {
      ++trials;
      CHECK_ERROR(base::Code::failed_precondition, "policy_trial_pending",
                  put_policy(policies.widen(policy)));
      CHECK_ERROR(base::Code::failed_precondition, "policy_unproven", confirm_policy());
    }
    const bool dies = round % 6 == 0;
    if (dies) {
      next_life();
    } else if (trial) {
      CHECK_OK(rollback_policy());
    }
    const Managers now = managers(compile_policy(in_force()));
    CHECK_TRUE(missing(stored, now).empty());
    CHECK_TRUE(missing(now, kernel_managers()).empty());
    // Without a trial it is stored as well, which the next life shows.
    stored = now;
  }
  next_life();
  CHECK_TRUE(missing(stored, managers(compile_policy(in_force()))).empty());
  CHECK_COMPARE(trials, >=, 20);
  CHECK_COMPARE(trials, <=, 55);
}

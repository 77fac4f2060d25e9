// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/netfw/daemon/engine_rig.h"

using namespace netfw_test;

TEST_GROUP_BASE(EngineViews, EngineRig){};

TEST(EngineViews, services_instances_and_rules_are_shown_with_what_was_made_of_them) {
  put_services();
  CHECK_OK(engine->put_instance(member("i1", 3001)));
  const base::Json services = engine->services();
  CHECK_EQUAL(7, services["generation"].get<int>());
  STRCMP_EQUAL("http_roundrobin_0",
               services["services"][0]["ports"][0]["pool"].get<std::string>().c_str());
  STRCMP_EQUAL("HAPROXY_0_NONSENSE", services["problems"][0]["label"].get<std::string>().c_str());
  const base::Json instance = engine->instances()["instances"][0];
  STRCMP_EQUAL("i1", instance["id"].get<std::string>().c_str());
  CHECK_TRUE(instance["members"][0]["in_rotation"].get<bool>());
  const base::Json shown = engine->firewall();
  CHECK_TRUE(shown["applied"].get<bool>() && shown["error"].is_null());
  for (const char* const family : {"ipv4", "ipv6"}) {
    const base::Json& rules = shown["rules"][family];
    STRCMP_EQUAL("loopback", rules.front()["name"].get<std::string>().c_str());
    STRCMP_EQUAL("drop", rules.back()["verdict"].get<std::string>().c_str());
  }
  STRCMP_EQUAL("[10001]", shown["sets"]["service-tcp"].dump().c_str());
  CHECK_EQUAL(1, engine->figures().instances.load());
  CHECK_TRUE(engine->figures().haproxy_connected);
  STRCMP_EQUAL(R"({"problems":[],"status":"ok"})", engine->health().dump().c_str());
}

TEST(EngineViews, a_verdict_is_that_of_the_rules_in_force) {
  Packet packet;
  packet.source = *IpAddress::parse("203.0.113.5");
  packet.destination = *IpAddress::parse("127.0.0.1");
  packet.port = 10001;
  CHECK_TRUE(engine->judge(packet).verdict == Verdict::drop);
  put_services();
  CHECK_OK(engine->put_instance(member("i1", 3001)));
  CHECK_TRUE(engine->judge(packet).verdict == Verdict::accept);
  packet.chain = Chain::forward;
  CHECK_TRUE(engine->judge(packet).verdict == Verdict::drop);
}

TEST(EngineViews, a_plan_says_what_a_policy_would_change_and_changes_nothing) {
  put_services();
  CHECK_OK(engine->put_instance(member("i1", 3001)));
  const base::Json before = engine->firewall();
  Policy policy = default_policy();
  policy.public_tcp = {80, 8443};
  policy.forward = true;
  const base::Json plan = UNWRAP(engine->plan(policy));
  STRCMP_EQUAL(R"({"forward":true,"sets":{"public-tcp":{"added":[8443],"removed":[443]}}})",
               plan.dump().c_str());
  STRCMP_EQUAL(before.dump().c_str(), engine->firewall().dump().c_str());
  STRCMP_EQUAL(R"({"sets":{}})", UNWRAP(engine->plan(default_policy())).dump().c_str());
  // A port of the policy is taken from the service that had it.
  policy = default_policy();
  policy.cluster_tcp.push_back(10001);
  const base::Json taken = UNWRAP(engine->plan(policy));
  STRCMP_EQUAL("[10001]", taken["sets"]["service-tcp"]["removed"].dump().c_str());
  policy.management.clear();
  CHECK_ERROR(base::Code::failed_precondition, "policy_locks_out", engine->plan(policy));
}

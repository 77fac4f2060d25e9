// SPDX-License-Identifier: Apache-2.0
#include "node/preflight/role.h"

#include "tests/support/check_result.h"
#include "tests/unit/node/preflight/fake_machine.h"

using node::preflight::configured_role;
using node::preflight::Role;
using node::preflight::Tree;

TEST_GROUP(PreflightRole) {
  FakeMachine machine;

  void expect(Role role) {
    STRCMP_EQUAL(std::string(role_name(role)).c_str(),
                 std::string(role_name(configured_role(Tree(machine.at(""))))).c_str());
  }
};

TEST(PreflightRole, a_machine_without_configuration_is_to_become_a_node_of_a_cluster) {
  expect(Role::infra);
}

TEST(PreflightRole, a_configured_node_without_zookeeper_is_an_appliance) {
  machine.write("etc/gestalt/agentd.json", "// as installed\n{}");
  expect(Role::appliance);
  machine.write("etc/gestalt/masterd.json", R"({"zookeeper": {"servers": "n1:2181"}})");
  expect(Role::infra);
}

TEST(PreflightRole, the_zone_makes_a_dmz_node_also_from_a_drop_in) {
  machine.write("etc/gestalt/agentd.json", R"({"zone": "core"})");
  expect(Role::appliance);
  machine.write("etc/gestalt/agentd.d/50-zone.json", R"({"zone": "dmz"})");
  expect(Role::dmz);
}

TEST(PreflightRole, a_configuration_that_cannot_be_read_asks_for_the_most) {
  machine.write("etc/gestalt/agentd.json", "{");
  expect(Role::infra);
}

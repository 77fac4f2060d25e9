// SPDX-License-Identifier: Apache-2.0
#include "node/api/ids.h"

#include "tests/support/check_result.h"

using node::api::InstanceId;

TEST_GROUP(Ids){};

TEST(Ids, an_instance_id_is_also_a_file_name_and_a_unit_name) {
  CHECK(node::api::is_instance_id("demo_web.instance-1b4e28ba._app.1"));
  CHECK(node::api::is_instance_id(std::string(node::api::kInstanceIdMax, 'a')));
  for (const std::string_view bad :
       {"", ".", "..", ".hidden", "-rf", "a/b", "a b", "a\nb", "a%i"}) {
    CHECK_FALSE(node::api::is_instance_id(bad));
  }
  CHECK_FALSE(node::api::is_instance_id(std::string(node::api::kInstanceIdMax + 1, 'a')));
}

TEST(Ids, a_unit_name_leads_back_to_instance_and_epoch) {
  const InstanceId id("demo_web.instance-1b4e28ba._app.1");
  const std::string unit = node::api::unit_name(id, 17);
  STRCMP_EQUAL("gst-demo_web.instance-1b4e28ba._app.1-17.service", unit.c_str());
  const auto owner = node::api::parse_unit_name(unit);
  CHECK(owner.has_value());
  CHECK(owner->id == id);
  LONGS_EQUAL(17, owner->epoch);
}

TEST(Ids, foreign_units_are_not_taken_for_instances) {
  for (const std::string_view bad :
       {"gst-lease.service", "gst-a-1.scope", "ssh.service", "gst--1.service", "gst-a-.service",
        "gst-a-01.service", "gst-a-x.service", "gst-.service", "gst-", ".service",
        "gst-a-99999999999999999999.service"}) {
    CHECK_FALSE(node::api::parse_unit_name(bad).has_value());
  }
}

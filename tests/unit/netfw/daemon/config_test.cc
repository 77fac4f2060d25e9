// SPDX-License-Identifier: Apache-2.0
#include "netfw/daemon/config.h"

#include <CppUTest/TestHarness.h>

#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"

using namespace netfw;

TEST_GROUP(NetfwConfig){};

TEST(NetfwConfig, an_empty_file_is_a_whole_configuration) {
  const Config config = UNWRAP(read_config(base::Json::object()));
  STRCMP_EQUAL("/run/gestalt/netfwd.sock", config.listen.at(0).unix_path.c_str());
  STRCMP_EQUAL("/var/lib/gestalt/netfw/haproxy", config.skeleton.folder.c_str());
  STRCMP_EQUAL("/run/gestalt/haproxy/admin.sock", config.skeleton.admin_socket.c_str());
  STRCMP_EQUAL("haproxy", config.skeleton.user.c_str());
  CHECK_TRUE(config.firewall.kind == FirewallKind::automatic);
  CHECK_TRUE(config.haproxy_mode == HaproxyMode::unit);
}

TEST(NetfwConfig, what_is_wrong_is_named_by_its_pointer) {
  const struct {
    const char* text;
    const char* pointer;
  } kBad[] = {
      {R"({"x":1})", "/x"},
      {R"({"state_folder":"/a b"})", "/state_folder"},
      {R"({"firewall":{"backend":"pf"}})", "/firewall/backend"},
      {R"({"firewall":{"lock_file":"/run/x\nuser root"}})", "/firewall/lock_file"},
      {R"({"haproxy":{"mode":"docker"}})", "/haproxy/mode"},
      {R"({"haproxy":{"user":"root\n  x"}})", "/haproxy/user"},
      {R"({"haproxy":{"bind_address":"*:80 ssl"}})", "/haproxy/bind_address"},
      {R"({"haproxy":{"http_port":0}})", "/haproxy/http_port"},
      {R"({"dns":{}})", "/dns/listen"},
      {R"({"dns":{"listen":["localhost"]}})", "/dns/listen"},
      {R"({"dns":{"listen":["127.0.0.1"],"domain":"*.mesos"}})", "/dns/domain"},
      {R"({"dns":{"listen":["127.0.0.1"],"domain":"Mesos"}})", "/dns/domain"},
      {R"({"dns":{"listen":["127.0.0.1"],"port":0}})", "/dns/port"},
      {R"({"dns":{"listen":["127.0.0.1"],"ttl_seconds":-1}})", "/dns/ttl_seconds"},
      {R"({"haproxy":{"range_first":10000,"range_last":9999}})", "/haproxy/range_last"},
      {R"({"haproxy":{"range_first":10000,"range_last":20000}})", "/haproxy/range_last"},
      {R"({"haproxy":{"certificates":"/x#y"}})", "/haproxy/certificates"},
      {R"({"policy":{"management_sources":["10.0.0.1/8"]}})", "/management_sources/0"},
  };
  for (const auto& bad : kBad) {
    const auto config = read_config(base::Json::parse(bad.text));
    CHECK_FALSE_TEXT(config.has_value(), bad.text);
    STRCMP_EQUAL_TEXT(bad.pointer, config.error().pointer.c_str(), bad.text);
  }
}

TEST(NetfwConfig, a_policy_that_locks_out_is_refused_before_the_start) {
  CHECK_ERROR(base::Code::failed_precondition, "policy_locks_out",
              read_config(base::Json::parse(R"({"policy":{"management_sources":[]}})")));
}

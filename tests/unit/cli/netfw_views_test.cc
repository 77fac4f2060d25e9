// SPDX-License-Identifier: Apache-2.0
#include "cli/netfw_views.h"

#include <nlohmann/json.hpp>

#include "cli/show_commands.h"
#include "tests/support/check_result.h"

namespace {

using base::Json;

}  // namespace

TEST_GROUP(NetfwViews){};

TEST(NetfwViews, the_firewall_is_shown_in_the_order_of_its_rules) {
  const Json firewall = Json::parse(R"({"backend":"iptables","applied":true,"error":null,
    "rules":{"ipv4":[{"name":"ssh","chain":"input","verdict":"accept","protocol":"tcp","source":"gst-mgmt","port":22},
                     {"name":"lo","chain":"input","verdict":"accept","loopback":true},
                     {"name":"old","chain":"input","verdict":"accept","states":["established","related"]},
                     {"name":"rest","chain":"input","verdict":"drop"}],"ipv6":[]},
    "sets":{"gst-mgmt":["10.0.0.0/8"],"gst-ports":[80,443]}})");
  STRCMP_EQUAL(
      "backend iptables, applied\n"
      "\n"
      "ipv4\n"
      "CHAIN  RULE  VERDICT  MATCHES\n"
      "input  ssh   accept   tcp, from set gst-mgmt, port 22\n"
      "input  lo    accept   from loopback\n"
      "input  old   accept   flow established or related\n"
      "input  rest  drop     all\n"
      "\n"
      "ipv6\n"
      "no rules\n"
      "\n"
      "SET        SIZE  MEMBERS\n"
      "gst-mgmt      1  10.0.0.0/8\n"
      "gst-ports     2  80 443\n",
      cli::render_firewall(firewall, {}).c_str());
}

TEST(NetfwViews, a_firewall_that_failed_says_why) {
  STRCMP_CONTAINS(
      "error: the table is held [xtables_locked]\n",
      cli::render_firewall(
          Json::parse(R"({"error":{"reason":"xtables_locked","detail":"the table is held"}})"), {})
          .c_str());
}

TEST(NetfwViews, a_large_set_is_not_shown_whole) {
  Json members = Json::array();
  for (int i = 0; i < 100; ++i) members.push_back(i);
  const std::string text = cli::render_firewall({{"sets", {{"s", members}}}}, {});
  STRCMP_CONTAINS("s     100  0 1 2", text.c_str());
  STRCMP_CONTAINS(" 19 …\n", text.c_str());
}

TEST(NetfwViews, the_balancer_shows_what_is_in_rotation_for_each_port) {
  const Json services = Json::parse(R"({"generation":7,"services":[
    {"id":"/web","group":"external",
     "ports":[{"index":0,"service_port":10001,"pool":"p0","mode":"http","vhosts":["web.demo","w.demo"]},
              {"index":1,"service_port":10002,"pool":"p1","mode":"tcp","vhosts":[]}]}],
    "problems":[{"service":"/bad","label":"HAPROXY_0_MODE","detail":"must be http or tcp"}]})");
  const Json instances = Json::parse(R"({"instances":[
    {"id":"a","service":"/web","node":"n1","members":[{"pool":"p0","in_rotation":true},{"pool":"p1","in_rotation":false}]},
    {"id":"b","service":"/web","node":"n2","members":[{"pool":"p0","in_rotation":true}]},
    {"id":"d","service":"/web","node":"n2","members":[{"pool":"p0","in_rotation":false}]},
    {"id":"c","service":"/db","node":"n2","members":[]}]})");
  STRCMP_EQUAL(
      "SERVICE   PORT  IN ROTATION  MODE  VHOST            NODES\n"
      "/web     10001          2/3  http  web.demo,w.demo  n1, n2 (2)\n"
      "/web     10002          0/3  tcp   -                n1, n2 (2)\n"
      "problem: /bad HAPROXY_0_MODE: must be http or tcp\n",
      cli::render_balancer(services, instances, {}).c_str());
}

TEST(NetfwViews, a_plan_without_changes_says_so) {
  STRCMP_EQUAL("nothing changes\n", cli::render_plan(base::Json::parse(R"({"sets":{}})")).c_str());
  STRCMP_EQUAL("- forward\n",
               cli::render_plan(base::Json::parse(R"({"forward":false,"sets":{}})")).c_str());
}

TEST(NetfwViews, a_plan_says_who_could_not_manage_the_node_any_more) {
  STRCMP_EQUAL("- management 10.0.0.0/8\n! port 22 closes for 10.0.0.0/8\n",
               cli::render_plan(base::Json::parse(
                                    R"({"sets":{"management":{"removed":["10.0.0.0/8"]}},
                                        "takes_away":[{"port":22,"source":"10.0.0.0/8"}]})"))
                   .c_str());
}

TEST(NetfwViews, a_policy_that_was_applied_is_in_force_or_on_trial) {
  STRCMP_EQUAL("in force and stored\n",
               cli::render_applied(base::Json::parse(R"({"on_trial":false})")).c_str());
  STRCMP_EQUAL(
      "on trial until 2026-12-01T08:00:00.000Z; then the policy before comes back\n"
      "! port 22 closes for 10.0.0.0/8\n"
      "confirm: gestalt fw confirm\n",
      cli::render_applied(
          base::Json::parse(R"({"on_trial":true,"trial":{"until":"2026-12-01T08:00:00.000Z",
            "takes_away":[{"port":22,"source":"10.0.0.0/8"}],"confirm":"gestalt fw confirm"}})"))
          .c_str());
}

TEST(NetfwViews, answers_of_another_shape_do_not_break_the_views) {
  for (const char* text : {"null", "7", "[]", R"({"rules":7,"sets":{"a":1}})",
                           R"({"services":[7,{"ports":[null]}],"problems":[3]})"}) {
    const Json odd = Json::parse(text);
    CHECK(!cli::render_firewall(odd, {}).empty());
    CHECK(!cli::render_balancer(odd, odd, {}).empty());
    CHECK(!cli::render_node(odd, {}).empty());
    CHECK(!cli::render_applied(odd).empty());
  }
}

// SPDX-License-Identifier: Apache-2.0
#include "node/preflight/listeners.h"

#include "tests/support/check_result.h"
#include "tests/unit/node/preflight/fake_machine.h"

namespace {

using node::preflight::is_ours;
using node::preflight::Listener;
using node::preflight::Tree;

constexpr const char* kHeader = "  sl  local_address rem_address   st …\n";

std::string row(const std::string& address, const std::string& state, const std::string& inode) {
  return "   0: " + address + " 00000000:0000 " + state +
         " 00000000:00000000 00:00000000 00000000 0 0 " + inode + " 1 0000 100 0 0 10 0\n";
}

}  // namespace

TEST_GROUP(Listeners) {
  FakeMachine machine;
  Tree tree{machine.at("")};
};

TEST(Listeners, only_sockets_that_listen_count_and_a_port_counts_once) {
  machine.write("proc/net/tcp",
                kHeader + row("0100007F:1F90", "0A", "5") + row("0100007F:1F91", "01", "6"));
  machine.write("proc/net/tcp6", kHeader + row("00000000000000000000000000000000:1F90", "0A", "7") +
                                     row("00000000000000000000000000000000:0050", "0A", "8"));
  const auto listeners = list_listeners(tree);
  LONGS_EQUAL(2, listeners.size());
  LONGS_EQUAL(80, listeners[0].port);
  LONGS_EQUAL(8080, listeners[1].port);
  CHECK_EQUAL(5ULL, listeners[1].inode);
}

TEST(Listeners, malformed_rows_are_passed_over) {
  machine.write("proc/net/tcp", kHeader + std::string("x\n") + row("nocolon", "0A", "5") +
                                    row("0100007F:XY", "0A", "5") +
                                    row("0100007F:1F90", "0A", "z"));
  LONGS_EQUAL(0, list_listeners(tree).size());
}

TEST(Listeners, the_owner_is_found_through_its_descriptors) {
  machine.listener("1F90", 77, "java", "tomcat.service");
  const auto listeners = list_listeners(tree);
  LONGS_EQUAL(77, listeners.at(0).pid);
  STRCMP_EQUAL("java", listeners[0].process.c_str());
  STRCMP_EQUAL("tomcat.service", listeners[0].unit.c_str());
}

TEST(Listeners, ours_are_known_by_unit_or_by_name) {
  const auto listener = [](const char* process, const char* unit) {
    return Listener{80, 1, 1, process, unit};
  };
  CHECK(is_ours(listener("gestalt-masterd", "")));
  CHECK(is_ours(listener("anything", "gst-demo_web-1.service")));
  CHECK(is_ours(listener("java", "zookeeper.service")));
  CHECK(is_ours(listener("haproxy", "gestalt-haproxy.service")));
  CHECK_FALSE(is_ours(listener("nginx", "nginx.service")));
  CHECK_FALSE(is_ours(listener("notgestalt-x", "my-gestalt-x.service")));
}

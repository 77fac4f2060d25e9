// SPDX-License-Identifier: Apache-2.0
#include "node/master/port_reader.h"

#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"

using namespace node::master;  // NOLINT: a test of this one namespace
using base::Json;

TEST_GROUP(PortReader) {
  Problems problems;
  PortList read(const char* list, Networking networking, bool pinned = false) {
    return read_ports_of(Json::parse(list), "/ports", networking, pinned, problems);
  }
};

TEST(PortReader, host_ports_are_service_ports_and_pinned_when_asked) {
  const PortList free = read(R"([{"port":80,"name":"a"}])", Networking::host);
  LONGS_EQUAL(80, free.slots[0].service_port);
  LONGS_EQUAL(0, free.slots[0].host_port);
  CHECK(free.document[0] ==
        Json({{"port", 80}, {"name", "a"}, {"protocol", "tcp"}, {"labels", Json::object()}}));
  LONGS_EQUAL(80, read(R"([{"port":80}])", Networking::host, true).slots[0].host_port);
  CHECK(problems.empty());
}

TEST(PortReader, mappings_have_three_ports) {
  const PortList list =
      read(R"([{"containerPort":1,"hostPort":2,"servicePort":3}])", Networking::bridge);
  const PortSlot& slot = list.slots[0];
  CHECK(slot.container_port == 1 && slot.host_port == 2 && slot.service_port == 3);
  STRCMP_EQUAL("udp,tcp",
               read(R"([{"protocol":"tcp,udp"}])", Networking::host).slots[0].protocol.c_str());
  read(R"([{"containerPort":1,"protocol":"udp"}])", Networking::bridge);
  STRCMP_EQUAL("/ports/0/protocol", problems.list().at(0).path.c_str());
}

TEST(PortReader, what_is_wrong_is_told_with_its_place) {
  const struct {
    const char* list;
    const char* path;
  } kCases[] = {
      {R"([{"port":70000}])", "/ports/0/port"},
      {R"([{"port":1,"protocol":"sctp"}])", "/ports/0/protocol"},
      {R"([{"port":1,"name":"a"},{"port":2,"name":"a"}])", "/ports/1/name"},
      {R"([{"port":1},{"port":1}])", "/ports/1/port"},
      {R"([{"prot":1}])", "/ports/0/prot"},
      {R"([7])", "/ports/0"},
  };
  for (const auto& each : kCases) {
    problems = {};
    read(each.list, Networking::host, true);
    if (problems.empty()) FAIL(each.list);
    STRCMP_EQUAL(each.path, problems.list()[0].path.c_str());
  }
}

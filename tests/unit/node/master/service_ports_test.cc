// SPDX-License-Identifier: Apache-2.0
#include "node/master/service_ports.h"

#include "tests/unit/node/master/fake_cluster.h"

using namespace node::master;  // NOLINT: a test of this one namespace

namespace {

App app_with(const std::string& id, const std::string& ports) {
  return app_of(R"({"id":")" + id + R"(","cmd":"x","ports":)" + ports + "}");
}

std::vector<int> ports_of(const App& app) {
  std::vector<int> ports;
  for (const PortSlot& slot : app.ports) ports.push_back(slot.service_port);
  return ports;
}

}  // namespace

TEST_GROUP(ServicePorts) {
  ServicePorts ports{100, 104};
  App assigned(const std::string& wanted, const App* before = nullptr) {
    App app = ports.assign(app_with("/a", wanted), before);
    ports.hold(app);
    return app;
  }
};

TEST(ServicePorts, the_lowest_free_ones_are_given) {
  const App first = assigned("[0,0]");
  CHECK(ports_of(first) == (std::vector<int>{100, 101}));
  CHECK((*first.document)["portDefinitions"][1]["port"] == 101);
  CHECK(ports_of(assigned("[103,0,0]")) == (std::vector<int>{103, 102, 104}));
  ports.release(first);
  CHECK(ports_of(assigned("[0]")) == std::vector<int>{100});
}

TEST(ServicePorts, an_app_keeps_its_own) {
  const App before = assigned("[0]");
  CHECK(ports_of(assigned("[0,0]", &before)) == (std::vector<int>{100, 101}));
}

TEST(ServicePorts, those_of_removed_apps_are_given_last) {
  const App gone = assigned("[0,0,0,0]");
  ports.remember(gone);
  ports.release(gone);
  CHECK(ports_of(assigned("[0]")) == std::vector<int>{104});
  CHECK(ports_of(assigned("[0]")) == std::vector<int>{100});
  ports.forget(gone);
  CHECK(ports_of(assigned("[0]")) == std::vector<int>{101});
}

TEST(ServicePorts, none_is_left_as_zero) {
  assigned("[0,0,0,0,0]");
  CHECK(ports_of(assigned("[0]")) == std::vector<int>{0});
}

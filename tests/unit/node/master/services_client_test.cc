// SPDX-License-Identifier: Apache-2.0
#include "node/master/services_client.h"

#include "tests/unit/node/master/fake_cluster.h"

using namespace node::master;  // NOLINT: a test of this one namespace
using base::Json;

TEST_GROUP(ServicesText) {
  FakeCluster cluster;
  ServicesText text;
  Json render() { return UNWRAP(base::parse_json(text.render(cluster.scheduler, 7))); }
  void setup() override { cluster.add_node("n1"); }
};

TEST(ServicesText, it_follows_the_apps) {
  CHECK(render()["services"].empty());
  cluster.put(R"({"id":"/b","cmd":"x","labels":{"HAPROXY_GROUP":"a"},"portDefinitions":[
      {"port":0},{"port":0,"protocol":"udp"}]})");
  cluster.put(R"({"id":"/a","cmd":"x"})");
  for (int round = 0; round < 2; ++round) {  // the second time out of what was kept
    const Json shown = render();
    LONGS_EQUAL(7, shown["generation"].get<int>());
    LONGS_EQUAL(2, shown["services"].size());
    const Json& service = shown["services"][1];
    CHECK(service["id"] == "/b" && service["labels"]["HAPROXY_GROUP"] == "a");
    CHECK(service["ports"][1] ==
          Json({{"index", 1}, {"service_port", 10001}, {"protocol", "udp"}}));
  }
  cluster.put(R"({"id":"/b","cmd":"x","labels":{},"portDefinitions":[]})");
  CHECK(render()["services"][1]["labels"].empty());
  Change change;
  change.remove.insert("/a");
  cluster.scheduler.deploy(std::move(change));
  LONGS_EQUAL(1, render()["services"].size());
}

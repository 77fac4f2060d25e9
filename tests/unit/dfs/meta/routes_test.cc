// SPDX-License-Identifier: Apache-2.0
#include "dfs/meta/routes.h"

#include <nlohmann/json.hpp>

#include "tests/unit/dfs/meta/rig.h"

using namespace std::chrono_literals;
using namespace dfs;        // NOLINT: the subject
using namespace dfs::meta;  // NOLINT: the subject
using dfs::meta::testing::Client;
using dfs::meta::testing::Rig;

TEST_GROUP(DfsMetaRoutes){};

TEST(DfsMetaRoutes, every_route_has_a_scope) {
  rest::RouteTable table;
  add_routes(table, nullptr);
  CHECK_TRUE(table.rows().size() >= 10);
  for (const rest::Row& row : table.rows()) CHECK_TRUE(row.scope.name().starts_with("dfs:"));
}

TEST(DfsMetaRoutes, health_says_which_data_is_at_risk) {
  Rig rig;
  Api api{rig.server.get(), rig.state.get(), rig.group.get(), "a", 1, 2, {}};
  STRCMP_EQUAL("unavailable", health(api)["status"].get<std::string>().c_str());
  Client one(rig, "one"), two(rig, "two");
  const auto registers = [](Client& client, const std::string& node) {
    CHECK_OK(client.call(RegisterStorage{{node, node, 7863}, 1000, 500}));
  };
  registers(one, "one");
  registers(two, "two");
  CHECK_TRUE(rig.world.run_until([&] { return rig.state->groups().size() == 12; }));
  rig.world.run_for(3s);
  for (const auto& [number, group] : rig.state->groups()) LONGS_EQUAL(2, group.copies.size());
  // The groups' members take the second server in by themselves.
  for (std::uint32_t number = 1; number <= 12; ++number) {
    GroupConfiguration next = rig.state->groups().at(number).configuration;
    ++next.epoch;
    next.in_sync = {"one", "two"};
    CHECK_OK(one.call(ChangeGroup{next}));
  }
  registers(one, "one");
  registers(two, "two");
  STRCMP_EQUAL("ok", health(api)["status"].get<std::string>().c_str());
  rig.world.run_for(3s);
  registers(one, "one");
  rig.world.run_for(3s);
  const base::Json thin = health(api);
  STRCMP_EQUAL("degraded", thin["status"].get<std::string>().c_str());
  STRCMP_CONTAINS("12 of 12 chunk groups have one copy left",
                  thin["problems"].at(0).get<std::string>().c_str());
  rig.world.run_for(10s);
  STRCMP_EQUAL("unavailable", health(api)["status"].get<std::string>().c_str());
}

TEST(DfsMetaRoutes, a_check_looks_at_the_last_checkpoint) {
  Rig rig;
  rig.make_volume();
  bool done = false;
  rig.state->checkpoint([&](auto) { done = true; });
  CHECK_TRUE(rig.world.run_until([&] { return done; }));
  rig.make_volume("later");
  const FsckReport report = UNWRAP(check_durable(*rig.store));
  LONGS_EQUAL(1, report.volumes);
  LONGS_EQUAL(0, report.wrong);
}

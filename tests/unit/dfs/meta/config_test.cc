// SPDX-License-Identifier: Apache-2.0
#include "dfs/meta/config.h"

#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"

using dfs::meta::Config;
using dfs::meta::read_config;

TEST_GROUP(DfsMetaConfig){};

TEST(DfsMetaConfig, nothing_given_is_one_server_on_this_machine) {
  const Config config = UNWRAP(read_config(base::Json::object()));
  LONGS_EQUAL(1, config.members.size());
  LONGS_EQUAL(1, config.min_in_sync);
  LONGS_EQUAL(7861, config.server.endpoint.port);
  STRCMP_EQUAL("127.0.0.1", config.self().peers.host.c_str());
  LONGS_EQUAL(7862, config.self().peers.port);
  LONGS_EQUAL(2, config.listen.size());
}

TEST(DfsMetaConfig, three_servers_acknowledge_with_two) {
  const base::Json json = UNWRAP(base::parse_json(R"({
    "name": "b",
    "members": [{"name": "a", "address": "10.0.0.1"},
                {"name": "b", "address": "10.0.0.2", "port": 8000, "peer_port": 8001},
                {"name": "c", "address": "10.0.0.3"}],
    "session_lease_ms": 3000, "storage_replace_after_seconds": 60})"));
  const Config config = UNWRAP(read_config(json));
  LONGS_EQUAL(2, config.min_in_sync);
  LONGS_EQUAL(8000, config.server.endpoint.port);
  CHECK_TRUE(config.server.lease == std::chrono::seconds(3));
  CHECK_TRUE(config.server.storage_replace_after == std::chrono::minutes(1));
}

TEST(DfsMetaConfig, what_is_wrong_is_named) {
  const struct {
    const char* json;
    const char* pointer;
  } cases[] = {
      {R"({"nonsense": 1})", "/nonsense"},
      {R"({"name": ""})", "/name"},
      {R"({"name": "A"})", "/name"},
      {R"({"name": "a", "members": [{"name": "b", "address": "::1"}]})", "/name"},
      {R"({"members": [{"name": "local"}]})", "/members/0/address"},
      {R"({"members": [{"name": "local", "address": "::1", "port": 0}]})", "/members/0/port"},
      {R"({"members": [{"name": "local", "address": "a"}, {"name": "local", "address": "b"}]})",
       "/members"},
      {R"({"min_in_sync": 2})", "/min_in_sync"},
      {R"({"session_lease_ms": 10})", "/session_lease_ms"},
      {R"({"chunk_groups": 0})", "/chunk_groups"},
      {R"({"copies": 6})", "/copies"},
      {R"({"journal_segments_max": 3})", "/journal_segments_max"},
  };
  for (const auto& [json, pointer] : cases) {
    const auto config = read_config(UNWRAP(base::parse_json(json)));
    CHECK_ERROR(base::Code::invalid_argument, "", config);
    STRCMP_EQUAL(pointer, config.error().pointer.c_str());
  }
}

// SPDX-License-Identifier: Apache-2.0
#include "dfs/storage/daemon/config.h"

#include <nlohmann/json.hpp>

#include "dfs/storage/daemon/body.h"
#include "dfs/storage/daemon/routes.h"
#include "tests/support/check_result.h"

using base::Code;
using base::Json;
using namespace dfs::storage;  // NOLINT: the subject

TEST_GROUP(StorageConfig){};

TEST(StorageConfig, nothing_is_needed) {
  const DaemonConfig config = UNWRAP(read_daemon_config(Json::object()));
  LONGS_EQUAL(7863, config.port);
  LONGS_EQUAL(7861, config.metadata.at(0).port);
  LONGS_EQUAL(2, config.listen.size());
}

TEST(StorageConfig, fields_are_read) {
  const DaemonConfig config =
      UNWRAP(read_daemon_config({{"address", "10.0.0.5"},
                                 {"metadata", {"10.0.0.1:1", "[fd00::1]:7861"}},
                                 {"min_in_sync", 1}}));
  STRCMP_EQUAL("10.0.0.5", config.address.c_str());
  STRCMP_EQUAL("fd00::1", config.metadata.at(1).host.c_str());
  LONGS_EQUAL(1, config.min_in_sync);
}

TEST(StorageConfig, wrong_ones_are_named) {
  const std::pair<Json, const char*> kCases[] = {
      {{{"metadata", Json::array()}}, "/metadata"},
      {{{"metadata", {"10.0.0.1"}}}, "/metadata"},
      {{{"metadata", {":7861"}}}, "/metadata"},
      {{{"metadata", {"10.0.0.1:0"}}}, "/metadata"},
      {{{"metadata", {"10.0.0.1:99999"}}}, "/metadata"},
      {{{"port", 70000}}, "/port"},
      {{{"folder", "relative"}}, "/folder"},
      {{{"reserve_bytes", 1}}, "/reserve_bytes"},
      {{{"surprise", 1}}, "/surprise"},
  };
  for (const auto& [json, pointer] : kCases) {
    const auto config = read_daemon_config(json);
    CHECK_ERROR(Code::invalid_argument, "", config);
    STRCMP_EQUAL(pointer, config.error().pointer.c_str());
    CHECK_FALSE(check_config(json).has_value());
  }
}

TEST(StorageConfig, every_route_is_described) {
  rest::RouteTable table;
  describe_routes(table);
  LONGS_EQUAL(4, table.rows().size());
}

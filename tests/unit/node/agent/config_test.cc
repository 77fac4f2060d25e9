// SPDX-License-Identifier: Apache-2.0
#include "node/agent/config.h"

#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"

using base::Json;
using node::agent::read_config;

TEST_GROUP(AgentConfig){};

TEST(AgentConfig, an_empty_file_is_a_complete_configuration) {
  auto config = UNWRAP(read_config(Json::object()));
  CHECK_OK(complete_from_machine(config));
  CHECK_FALSE(config.name.empty());
  CHECK_FALSE(config.address.empty());
  CHECK(config.resources.cpus > 0);
  CHECK(config.starts_max > 0);
}

TEST(AgentConfig, every_wrong_field_is_named) {
  const struct {
    Json json;
    const char* reason;
    const char* pointer;
  } cases[] = {
      {{{"name", "a/b"}}, "field_invalid", "/name"},
      {{{"zone", "moon"}}, "field_invalid", "/zone"},
      {{{"state_folder", "relative"}}, "field_invalid", "/state_folder"},
      {{{"port_first", 5}, {"port_last", 4}}, "field_invalid", "/port_last"},
      {{{"images", {{"disk_used_percent_max", 101}}}},
       "field_invalid",
       "/images/disk_used_percent_max"},
      {{{"images", {{"x", 1}}}}, "field_unknown", "/images/x"},
      {{{"images", {{"credentials_file", "login"}}}}, "field_invalid", "/images/credentials_file"},
      {{{"images", {{"plain_registries", {""}}}}}, "field_invalid", "/images/plain_registries/0"},
      {{{"user_namespaces", "maybe"}}, "field_invalid", "/user_namespaces"},
      {{{"peer_scopes", {{"u", "all"}}}}, "field_invalid", "/peer_scopes/u"},
      {{{"colour", "red"}}, "field_unknown", "/colour"},
  };
  for (const auto& each : cases) {
    const auto read = read_config(each.json);
    CHECK_ERROR(base::Code::invalid_argument, each.reason, read);
    STRCMP_EQUAL(each.pointer, read.error().pointer.c_str());
  }
}

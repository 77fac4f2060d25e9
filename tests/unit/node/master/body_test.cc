// SPDX-License-Identifier: Apache-2.0
#include "node/master/body.h"

#include "tests/support/check_result.h"

using namespace node::master;  // NOLINT: a test of this one namespace

TEST_GROUP(Body){};

TEST(Body, the_second_port_is_mesos_on_however_many_addresses) {
  const struct {
    std::vector<rest::ListenerOptions> listen;
    int http;
    int mesos;
  } kCases[] = {
      {{{.unix_path = "/s"}}, 8080, 5050},
      {{{.port = 80}}, 80, 5050},
      {{{.unix_path = "/s"}, {.port = 80}, {.port = 50}}, 80, 50},
      {{{.address = "127.0.0.1", .port = 8080},
        {.address = "10.0.0.1", .port = 8080},
        {.address = "127.0.0.1", .port = 5051},
        {.address = "10.0.0.1", .port = 5051}},
       8080,
       5051},
  };
  for (const auto& each : kCases) {
    ServiceOptions options;
    use_ports(each.listen, options);
    LONGS_EQUAL(each.http, options.http_port);
    LONGS_EQUAL(each.mesos, options.mesos_port);
  }
}

TEST(Body, a_wrong_configuration_names_the_field) {
  CHECK_OK(read_config(UNWRAP(base::parse_json(R"({"address":"10.0.0.1"})"))));
  CHECK_ERROR(base::Code::invalid_argument, "field_unknown",
              read_config(UNWRAP(base::parse_json(R"({"adress":"10.0.0.1"})"))));
  CHECK_ERROR(base::Code::invalid_argument, "field_invalid",
              read_config(UNWRAP(base::parse_json(R"({"address":""})"))));
}

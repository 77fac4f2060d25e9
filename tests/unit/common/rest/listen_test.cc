// SPDX-License-Identifier: Apache-2.0
#include "common/rest/listen.h"

#include <nlohmann/json.hpp>

#include "common/rest/daemon.h"
#include "tests/support/check_result.h"

using base::Code;

namespace {

base::Result<std::vector<rest::ListenerOptions>> read(const char* text) {
  return rest::read_listeners(UNWRAP(base::parse_json(text)), "listen", {rest::ListenerOptions{}});
}

}  // namespace

TEST_GROUP(Listeners){};

TEST(Listeners, the_configuration_names_sockets_and_ports) {
  const auto listeners = UNWRAP(read(
      R"({"listen":[{"unix":"/run/x.sock","unix_mode":384},{"address":"::1","port":5051,
          "certificate":"/c","key":"/k","client_ca":"/a"}],"other":1})"));
  LONGS_EQUAL(2, listeners.size());
  STRCMP_EQUAL("/run/x.sock", listeners[0].unix_path.c_str());
  LONGS_EQUAL(0600, listeners[0].unix_mode);
  LONGS_EQUAL(5051, listeners[1].port);
  STRCMP_EQUAL("/a", listeners[1].client_ca_file.c_str());
  LONGS_EQUAL(1, UNWRAP(read("{}")).size());
}

TEST(Listeners, what_is_wrong_is_named) {
  const struct {
    const char* text;
    const char* pointer;
  } kCases[] = {
      {R"({"listen":{}})", "/listen"},
      {R"({"listen":[1]})", "/listen/0"},
      {R"({"listen":[{}]})", "/listen/0/port"},
      {R"({"listen":[{"port":0}]})", "/listen/0/port"},
      {R"({"listen":[{"port":65536}]})", "/listen/0/port"},
      {R"({"listen":[{"address":"0.0.0.0","port":1}]})", "/listen/0/address"},
      {R"({"listen":[{"address":"0:0::0","port":1}]})", "/listen/0/address"},
      {R"({"listen":[{"unix":"/x","port":1}]})", "/listen/0/port"},
      {R"({"listen":[{"port":1,"certificate":"/c"}]})", "/listen/0/key"},
      {R"({"listen":[{"port":1,"client_ca":"/c"}]})", "/listen/0/client_ca"},
      {R"({"listen":[{"port":1},{"port":1,"tls":true}]})", "/listen/1/tls"},
  };
  for (const auto& bad : kCases) {
    const auto listeners = read(bad.text);
    CHECK_ERROR(Code::invalid_argument, "", listeners);
    STRCMP_EQUAL(bad.pointer, listeners.error().pointer.c_str());
  }
}

TEST(Listeners, limits_have_defaults_and_each_can_be_set) {
  const auto parse = [](const char* text) {
    return rest::read_limits(UNWRAP(base::parse_json(text)));
  };
  const rest::ServerLimits defaults = UNWRAP(parse("{}"));
  DOUBLES_EQUAL(rest::ServerLimits{}.per_principal.burst, defaults.per_principal.burst, 0);
  const rest::ServerLimits limits =
      UNWRAP(parse(R"({"limits":{"requests_per_second":0.5,"address_requests_burst":7,)"
                   R"("connections_max":9,"connections_per_address_max":3}})"));
  DOUBLES_EQUAL(0.5, limits.per_principal.per_second, 0);
  DOUBLES_EQUAL(defaults.per_principal.burst, limits.per_principal.burst, 0);
  DOUBLES_EQUAL(7, limits.per_address.burst, 0);
  LONGS_EQUAL(9, limits.connections_max);
  LONGS_EQUAL(3, limits.connections_per_address_max);
  for (const char* bad : {R"({"limits":[]})", R"({"limits":{"requests_per_second":-1}})",
                          R"({"limits":{"connections_max":0}})", R"({"limits":{"rate":1}})"}) {
    CHECK_ERROR(Code::invalid_argument, "", parse(bad));
  }
}

TEST(Listeners, a_path_that_is_not_a_socket_is_left_alone) {
  rest::ListenerOptions options;
  options.unix_path = "/etc/hostname";
  CHECK_ERROR(Code::invalid_argument, "listener_invalid", rest::open_listener(options));
  options.unix_path = "/tmp/" + std::string(200, 'x');
  CHECK_ERROR(Code::invalid_argument, "listener_invalid", rest::open_listener(options));
  options.unix_path = "/nonexistent/x.sock";
  CHECK_ERROR(Code::not_found, "os_not_found", rest::open_listener(options));
}

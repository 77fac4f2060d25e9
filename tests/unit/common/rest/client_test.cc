// SPDX-License-Identifier: Apache-2.0
#include "common/rest/client.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/unit/common/rest/rig.h"

using namespace rest_test;
using base::Code;

namespace {

base::Result<base::Json> read(int status, const char* body) {
  sys::HttpReply reply;
  reply.status = status;
  reply.body = body;
  return rest::read_reply(reply);
}

}  // namespace

TEST_GROUP(Client){};

TEST(Client, calls_go_over_tcp_with_a_token_and_over_a_unix_socket_without) {
  char folder[] = "/tmp/rest-client-XXXXXX";
  CHECK_TRUE(::mkdtemp(folder) != nullptr);
  {
    const std::string path = std::string(folder) + "/x.sock";
    Rig rig({}, {{}, {.unix_path = path}});
    const std::string url = "http://127.0.0.1:" + std::to_string(rig.server->port()) + "/";
    rest::Client tcp({.url = url, .token = base::Secret("all")});
    CHECK_OK(tcp.get("/openapi.json"));
    rest::Client local({.url = "unix:" + path});
    CHECK_OK(local.get("/openapi.json"));
    rest::Client stranger({.url = url});
    CHECK_ERROR(Code::unauthenticated, "credentials_invalid", stranger.get("/health"));
    rest::Client reader({.url = url, .token = base::Secret("reader")});
    CHECK_ERROR(Code::permission_denied, "scope_missing", reader.put("/worker", {{"a", 1}}));
    const base::Json sent = {{"a", {1, 2}}};
    CHECK_TRUE(UNWRAP(tcp.put("/worker", sent)) == sent);
    CHECK_TRUE(UNWRAP(tcp.post("/echo", sent)) == sent);
    CHECK_TRUE(UNWRAP(tcp.get("/created")).is_null());
    CHECK_ERROR(Code::unsupported, "method_not_allowed", tcp.del("/health"));
    CHECK_ERROR(Code::not_found, "route_unknown", tcp.get("/nothing"));
  }
  std::filesystem::remove_all(folder);
}

TEST(Client, a_service_that_is_away_is_unavailable) {
  rest::Client client({.url = "unix:/nonexistent/x.sock"});
  CHECK_ERROR(Code::unavailable, "", client.get("/health"));
}

TEST(Client, problems_become_errors_with_their_reason_and_pointer) {
  const auto field = read(400, R"({"type":"/problems/field_invalid","detail":"must be a string",
      "errors":[{"pointer":"/id","detail":"must be a string"}]})");
  CHECK_ERROR(Code::invalid_argument, "field_invalid", field);
  STRCMP_EQUAL("/id", field.error().pointer.c_str());
  STRCMP_EQUAL("must be a string", field.error().detail.c_str());
  CHECK_ERROR(Code::already_exists, "token_exists",
              read(409, R"({"type":"/problems/token_exists"})"));
  CHECK_ERROR(Code::conflict, "revision_moved_on",
              read(412, R"({"type":"/problems/revision_moved_on"})"));
}

TEST(Client, replies_that_are_no_problems_are_errors_all_the_same) {
  const auto unknown = read(409, R"({"type":"/problems/of_a_later_version","detail":"so"})");
  CHECK_ERROR(Code::failed_precondition, "remote_refused", unknown);
  STRCMP_EQUAL("so (/problems/of_a_later_version)", unknown.error().detail.c_str());
  CHECK_ERROR(Code::unavailable, "remote_refused", read(502, "<html>Bad Gateway</html>"));
  CHECK_ERROR(Code::invalid_argument, "remote_refused", read(418, ""));
  CHECK_ERROR(Code::internal, "remote_refused", read(500, "[]"));
  CHECK_ERROR(Code::internal, "remote_refused", read(302, ""));
  CHECK_ERROR(Code::invalid_argument, "json_invalid", read(200, "<html>"));
  CHECK_TRUE(UNWRAP(read(204, "")).is_null());
}

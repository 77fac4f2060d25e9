// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "common/rest/http.h"
#include "tests/support/check_result.h"

using base::Code;
using base::Error;

TEST_GROUP(Problem){};

TEST(Problem, an_error_about_a_field_names_it) {
  const rest::Response reply = rest::problem(
      Error{Code::invalid_argument, "must be a string", "field_invalid", 0, "/a"}, "r1");
  LONGS_EQUAL(400, reply.status);
  STRCMP_EQUAL("application/problem+json", reply.headers.at("Content-Type").c_str());
  const base::Json body = UNWRAP(base::parse_json(reply.body));
  STRCMP_EQUAL(
      R"({"detail":"must be a string","errors":[{"detail":"must be a string","pointer":"/a"}],)"
      R"("instance":"r1","status":400,"title":"A field has a value that is not allowed",)"
      R"("type":"/problems/field_invalid"})",
      base::dump_json(body).c_str());
}

TEST(Problem, the_detail_of_our_own_bugs_stays_in_the_log) {
  for (const Code code : {Code::internal, Code::corrupt}) {
    const rest::Response reply =
        rest::problem(Error{code, "secret path /x", "internal", 0, "/pointer"}, "r2");
    LONGS_EQUAL(500, reply.status);
    CHECK_TRUE(reply.body.find("secret") == std::string::npos);
    CHECK_TRUE(reply.body.find("pointer") == std::string::npos);
    CHECK_TRUE(reply.body.find("see the log, request r2") != std::string::npos);
  }
}

TEST(Problem, a_method_that_a_path_does_not_take_is_405) {
  LONGS_EQUAL(405, rest::problem(Error{Code::unsupported, "", "method_not_allowed"}, "").status);
  LONGS_EQUAL(501, rest::problem(Error{Code::unsupported, "", "os_unsupported"}, "").status);
}

TEST(Problem, reasons_come_from_the_catalogue) {
  STRCMP_EQUAL("route_unknown",
               std::string(rest::find_reason(std::string("route_unknown"))).c_str());
  CHECK_TRUE(rest::find_reason("no_such_reason").empty());
  CHECK_TRUE(rest::find_reason("").empty());
}

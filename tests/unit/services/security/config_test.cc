// SPDX-License-Identifier: Apache-2.0
#include "services/security/config.h"

#include "tests/support/check_result.h"

using base::Code;

namespace {

base::Result<security::Config> read(const char* text) {
  return security::read_config(UNWRAP(base::parse_json(text)));
}

}  // namespace

TEST_GROUP(SecurityConfig){};

TEST(SecurityConfig, fields_have_defaults_and_bounds) {
  const security::Config config = UNWRAP(read(R"({"issuer":"https://a.example/security//"})"));
  STRCMP_EQUAL("https://a.example/security", config.issuer.c_str());
  LONGS_EQUAL(28'800, config.token_lifetime_s);
  LONGS_EQUAL(100, config.login.attempts_max);
  LONGS_EQUAL(3, UNWRAP(read(R"({"login":{"failuresMax":3}})")).login.failures_max);
  for (const char* bad :
       {R"({"tokenLifetimeSeconds":1})", R"({"unknown":1})", R"({"login":{"failuresMax":0}})",
        R"({"login":{"x":1}})", R"({"adminName":"a*"})", R"({"bootstrap":"yes"})", "[]"}) {
    CHECK_ERROR(Code::invalid_argument, "", read(bad));
  }
}

// SPDX-License-Identifier: Apache-2.0
#include "services/security/token/jwt.h"

#include "common/base/text.h"
#include "tests/support/check_result.h"

using base::Code;
using base::Json;
using security::KeySet;

namespace {

constexpr std::int64_t kNow = 1'800'000'000;
constexpr const char* kIssuer = "https://gestalt.example/security";

Json claims() {
  return {{"iss", kIssuer}, {"aud", "app"}, {"sub", "someone"}, {"iat", kNow}, {"exp", kNow + 60}};
}

sys::EcKey make_key() { return UNWRAP(sys::EcKey::generate()); }

std::string encode(const Json& header, const Json& body, const std::string& signature) {
  return base::to_base64url(base::dump_json(header)) + "." +
         base::to_base64url(base::dump_json(body)) + "." + base::to_base64url(signature);
}

}  // namespace

TEST_GROUP(Jwt) {
  sys::EcKey key = make_key();
  KeySet keys;
  security::JwtExpectation expected{
      .type = security::kAccessTokenType, .issuer = kIssuer, .audience = "app", .now = kNow};
  void setup() override {
    const auto point = UNWRAP(key.point());
    keys.add("k1", UNWRAP(sys::EcKey::from_point(point.x, point.y)));
  }
  std::string sign(const Json& body, const char* kid = "k1",
                   std::string_view type = security::kAccessTokenType) {
    return UNWRAP(security::sign_jwt(key, kid, type, body));
  }
  void refused(const std::string& token, const char* reason = "token_invalid") {
    CHECK_ERROR(Code::unauthenticated, reason, keys.verify(token, expected));
  }
};

TEST(Jwt, what_was_signed_is_read_back) {
  const Json found = UNWRAP(keys.verify(sign(claims()), expected));
  STRCMP_EQUAL("someone", found["sub"].get<std::string>().c_str());
}

TEST(Jwt, keys_survive_pem_and_jwks) {
  const base::Secret pem = UNWRAP(key.private_pem());
  const sys::EcKey again = UNWRAP(sys::EcKey::from_private_pem(pem.reveal()));
  const Json written = UNWRAP(keys.to_json());
  const KeySet read = UNWRAP(KeySet::parse(written));
  CHECK_OK(read.verify(UNWRAP(security::sign_jwt(again, "k1", "at+jwt", claims())), expected));
  CHECK_ERROR(Code::invalid_argument, "key_invalid", sys::EcKey::from_private_pem("nonsense"));
}

TEST(Jwt, claims_that_are_missing_or_wrong_are_refused) {
  struct Row {
    const char* name;
    Json value;
    const char* reason;
  };
  const std::vector<Row> rows = {
      {"iss", "https://evil.example", "token_invalid"},
      {"iss", nullptr, "token_invalid"},
      {"aud", "other", "token_invalid"},
      {"aud", nullptr, "token_invalid"},
      {"aud", Json::array({"x", 3}), "token_invalid"},
      {"exp", kNow - 31, "token_expired"},
      {"exp", nullptr, "token_invalid"},
      {"exp", "1800000060", "token_invalid"},
      {"exp", -1, "token_invalid"},
      {"exp", 1e300, "token_invalid"},
      {"iat", kNow + 31, "token_invalid"},
      {"iat", nullptr, "token_invalid"},
      {"nbf", kNow + 31, "token_invalid"},
      {"nbf", "soon", "token_invalid"},
  };
  for (const Row& row : rows) {
    Json body = claims();
    if (row.value.is_null()) {
      body.erase(row.name);
    } else {
      body[row.name] = row.value;
    }
    refused(sign(body), row.reason);
  }
  Json several = claims();
  several["aud"] = Json::array({"x", "app"});
  CHECK_OK(keys.verify(sign(several), expected));
}

TEST(Jwt, the_algorithm_is_ours_and_not_the_tokens) {
  const Json good = {{"alg", "ES256"}, {"kid", "k1"}, {"typ", "at+jwt"}};
  for (const char* algorithm : {"none", "None", "HS256", "RS256", "ES384", "es256", ""}) {
    Json header = good;
    header["alg"] = algorithm;
    refused(encode(header, claims(), ""));
    refused(encode(header, claims(), std::string(64, 'x')));
  }
  // The public key as an HMAC secret.
  Json header = good;
  header["alg"] = "HS256";
  const std::string text = base::to_base64url(base::dump_json(header)) + "." +
                           base::to_base64url(base::dump_json(claims()));
  refused(text + "." + base::to_base64url(sys::hmac_sha256(UNWRAP(key.point()).x, text)));
}

TEST(Jwt, keys_that_are_not_ours_are_refused) {
  refused(sign(claims(), "k2"));
  refused(sign(claims(), ""));
  const sys::EcKey other = UNWRAP(sys::EcKey::generate());
  refused(UNWRAP(security::sign_jwt(other, "k1", "at+jwt", claims())));
  // A key of the attacker's inside the header.
  const auto point = UNWRAP(other.point());
  const Json header = {{"alg", "ES256"},
                       {"typ", "at+jwt"},
                       {"jwk",
                        {{"kty", "EC"},
                         {"crv", "P-256"},
                         {"x", base::to_base64url(point.x)},
                         {"y", base::to_base64url(point.y)}}}};
  const std::string text = base::to_base64url(base::dump_json(header)) + "." +
                           base::to_base64url(base::dump_json(claims()));
  refused(text + "." + base::to_base64url(UNWRAP(other.sign(text))));
}

TEST(Jwt, one_kind_of_token_is_not_taken_for_another) {
  refused(sign(claims(), "k1", security::kIdTokenType));
  refused(sign(claims(), "k1", ""));
}

TEST(Jwt, damaged_text_is_refused) {
  const std::string token = sign(claims());
  refused("");
  refused(".");
  refused("..");
  refused("a.b");
  refused(token + ".x");
  refused(token + "=");
  refused(token.substr(0, token.size() - 1));
  refused(token.substr(0, token.rfind('.') + 1));
  refused(std::string(security::kJwtMax + 1, 'a'));
  refused("e30.e30." + std::string(86, 'A'));
  std::string changed = token;
  changed[token.find('.') + 5] ^= 1;
  refused(changed);
  // r and s of zero verify nothing.
  refused(token.substr(0, token.rfind('.') + 1) + base::to_base64url(std::string(64, '\0')));
}

TEST(Jwt, critical_extensions_are_refused) {
  const Json header = {
      {"alg", "ES256"}, {"kid", "k1"}, {"typ", "at+jwt"}, {"crit", Json::array({"b64"})}};
  const std::string text = base::to_base64url(base::dump_json(header)) + "." +
                           base::to_base64url(base::dump_json(claims()));
  refused(text + "." + base::to_base64url(UNWRAP(key.sign(text))));
}

TEST(Jwt, key_sets_take_points_of_the_curve_alone) {
  const auto point = UNWRAP(key.point());
  const Json jwk = {{"kty", "EC"},
                    {"crv", "P-256"},
                    {"kid", "a"},
                    {"x", base::to_base64url(point.x)},
                    {"y", base::to_base64url(point.x)}};
  CHECK_ERROR(Code::invalid_argument, "key_invalid", KeySet::parse(Json{{"keys", {jwk}}}));
  for (const char* bad : {"{}", "[]", "3", R"({"keys":3})"}) {
    CHECK_ERROR(Code::invalid_argument, "key_invalid",
                KeySet::parse(UNWRAP(base::parse_json(bad))));
  }
  const Json others = UNWRAP(base::parse_json(
      R"({"keys":[{"kty":"RSA","kid":"a"},{"kty":"EC","crv":"P-384","kid":"b"},
      {"kty":"EC","crv":"P-256","kid":"c","use":"enc"}, 7]})"));
  CHECK_TRUE(UNWRAP(KeySet::parse(others)).empty());
}

// SPDX-License-Identifier: Apache-2.0
#include "services/security/token/jwt.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "common/base/text.h"

namespace security {

namespace {

constexpr std::size_t kKeysMax = 64;
constexpr base::JsonLimits kJwtJson = {.bytes_max = kJwtMax, .depth_max = 16};

base::Error invalid(std::string detail) {
  return {base::Code::unauthenticated, std::move(detail), "token_invalid"};
}

struct Parts {
  std::string_view signed_text;
  base::Json header, claims;
  std::string signature;
};

bool is_base64url(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
}

base::Result<base::Json> part(std::string_view text) {
  if (!is_base64url(text)) return invalid("a part of the token is not base64url");
  const base::Result<std::string> bytes = base::from_base64(text);
  if (!bytes) return invalid("a part of the token is not base64url");
  base::Result<base::Json> json = base::parse_json(*bytes, kJwtJson);
  if (!json || !json->is_object()) return invalid("a part of the token is no JSON object");
  return json;
}

base::Result<Parts> parse_token(std::string_view token) {
  if (token.size() > kJwtMax) return invalid("the token is too long");
  const auto pieces = base::split(token, '.');
  if (pieces.size() != 3) return invalid("a token has three parts");
  Parts out;
  out.signed_text = token.substr(0, pieces[0].size() + 1 + pieces[1].size());
  out.header = TRY(part(pieces[0]));
  out.claims = TRY(part(pieces[1]));
  const base::Result<std::string> signature =
      is_base64url(pieces[2])
          ? base::from_base64(pieces[2])
          : base::Result<std::string>(invalid("the signature is not base64url"));
  if (!signature) return invalid("the signature is not base64url");
  out.signature = *signature;
  return out;
}

std::string text_of(const base::Json& object, const char* name) {
  const auto at = object.find(name);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

std::optional<std::int64_t> time_of(const base::Json& claims, const char* name) {
  const auto at = claims.find(name);
  if (at == claims.end() || !at->is_number_integer()) return std::nullopt;
  const std::int64_t time = at->get<std::int64_t>();
  // Far from the ends of the type, so that sums with a leeway cannot overflow.
  if (time < 0 || time > (std::int64_t{1} << 40)) return std::nullopt;
  return time;
}

bool has_audience(const base::Json& claims, std::string_view wanted) {
  const auto at = claims.find("aud");
  if (at == claims.end()) return false;
  if (at->is_string()) return at->get_ref<const std::string&>() == wanted;
  return at->is_array() && std::any_of(at->begin(), at->end(), [&](const base::Json& each) {
           return each.is_string() && each.get_ref<const std::string&>() == wanted;
         });
}

base::Result<void> check_claims(const base::Json& claims, const JwtExpectation& expected) {
  if (text_of(claims, "iss") != expected.issuer) return invalid("the token has another issuer");
  if (!expected.audience.empty() && !has_audience(claims, expected.audience)) {
    return invalid("the token is for another audience");
  }
  const auto expires = time_of(claims, "exp"), issued = time_of(claims, "iat");
  if (!expires || !issued) return invalid("the token lacks exp or iat");
  if (*issued > expected.now + expected.leeway_s) return invalid("the token is from the future");
  if (claims.contains("nbf")) {
    const auto from = time_of(claims, "nbf");
    if (!from || *from > expected.now + expected.leeway_s) return invalid("it is not yet valid");
  }
  if (*expires + expected.leeway_s <= expected.now) {
    return base::Error{base::Code::unauthenticated, "the token has expired", "token_expired"};
  }
  return {};
}

}  // namespace

base::Result<std::string> sign_jwt(const sys::EcKey& key, std::string_view kid,
                                   std::string_view type, const base::Json& claims) {
  const base::Json header = {{"alg", "ES256"}, {"kid", kid}, {"typ", type}};
  std::string text = base::to_base64url(base::dump_json(header)) + "." +
                     base::to_base64url(base::dump_json(claims));
  const std::string signature = TRY(key.sign(text));
  return text + "." + base::to_base64url(signature);
}

void KeySet::add(std::string kid, sys::EcKey key) {
  keys_.insert_or_assign(std::move(kid), std::move(key));
}

base::Result<KeySet> KeySet::parse(const base::Json& jwks) {
  const auto keys = jwks.is_object() ? jwks.find("keys") : jwks.end();
  if (!jwks.is_object() || keys == jwks.end() || !keys->is_array()) {
    return base::Error{base::Code::invalid_argument, "a key set is an object with `keys`",
                       "key_invalid"};
  }
  KeySet out;
  for (const base::Json& each : *keys) {
    if (!each.is_object() || out.keys_.size() >= kKeysMax) continue;
    const std::string kid = text_of(each, "kid");
    const std::string use = text_of(each, "use"), algorithm = text_of(each, "alg");
    const bool ours = text_of(each, "kty") == "EC" && text_of(each, "crv") == "P-256" &&
                      !kid.empty() && (use.empty() || use == "sig") &&
                      (algorithm.empty() || algorithm == "ES256");
    if (!ours) continue;
    const base::Result<std::string> x = base::from_base64(text_of(each, "x"));
    const base::Result<std::string> y = base::from_base64(text_of(each, "y"));
    if (!x || !y) {
      return base::Error{base::Code::invalid_argument, "a coordinate is not base64url",
                         "key_invalid"};
    }
    out.add(kid, TRY(sys::EcKey::from_point(*x, *y)));
  }
  return out;
}

base::Result<base::Json> KeySet::to_json() const {
  base::Json keys = base::Json::array();
  for (const auto& [kid, key] : keys_) {
    const sys::EcKey::Point point = TRY(key.point());
    keys.push_back({{"kty", "EC"},
                    {"crv", "P-256"},
                    {"use", "sig"},
                    {"alg", "ES256"},
                    {"kid", kid},
                    {"x", base::to_base64url(point.x)},
                    {"y", base::to_base64url(point.y)}});
  }
  return base::Json{{"keys", std::move(keys)}};
}

base::Result<base::Json> KeySet::verify(std::string_view token,
                                        const JwtExpectation& expected) const {
  Parts parts = TRY(parse_token(token));
  if (text_of(parts.header, "alg") != "ES256") return invalid("only ES256 is accepted");
  if (parts.header.contains("crit")) return invalid("critical extensions are not supported");
  const auto key = keys_.find(text_of(parts.header, "kid"));
  if (key == keys_.end()) return invalid("the token is signed with an unknown key");
  if (!key->second.verify(parts.signed_text, parts.signature)) {
    return invalid("the signature is wrong");
  }
  if (base::lower(text_of(parts.header, "typ")) != base::lower(expected.type)) {
    return invalid("the token is of another type");
  }
  TRY(check_claims(parts.claims, expected));
  return std::move(parts.claims);
}

bool looks_like_jwt(std::string_view text) {
  const auto pieces = base::split(text, '.');
  return text.size() <= kJwtMax && pieces.size() == 3 &&
         std::all_of(pieces.begin(), pieces.end(), is_base64url);
}

std::string jwt_key_id(std::string_view token) {
  const base::Result<Parts> parts = parse_token(token);
  return parts ? text_of(parts->header, "kid") : std::string();
}

}  // namespace security

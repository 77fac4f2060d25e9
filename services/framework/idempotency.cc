// SPDX-License-Identifier: Apache-2.0
#include "services/framework/idempotency.h"

#include <array>
#include <nlohmann/json.hpp>

#include "common/base/json.h"
#include "common/base/text.h"
#include "common/sys/crypto.h"
#include "common/sys/tls.h"

namespace services {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::int64_t kLifetimeMs = 24 * 3600 * 1000LL;
constexpr std::int64_t kHourMs = 3600 * 1000LL;
constexpr std::size_t kBodyBytesMax = 256 << 10;
constexpr std::string_view kKeptHeaders[] = {"Content-Type", "Location", "ETag"};

std::int64_t millis(base::WallTime time) { return time.time_since_epoch().count(); }

// What a sealed reply belongs to: moved to another record it cannot be opened.
std::string context_of(const IdempotencyKey& key) { return key.id + "\n" + key.request; }

std::string hour_term(std::int64_t ms) {
  std::string hour = std::to_string(ms / kHourMs);
  return "h" + std::string(12 - std::min<std::size_t>(hour.size(), 12), '0') + hour;
}

}  // namespace

store::Collection idempotency_collection() {
  return {.name = std::string(kIdempotency),
          .indexes = {{"hour", [](std::string_view, std::string_view value) {
                         const Json json = Json::parse(value, nullptr, false);
                         std::vector<std::string> terms;
                         if (json.is_object() && json.contains("expires_ms")) {
                           terms.push_back(hour_term(json.value("expires_ms", std::int64_t{0})));
                         }
                         return terms;
                       }}}};
}

Result<std::optional<IdempotencyKey>> read_idempotency_key(const rest::Request& request,
                                                           const Caller& caller,
                                                           const base::Secret& host_key) {
  const auto header = request.find_header("idempotency-key");
  if (!header) return std::optional<IdempotencyKey>();
  if (header->empty() || header->size() > kIdempotencyKeyMax) {
    return Error{Code::invalid_argument, "an Idempotency-Key has 1 to 255 characters",
                 "idempotency_key_invalid"};
  }
  if (caller.account_id.empty()) {
    return Error{Code::invalid_argument, "an Idempotency-Key needs a caller with an account",
                 "idempotency_key_invalid"};
  }
  std::string text = std::string(rest::method_name(request.method)) + " " + request.path;
  for (const auto& [name, value] : request.query) text += "\n" + name + "=" + value;
  text += "\n\n" + request.body;
  const std::string whose = caller.account_id + "\n" + std::string(*header);
  return std::optional<IdempotencyKey>(IdempotencyKey{
      sys::sha256_hex(whose), sys::sha256_hex(text),
      base::Secret(sys::hmac_sha256(host_key.reveal(), "reply\n" + whose + "\n" + text))});
}

Result<std::optional<rest::Response>> find_reply(store::Reader& reader, const IdempotencyKey& key,
                                                 base::WallTime now) {
  const auto found = TRY(reader.find(kIdempotency, key.id));
  if (!found) return std::optional<rest::Response>();
  const Json json = TRY(base::parse_json(found->value, {.bytes_max = 4 << 20}));
  if (json.value("expires_ms", std::int64_t{0}) <= millis(now)) {
    return std::optional<rest::Response>();
  }
  if (json.value("request", "") != key.request) {
    return Error{Code::failed_precondition, "this Idempotency-Key was used for another request",
                 "idempotency_key_reused"};
  }
  const std::string sealed = TRY(base::from_base64(json.value("sealed", "")));
  const auto opened = sys::unseal(key.secret.reveal(), context_of(key), sealed);
  if (!opened) {
    return Error{Code::failed_precondition,
                 "the request was carried out, but its reply cannot be read any more",
                 "idempotency_reply_lost"};
  }
  const Json kept = TRY(base::parse_json(opened->reveal(), {.bytes_max = 4 << 20}));
  rest::Response reply;
  reply.status = kept.value("status", 200);
  reply.body = kept.value("body", "");
  for (const auto& [name, value] : kept["headers"].items()) reply.headers[name] = value;
  reply.headers["Idempotency-Replayed"] = "true";
  return std::optional<rest::Response>(std::move(reply));
}

Result<void> save_reply(store::Writer& writer, const IdempotencyKey& key,
                        const rest::Response& reply, base::WallTime now, base::Rng& rng) {
  const auto found = TRY(writer.find(kIdempotency, key.id));
  if (found) {
    const Json json = TRY(base::parse_json(found->value, {.bytes_max = 4 << 20}));
    if (json.value("expires_ms", std::int64_t{0}) > millis(now)) {
      return Error{Code::conflict, "the same request is being carried out", "idempotency_raced"};
    }
  }
  Json headers = Json::object();
  for (const std::string_view name : kKeptHeaders) {
    const auto at = reply.headers.find(std::string(name));
    if (at != reply.headers.end()) headers[at->first] = at->second;
  }
  const Json kept = {{"status", reply.status},
                     {"body", reply.body.size() <= kBodyBytesMax ? reply.body : std::string()},
                     {"headers", std::move(headers)}};
  std::array<std::uint8_t, 12> nonce{};
  rng.fill(nonce);
  const std::string sealed =
      TRY(sys::seal(key.secret.reveal(), std::string(nonce.begin(), nonce.end()), context_of(key),
                    base::dump_json(kept)));
  const Json json = {{"request", key.request},
                     {"sealed", base::to_base64url(sealed)},
                     {"expires_ms", millis(now) + kLifetimeMs}};
  TRY(writer.put(kIdempotency, key.id, base::dump_json(json)));
  return {};
}

Result<std::size_t> expire_replies(store::Writer& writer, base::WallTime now, std::size_t limit) {
  std::size_t removed = 0;
  // Whole hours that lie behind; a host that stood still for longer finds the rest over time.
  for (std::int64_t hour = 1; hour <= 48 && removed < limit; ++hour) {
    const auto old = TRY(writer.find_by(
        kIdempotency, "hour", hour_term(millis(now) - hour * kHourMs), {.limit = limit - removed}));
    for (const store::Record& record : old) TRY(writer.remove(kIdempotency, record.key));
    removed += old.size();
  }
  return removed;
}

}  // namespace services

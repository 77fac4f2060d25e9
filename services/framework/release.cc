// SPDX-License-Identifier: Apache-2.0
// A call that was captured, carried out: from what Call::capture() holds to a request of its own.
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/sys/tls.h"
#include "services/framework/pipeline.h"
#include "services/framework/running_host.h"

namespace services {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

std::optional<rest::Method> method_of(std::string_view name) {
  for (const rest::Method each : {rest::Method::get, rest::Method::post, rest::Method::put,
                                  rest::Method::patch, rest::Method::del}) {
    if (rest::method_name(each) == name) return each;
  }
  return std::nullopt;
}

CallerPtr caller_of(const Json& json) {
  Caller caller;
  caller.account_id = json.value("account_id", "");
  caller.name = json.value("name", "");
  caller.org_id = json.value("org_id", "");
  caller.group_ids = json.value("groups", std::vector<std::string>());
  for (const Json& each : json.value("rights", Json::array())) {
    caller.rights.insert({each.at(0), each.at(1), each.at(2)});
  }
  const std::string credential = json.value("credential", "");
  for (const CredentialKind kind : {CredentialKind::api_key, CredentialKind::token,
                                    CredentialKind::peer, CredentialKind::internal}) {
    if (credential_name(kind) == credential) caller.credential = kind;
  }
  caller.credential_id = json.value("credential_id", "");
  caller.on_behalf = json.value("on_behalf", std::vector<std::string>());
  caller.scopes = json.value("scopes", std::vector<std::string>());
  return std::make_shared<const Caller>(std::move(caller));
}

}  // namespace

Result<rest::Response> RunningHost::perform(const Json& captured) {
  const Error invalid{Code::corrupt, "the captured call was changed or cut short",
                      "capture_invalid"};
  if (!captured.is_object() || !captured.contains("hash")) return invalid;
  Json bare = captured;
  bare.erase("hash");
  if (sys::sha256_hex(base::dump_json(bare)) != captured["hash"]) return invalid;
  const auto method = method_of(captured.value("method", ""));
  if (!method) return invalid;
  rest::Request request;
  request.method = *method;
  request.id = parts_.rng.uuid();
  request.peer = "released";
  request.body = captured.value("raw", "");
  const std::string type = captured.value("content_type", "");
  if (!type.empty()) request.headers["content-type"] = type;
  const std::string key = captured.value("idempotency_key", "");
  if (!key.empty()) request.headers["idempotency-key"] = key;
  for (const Json& pair : captured["query"]) request.query.emplace_back(pair.at(0), pair.at(1));
  const std::string path = captured.value("path", "");
  std::string encoded;
  for (const std::string_view segment : base::split(path, '/')) {
    if (!segment.empty()) encoded += "/" + base::percent_encode(segment);
  }
  auto match = TRY(table_.match(*method, encoded));
  request.path = std::move(match.path);
  request.path_parameters = std::move(match.parameters);
  const auto index = row_of_path_.find({static_cast<int>(*method), match.row->path});
  if (index == row_of_path_.end()) return invalid;
  return Pipeline(*this, index->second, request)
      .run_as(caller_of(captured["caller"]), captured.value("href_base", ""));
}

}  // namespace services

// SPDX-License-Identifier: Apache-2.0
#include "common/rest/client.h"

#include <nlohmann/json.hpp>

namespace rest {

using base::Code;
using base::Error;
using base::Result;

namespace {

constexpr std::string_view kUnixPrefix = "unix:";
constexpr std::size_t kDetailMax = 1000;

Code code_of(int status) {
  switch (status) {
    case 400: return Code::invalid_argument;
    case 401: return Code::unauthenticated;
    case 403: return Code::permission_denied;
    case 404: return Code::not_found;
    case 405: return Code::unsupported;
    case 409: return Code::failed_precondition;
    case 412: return Code::conflict;
    case 413: return Code::too_large;
    case 429: return Code::throttled;
    case 501: return Code::unsupported;
    case 502: return Code::unavailable;
    case 503: return Code::unavailable;
    case 504: return Code::timed_out;
    case 507: return Code::no_space;
    default: return status >= 400 && status < 500 ? Code::invalid_argument : Code::internal;
  }
}

// "/problems/app_unknown" as the literal of our catalogue. A reason that this version does not know
// is told as such, with its text in the detail.
std::string_view reason_of(const std::string& type) {
  const std::size_t slash = type.rfind('/');
  return find_reason(slash == std::string::npos ? type : type.substr(slash + 1));
}

Error error_of(const sys::HttpReply& reply) {
  Error error;
  error.code = code_of(reply.status);
  error.reason = "remote_refused";
  error.detail = "status " + std::to_string(reply.status);
  const Result<base::Json> body = base::parse_json(reply.body);
  if (!body || !body->is_object()) return error;
  std::string type;
  std::string detail;
  base::Fields fields(*body);
  fields.optional("type", type);
  fields.optional("detail", detail, {.length_max = kDetailMax});
  if (!detail.empty()) error.detail = detail;
  if (const base::Json* errors = fields.find_array("errors"); errors && !errors->empty()) {
    base::Fields first((*errors)[0]);
    first.optional("pointer", error.pointer);
  }
  if (const std::string_view reason = reason_of(type); !reason.empty()) {
    error.reason = reason;
    // 409 stands for two codes; these are the reasons that say which.
    if (reply.status == 409 && reason.ends_with("exists")) error.code = Code::already_exists;
  } else if (!type.empty()) {
    error.detail += " (" + type + ")";
  }
  return error;
}

}  // namespace

sys::HttpCall make_call(const Endpoint& endpoint, Method method, const std::string& path,
                        const base::Json* body) {
  sys::HttpCall call;
  call.method = method_name(method);
  if (endpoint.url.starts_with(kUnixPrefix)) {
    call.unix_socket = endpoint.url.substr(kUnixPrefix.size());
    call.url = "http://localhost" + path;
  } else {
    std::string base_url = endpoint.url;
    while (base_url.ends_with('/')) base_url.pop_back();
    call.url = base_url + path;
  }
  call.bearer = endpoint.token;
  call.ca_file = endpoint.ca_file;
  call.headers["Accept"] = "application/json";
  if (body != nullptr) {
    call.headers["Content-Type"] = "application/json";
    call.body = base::dump_json(*body);
  }
  return call;
}

Result<base::Json> read_reply(const sys::HttpReply& reply) {
  if (reply.status < 200 || reply.status > 299) return error_of(reply);
  if (reply.body.empty()) return base::Json();
  Result<base::Json> body = base::parse_json(reply.body, {.bytes_max = reply.body.size()});
  if (!body) return base::prepend("the reply", std::move(body).error());
  return body;
}

Result<base::Json> Client::call(Method method, const std::string& path, const base::Json* body) {
  const sys::HttpReply reply = TRY(http_.send(make_call(endpoint_, method, path, body)));
  return read_reply(reply);
}

Result<base::Json> Client::get(const std::string& path) { return call(Method::get, path, nullptr); }
Result<base::Json> Client::post(const std::string& path, const base::Json& body) {
  return call(Method::post, path, &body);
}
Result<base::Json> Client::put(const std::string& path, const base::Json& body) {
  return call(Method::put, path, &body);
}
Result<base::Json> Client::del(const std::string& path) { return call(Method::del, path, nullptr); }

}  // namespace rest

// SPDX-License-Identifier: Apache-2.0
#include "cli/api.h"

#include <nlohmann/json.hpp>

#include "common/base/text.h"

namespace cli {

using base::Error;
using base::Result;

namespace {

constexpr std::size_t kTextMax = 2000;
constexpr std::size_t kErrorBodyMax = 64 << 10;

// "message; /path: text; /path: text" from Marathon's form, empty when the body has another form.
std::string marathon_text(const base::Json& body) {
  base::Fields fields(body);
  std::string text;
  fields.optional("message", text, {.length_max = kTextMax});
  if (text.empty()) return {};
  const base::Json* details = fields.find_array("details");
  if (details != nullptr) {
    for (const base::Json& detail : *details) {
      base::Fields one(detail);
      std::string path;
      std::vector<std::string> errors;
      one.optional("path", path);
      one.optional("errors", errors);
      if (!errors.empty())
        text += "; " + (path.empty() ? "" : path + ": ") + base::join(errors, ", ");
    }
  }
  const base::Json* deployments = fields.find_array("deployments");
  if (deployments != nullptr) {
    for (const base::Json& deployment : *deployments) {
      base::Fields one(deployment);
      std::string id;
      one.optional("id", id);
      if (!id.empty()) text += " (deployment " + id + ")";
    }
  }
  return text;
}

}  // namespace

Result<base::Json> read_reply(const sys::HttpReply& reply) {
  Result<base::Json> read = rest::read_reply(reply);
  if (read) return read;
  Error error = std::move(read).error();
  const auto body = base::parse_json(reply.body, {.bytes_max = kErrorBodyMax});
  if (!body || !body->is_object()) return error;
  const std::string text = marathon_text(*body);
  if (text.empty()) return error;
  error.detail = text;
  if (reply.status == 409 && text.find("already exists") != std::string::npos) {
    error.code = base::Code::already_exists;
  }
  return error;
}

Result<Api> Api::make(const Session& session, Daemon daemon) {
  return Api(TRY(session.endpoint(daemon)));
}

Result<Api> Api::make_own(const Session& session, Daemon daemon) {
  return Api(TRY(session.own_endpoint(daemon)));
}

Result<base::Json> Api::call(rest::Method method, const std::string& path, const base::Json* body) {
  sys::HttpCall sent = rest::make_call(endpoint_, method, path, body);
  if (prefers_tasks_) sent.headers["Prefer"] = "respond-async";
  const sys::HttpReply reply = TRY(http_.send(sent));
  return read_reply(reply);
}

Result<base::Json> Api::get(const std::string& path) {
  return call(rest::Method::get, path, nullptr);
}
Result<base::Json> Api::post(const std::string& path, const base::Json& body) {
  return call(rest::Method::post, path, &body);
}
Result<base::Json> Api::put(const std::string& path, const base::Json& body) {
  return call(rest::Method::put, path, &body);
}
Result<base::Json> Api::patch(const std::string& path, const base::Json& body) {
  return call(rest::Method::patch, path, &body);
}
Result<base::Json> Api::del(const std::string& path) {
  return call(rest::Method::del, path, nullptr);
}

Result<void> Api::stream(const std::string& path, const std::string& accept,
                         std::chrono::milliseconds timeout,
                         const std::function<bool(std::string_view)>& on_data) {
  sys::HttpCall call = rest::make_call(endpoint_, rest::Method::get, path);
  call.headers["Accept"] = accept;
  call.timeout = timeout;
  sys::HttpReply reply = TRY(http_.stream(call, on_data));
  if (reply.status >= 200 && reply.status <= 299) return {};
  Result<base::Json> told = read_reply(reply);
  if (!told) return std::move(told).error();
  return {};
}

std::string encode_id(std::string_view id) {
  std::string out;
  for (const std::string_view segment : base::split(id, '/')) {
    if (segment.empty()) continue;
    if (!out.empty()) out += "/";
    out += base::percent_encode(segment);
  }
  return out;
}

}  // namespace cli

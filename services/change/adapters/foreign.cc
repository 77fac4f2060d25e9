// SPDX-License-Identifier: Apache-2.0
#include "services/change/adapters/foreign.h"

#include <nlohmann/json.hpp>

#include "common/base/base64.h"
#include "common/base/config.h"
#include "common/base/text.h"

namespace services::change {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

Course course_of(const Json& desired) {
  const std::string state = desired.value("state", "pending");
  if (state == "completed") return Course::succeeded;
  if (state == "failed") return Course::failed;
  if (state == "pending" || state == "approved" || state == "applying") return Course::open;
  return Course::withdrawn;
}

Result<Place> read_place(const Json& settings) {
  Place place;
  std::string password_file;
  base::Fields fields(settings);
  fields.required("url", place.url, {.length_min = 8, .length_max = 1000});
  fields.required("user", place.user, {.length_min = 1, .length_max = 200});
  fields.required("password_file", password_file, {.length_min = 1, .length_max = 1000});
  fields.optional("ca_file", place.ca_file, {.length_max = 1000});
  if (!fields.failed() && !place.url.starts_with("http://") && !place.url.starts_with("https://"))
    fields.reject("url", "an address begins with https://");
  TRY(fields.finish(base::UnknownFields::refuse));
  const std::string password = TRY(base::read_file(password_file, 4096));
  place.password = base::Secret(std::string(base::trim(password)));
  while (place.url.ends_with('/')) place.url.pop_back();
  return place;
}

Result<void> check_desired(const Json& desired) {
  std::string text;
  base::Fields fields(desired);
  fields.required("summary", text, {.length_min = 1, .length_max = 500});
  fields.required("payload_hash", text, {.length_min = 1, .length_max = 64});
  fields.required("state", text, {.length_min = 1, .length_max = 40});
  fields.optional("reason", text);
  fields.optional("requester", text);
  fields.optional("status_text", text);
  return fields.finish(base::UnknownFields::refuse);
}

std::string ForeignCaller::basic() const {
  return "Basic " + base::to_base64(place_.user + ":" + std::string(place_.password.reveal()));
}

Result<sys::HttpReply> ForeignCaller::send(const std::string& method, const std::string& path,
                                           std::string body,
                                           std::map<std::string, std::string> headers) {
  sys::HttpCall call;
  call.method = method;
  call.url = place_.url + path;
  call.headers = std::move(headers);
  call.body = std::move(body);
  call.ca_file = place_.ca_file;
  return http_.send(call);
}

Result<Json> ForeignCaller::call(const std::string& method, const std::string& path,
                                 const Json& body,
                                 const std::map<std::string, std::string>& headers) {
  std::map<std::string, std::string> all = headers;
  all["Accept"] = "application/json";
  if (!body.is_null()) all["Content-Type"] = "application/json";
  const sys::HttpReply reply =
      TRY(send(method, path, body.is_null() ? "" : base::dump_json(body), std::move(all)));
  TRY(check_adapter_status(reply, method + " " + path.substr(0, path.find('?'))));
  if (reply.body.empty()) return Json();
  auto parsed = base::parse_json(reply.body, {.bytes_max = 16 << 20});
  if (!parsed)
    return Error{Code::corrupt, "the reply to " + method + " " + path + " is no JSON",
                 "adapter_reply_invalid"};
  return parsed;
}

}  // namespace services::change

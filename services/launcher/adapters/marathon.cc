// SPDX-License-Identifier: Apache-2.0
#include "services/launcher/adapters/marathon.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/base64.h"
#include "common/base/config.h"
#include "common/base/text.h"
#include "common/rest/client.h"
#include "common/sys/tls.h"

namespace services::launcher {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr const char* kHashLabel = "GESTALT_HASH";
constexpr std::chrono::seconds kTimeout{15};
constexpr std::size_t kReplyMax = 16 << 20;
constexpr std::size_t kCredentialsMax = 8192;

struct Place {
  rest::Endpoint endpoint;
  base::Secret authorization;  // the header's value; empty: none
};

// Of everything but the number of instances, which is scaled by itself.
std::string hash_of(Json app) {
  app.erase("instances");
  return sys::sha256_hex(base::dump_json(app));
}

class Marathon final : public Adapter {
 public:
  Marathon(Place place, sys::HttpClient& http) : place_(std::move(place)), http_(http) {}
  std::string_view name() const override { return "marathon"; }
  Abilities abilities() const override { return kCanUpdate | kCanScale | kCanMigrate | kCanRemove; }

  Result<void> validate(const Json& desired) const override {
    std::int64_t instances = 0;
    base::Fields fields(desired);
    fields.required("instances", instances, {.min = 0, .max = 10'000});
    const bool runs = fields.find("cmd") != nullptr || fields.find("args") != nullptr ||
                      fields.find("container") != nullptr;
    fields.find_object("labels");
    if (!runs) fields.reject("cmd", "an image or a command is needed", "field_missing");
    return fields.finish(base::UnknownFields::ignore);
  }

  Result<Json> probe() override {
    const Json about = TRY(call(rest::Method::get, "/v2/info", nullptr));
    return Json{{"product", about.value("name", "marathon")},
                {"version", about.value("version", "")}};
  }

  Result<std::optional<Json>> observe(const std::string& id) override {
    auto reply = call(rest::Method::get, path_of(id) + "?embed=app.tasks", nullptr);
    if (!reply && reply.error().code == Code::not_found) return std::optional<Json>();
    if (!reply) return reply.error();
    const auto app = reply->find("app");
    if (app == reply->end() || !app->is_object())
      return Error{Code::corrupt, "an application was expected", "adapter_reply_invalid"};
    return std::optional<Json>(*app);
  }

  Result<std::vector<AdapterStep>> plan(const std::string& id, const Json& desired,
                                        const std::optional<Json>& observed) const override {
    std::vector<AdapterStep> steps;
    if (desired.is_null()) {
      if (observed) steps.push_back({"remove", id, ""});
      return steps;
    }
    TRY(validate(desired));
    const std::string hash = hash_of(desired);
    const Json labels = observed ? observed->value("labels", Json::object()) : Json::object();
    if (!observed || labels.value(kHashLabel, "") != hash) {
      Json app = desired;
      app["labels"][kHashLabel] = hash;
      steps.push_back({observed ? "update" : "create", id, base::dump_json(app)});
    } else if (observed->value("instances", Json(-1)) != desired["instances"]) {
      steps.push_back({"scale", id, base::dump_json({{"instances", desired["instances"]}})});
    }
    return steps;
  }

  // PUT makes the application when it is absent, so that a repeated step changes nothing more.
  Result<void> apply(const AdapterStep& step) override {
    if (step.verb == "remove") {
      auto done = change(rest::Method::del, step.id, nullptr);
      if (!done && done.error().code != Code::not_found) return done.error();
      return {};
    }
    const Json body = TRY(base::parse_json(step.body, {.bytes_max = 4 << 20}));
    return change(rest::Method::put, step.id, &body);
  }

 private:
  static std::string path_of(const std::string& id) {
    std::string path = "/v2/apps";
    for (const std::string_view segment : base::split(id, '/'))
      if (!segment.empty()) path += "/" + base::percent_encode(segment);
    return path;
  }

  Result<void> change(rest::Method method, const std::string& id, const Json* body) {
    const auto done = call(method, path_of(id), body);
    if (done) return {};
    if (done.error().code != Code::failed_precondition) return done.error();
    TRY(refuse_others(id));
    TRY(call(method, path_of(id) + "?force=true", body));
    return {};
  }

  // Errors: failed_precondition app_locked when a deployment holds other applications as well.
  Result<void> refuse_others(const std::string& id) {
    const Json deployments = TRY(call(rest::Method::get, "/v2/deployments", nullptr));
    if (!deployments.is_array())
      return Error{Code::corrupt, "a list of deployments was expected", "adapter_reply_invalid"};
    const std::string absolute = id.starts_with('/') ? id : "/" + id;
    for (const Json& deployment : deployments) {
      const Json& held = list_in(deployment, "affectedApps");
      if (held.size() < 2 || std::find(held.begin(), held.end(), absolute) == held.end()) continue;
      return Error{Code::failed_precondition,
                   "deployment " + deployment.value("id", "") + " holds " + absolute + " and " +
                       std::to_string(held.size() - 1) +
                       " others: it is waited for; cancel it with DELETE /v2/deployments/" +
                       deployment.value("id", "") + " if it hangs",
                   "app_locked"};
    }
    return {};
  }

  Result<Json> call(rest::Method method, const std::string& path, const Json* body) {
    sys::HttpCall sent = rest::make_call(place_.endpoint, method, path, body);
    sent.timeout = kTimeout;
    sent.response_max = kReplyMax;
    if (!place_.authorization.empty())
      sent.headers["Authorization"] = std::string(place_.authorization.reveal());
    const std::string what =
        std::string(rest::method_name(method)) + " " + place_.endpoint.url + path;
    const auto reply = http_.send(sent);
    if (!reply) return base::prepend(what, reply.error());
    if (auto fine = check_adapter_status(*reply, what); !fine) return advise(fine.error());
    if (reply->body.empty()) return Json();
    auto parsed = base::parse_json(reply->body, {.bytes_max = kReplyMax});
    if (!parsed)
      return Error{Code::corrupt, "the reply to " + what + " is no JSON", "adapter_reply_invalid"};
    return parsed;
  }

  Error advise(Error error) const {
    if (error.code == Code::unauthenticated || error.code == Code::permission_denied) {
      error.detail += place_.endpoint.url.starts_with("unix:")
                          ? "; grant app:read and app:write in peer_scopes of masterd.json"
                          : "; look at authorization and credentials_file of the provider";
    }
    return error;
  }

  const Place place_;
  sys::HttpClient& http_;
};

bool is_this_machine(std::string_view url) {
  for (const std::string_view host : {"http://127.0.0.1", "http://[::1]", "http://localhost"}) {
    if (!url.starts_with(host)) continue;
    const std::string_view rest = url.substr(host.size());
    if (rest.empty() || rest.front() == ':' || rest.front() == '/') return true;
  }
  return false;
}

Result<std::string> authorization_of(const std::string& scheme, const std::string& file) {
  const base::Secret text(TRY(base::read_file(file, kCredentialsMax)));
  const std::string credentials(base::trim(text.reveal()));
  if (scheme == "basic") return "Basic " + base::to_base64(credentials);
  return (scheme == "token" ? "token=" : "Bearer ") + credentials;
}

struct Settings {
  rest::Endpoint endpoint;
  std::string scheme = "bearer";
  std::string credentials_file;
};

Result<Settings> read_settings(const Json& json) {
  Settings settings;
  std::string& url = settings.endpoint.url;
  base::Fields fields(json);
  fields.required("url", url, {.length_min = 8, .length_max = 1000});
  fields.optional("authorization", settings.scheme, {.length_max = 10});
  fields.optional("credentials_file", settings.credentials_file, {.length_max = 1000});
  fields.optional("ca_file", settings.endpoint.ca_file, {.length_max = 1000});
  const bool is_local = url.starts_with("unix:/") || is_this_machine(url);
  const bool fits = is_local || url.starts_with("http://") || url.starts_with("https://");
  if (!fields.failed() && !fits)
    fields.reject("url", "unix:/PATH, http:// or https:// is expected");
  const bool has_credentials = !settings.credentials_file.empty();
  if (!fields.failed() && has_credentials && !is_local && !url.starts_with("https://"))
    fields.reject("url", "credentials would go in the clear: use https://");
  if (settings.scheme != "bearer" && settings.scheme != "basic" && settings.scheme != "token")
    fields.reject("authorization", "bearer, basic or token is expected");
  TRY(fields.finish(base::UnknownFields::refuse));
  return settings;
}

Result<std::unique_ptr<Adapter>> make(const Json& json, const AdapterParts& parts) {
  Settings settings = TRY(read_settings(json));
  Place place{std::move(settings.endpoint), {}};
  if (!settings.credentials_file.empty()) {
    auto header = authorization_of(settings.scheme, settings.credentials_file);
    if (!header)
      return base::prepend("credentials_file " + settings.credentials_file, header.error());
    place.authorization = base::Secret(*std::move(header));
  }
  return std::unique_ptr<Adapter>(std::make_unique<Marathon>(std::move(place), parts.http));
}

}  // namespace

const Json& list_in(const Json& object, const char* name) {
  static const Json none = Json::array();  // never changed
  const auto found = object.find(name);
  return found != object.end() && found->is_array() ? *found : none;
}

Result<void> check_marathon(const Json& settings) {
  TRY(read_settings(settings));
  return {};
}

void add_marathon(AdapterRegistry& registry) { registry.add("launcher", "marathon", make); }

}  // namespace services::launcher

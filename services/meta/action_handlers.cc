// SPDX-License-Identifier: Apache-2.0
// POST of an item with ?action=VERB: sent to the endpoint that the resource's provider names for
// it.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "services/meta/changes.h"
#include "services/meta/entitlements.h"
#include "services/meta/handlers.h"
#include "services/meta/views.h"

namespace services::meta {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::chrono::seconds kProviderTimeout{20};

Error no_action(const std::string& action) {
  return Error{Code::invalid_argument, "nothing here carries out '" + action + "'",
               "action_unknown"};
}

std::string id_at(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_object()) return "";
  const auto id = value.find("id");
  return id != value.end() && id->is_string() ? id->get<std::string>() : "";
}

// The URL that a provider's properties.endpoints [{url, actions[]}] gives for an action.
std::string endpoint_of(const Json& provider, const std::string& action) {
  const auto endpoints = provider.find("endpoints");
  if (endpoints == provider.end() || !endpoints->is_array()) return "";
  for (const Json& endpoint : *endpoints) {
    if (!endpoint.is_object() || !endpoint.contains("url") || !endpoint["url"].is_string())
      continue;
    const auto actions = endpoint.find("actions");
    if (actions == endpoint.end() || !actions->is_array()) continue;
    for (const Json& one : *actions) {
      if (one == action) return endpoint["url"].get<std::string>();
    }
  }
  return "";
}

constexpr std::string_view kRunner = "meta.action";

constexpr std::size_t kVerbMax = 64;

bool is_verb(std::string_view text) {
  return !text.empty() && text.size() <= kVerbMax &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_';
         });
}

// Organisation, workspace and environment that a resource stands in, whole.
Result<Json> action_context(const Work& work, const Stored& stored) {
  const Header header = TRY(stored.header());
  std::vector<std::string_view> places = header.ancestors();
  places.push_back(stored.id);
  Json out = Json::object();
  for (const std::string_view place : places) {
    const Stored above = TRY(get_resource(work.call.read(), place));
    const Header head = TRY(above.header());
    const char* const name = head.type == kOrgType           ? "org"
                             : head.type == kWorkspaceType   ? "workspace"
                             : head.type == kEnvironmentType ? "environment"
                                                             : nullptr;
    if (name == nullptr) continue;
    const Resource resource = TRY(read_stored(above.id, above.text));
    out[name] = render(resource, *TRY(work.type_of(head)), Masking::masked);
  }
  return out;
}

struct Invocation {
  std::string url;
  Json message;
};

// The message of the original: what is to be done, to what, and where it stands; the schema
// MetaGenericActionInvocation.
Result<Invocation> plan_invocation(const Work& work, const std::string& action) {
  Call& call = work.call;
  store::Reader& reader = call.read();
  const Stored stored = TRY(get_resource(reader, call.target().resource_id));
  const Header header = TRY(stored.header());
  const ResourceType* type = TRY(work.type_of(header));
  const std::string name = type->prefix + "." + action;
  TRY(need_entitlement(reader, call.caller(), stored.id, name));
  const Resource resource = TRY(read_stored(stored.id, stored.text));
  const auto link = resource.properties.find("provider");
  const auto provider =
      link == resource.properties.end() ? std::nullopt : TRY(find_resource(reader, id_at(*link)));
  if (!provider) return no_action(name);
  const Resource backing = TRY(read_stored(provider->id, provider->text));
  Invocation made{endpoint_of(backing.properties, name), Json()};
  if (made.url.empty()) return no_action(name);
  Json query = Json::object();
  for (const auto& [key, value] : call.request().query) query[key] = value;
  made.message = {
      {"action", name},
      {"metaAddress", call.href_base()},
      {"context", TRY(action_context(work, stored))},
      {"provider", render(backing, *work.types->find(backing.type), Masking::masked)},
      {"resource", render(resource, *type, Masking::masked)},
      {"actionPayload", call.body()},
      {"requestUrl", call.href_base() + href_of(resource.fqon, resource.rest, resource.id)},
      {"queryParams", std::move(query)}};
  return made;
}

// What the provider says replaces the resource's properties, in the transaction that ends the task.
Result<void> take_over(Meta& meta, Call& call, const Json& input, const Json& properties) {
  const Work work = TRY(Work::begin(meta, call));
  const auto stored = TRY(find_resource(call.read(), input.value("id", "")));
  if (!stored) return {};  // deleted meanwhile
  Resource next = TRY(read_stored(stored->id, stored->text));
  const ResourceType* type = work.types->find(next.type);
  next.properties = TRY(accept_change(*type, next.properties, properties));
  TRY(rewrite_resource(work, *stored, std::move(next), "update"));
  return {};
}

Result<TaskEnd> run_action(Meta& meta, TaskRun& run) {
  const Json& input = run.input();
  sys::HttpCall out;
  out.method = "POST";
  out.url = input.value("url", "");
  out.headers = {{"Content-Type", "application/json"}, {"X-Task-Id", run.id()}};
  out.body = base::dump_json(input["message"]);
  out.timeout = kProviderTimeout;
  out.response_max = 1 << 20;
  const sys::HttpReply reply = TRY(meta.host().http().send(out));
  if (reply.status >= 500) {
    return Error{Code::unavailable, "the provider answered " + std::to_string(reply.status),
                 "action_failed"};
  }
  const auto answer = base::parse_json(reply.body, {.bytes_max = 1 << 20});
  const TaskEnd end{.message = "the provider answered " + std::to_string(reply.status),
                    .link = input.value("href", "")};
  if (!answer || !answer->is_object()) return end;
  const auto failed = answer->find("actionFailed");
  if (failed != answer->end() || reply.status >= 400) {
    return Error{Code::invalid_argument,
                 base::dump_json(failed == answer->end() ? *answer : *failed), "action_failed"};
  }
  const auto properties = answer->find("properties");
  if (properties == answer->end() || !properties->is_object()) return end;
  TRY(run.finish(end, [&](Call& call) { return take_over(meta, call, input, *properties); }));
  return end;
}

}  // namespace

void add_action_runner(Meta& meta, Host& host) {
  host.add_runner(std::string(kRunner), [&meta](TaskRun& run) { return run_action(meta, run); });
}

Result<Reply> act_on_resource(Meta& meta, Call& call) {
  const std::string action = call.query("action").value_or("");
  if (action.empty()) {
    return Error{Code::invalid_argument, "?action= says what is to be done", "query_invalid"};
  }
  if (!is_verb(action)) {
    return Error{Code::invalid_argument,
                 "?action= is a verb of 1 to 64 letters, digits, '-' and '_'", "query_invalid"};
  }
  const Work work = TRY(Work::begin(meta, call));
  Invocation planned = TRY(plan_invocation(work, action));
  const std::string href = planned.message["requestUrl"].get<std::string>();
  const std::string task =
      TRY(call.task({.verb = action, .resource = href, .runner = std::string(kRunner)},
                    Json{{"url", planned.url},
                         {"message", std::move(planned.message)},
                         {"id", call.target().resource_id},
                         {"href", href}}));
  return call.accepted(task);
}

}  // namespace services::meta

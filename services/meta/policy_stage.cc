// SPDX-License-Identifier: Apache-2.0
// The Policy stage: limit rules of all ancestors, and event rules around an action.
#include <nlohmann/json.hpp>
#include <set>

#include "common/base/text.h"
#include "common/store/pages.h"
#include "services/meta/change_checks.h"
#include "services/meta/changes.h"
#include "services/meta/config_stage.h"
#include "services/meta/json_patch.h"
#include "services/meta/work.h"
#include "services/policy/api/evaluate.h"

namespace services::meta {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

// "container.create" whatever the row is called.
std::string action_of(const Catalogue& types, const Call& call) {
  std::string name = call.action_name();
  // POST …?action=VERB: the row does not know the verb.
  if (name.ends_with(".act")) {
    name = name.substr(0, name.size() - 3) + call.query("action").value_or("act");
  }
  if (!name.starts_with("resource.")) return name;
  const ResourceType* type = types.find_rest(collection_of(call));
  return type == nullptr ? name : type->prefix + name.substr(name.find('.'));
}

Result<void> read_rules_at(store::Reader& reader, std::string_view owner, std::string_view href,
                           int depth, std::vector<policy::Rule>& rules) {
  return store::visit(reader, kRules, std::string(owner) + "/",
                      [&](const store::Record& record) -> Result<void> {
                        const Json document = TRY(base::parse_json(record.value));
                        policy::Rule rule = TRY(policy::read_rule(document));
                        rule.depth = depth;
                        rule.owner_id = std::string(owner);
                        rule.owner_href = std::string(href);
                        rules.push_back(std::move(rule));
                        return {};
                      });
}

// Rules of the target and of all its ancestors.
Result<std::vector<policy::Rule>> read_rules(store::Reader& reader, const Target& target) {
  std::vector<policy::Rule> rules;
  const std::string& id = target.resource_id.empty() ? target.org.id : target.resource_id;
  const auto stored = TRY(find_resource(reader, id));
  if (!stored) return rules;
  const Header header = TRY(stored->header());
  int depth = 0;
  for (const std::string_view ancestor : header.ancestors()) {
    const std::size_t before = rules.size();
    TRY(read_rules_at(reader, ancestor, "", depth++, rules));
    if (rules.size() == before) continue;
    const Stored above = TRY(get_resource(reader, ancestor));
    const Resource owner = TRY(read_stored(above.id, above.text));
    for (std::size_t i = before; i < rules.size(); ++i) {
      rules[i].owner_href = href_of(owner.fqon, owner.rest, owner.id);
    }
  }
  // It may stand in another organisation than the call's.
  const std::string fqon = header.org == target.org.id
                               ? target.org.fqon
                               : TRY(read_stored(stored->id, stored->text)).fqon;
  const std::string own =
      header.rest == "orgs" ? "/" + fqon : href_of(fqon, header.rest, stored->id);
  TRY(read_rules_at(reader, stored->id, own, depth, rules));
  return rules;
}

// A verdict goes into what the call explains and into its audit record, under the stage's name.
Result<void> pronounce(Call& call, std::string_view stage, const policy::Verdict& verdict) {
  if (verdict.lines.empty()) return {};
  call.explain(stage, policy::lines_json(verdict.lines));
  call.audit(stage, policy::lines_json(verdict.lines));
  if (!verdict.denied) return {};
  return Error{Code::failed_precondition, verdict.text, "policy_denied"};
}

// The resource as it would be after the call, as far as its body tells.
Result<Json> payload_of(store::Reader& reader, const Call& call, std::string_view verb) {
  const Json& body = call.body();
  if (verb == "create" || (verb == "update" && body.is_object())) return body;
  const auto stored = TRY(find_resource(reader, call.target().resource_id));
  if (!stored) return body;
  const Header header = TRY(stored->header());
  Json document = TRY(base::parse_json(header.json, {.bytes_max = 16 << 20}));
  if (verb == "update" && body.is_array()) {
    const auto operations = read_patch(body);
    auto patched = operations ? apply_patch(document, *operations) : Result<Json>(document);
    return patched ? *std::move(patched) : document;  // the handler says what is wrong with it
  }
  const std::optional<std::string> to = call.query("provider");
  if (verb == "migrate" && to) {
    const auto provider = TRY(find_resource(reader, *to));
    const auto head = provider ? provider->header() : Result<Header>(Error{});
    document["properties"]["provider"] = {{"id", *to},
                                          {"name", head ? std::string(head->name) : ""}};
  }
  const std::optional<std::string> wanted = call.query("numInstances");
  if (verb == "scale" && wanted) {
    const auto number = base::parse_int(*wanted, 0, 1'000'000);
    if (number) document["properties"]["num_instances"] = *number;
  }
  return document;
}

// Walks "properties.cpus" in the payload.
std::optional<Json> at_path(const Json& payload, std::string_view path) {
  const Json* here = &payload;
  for (const std::string_view step : base::split(path, '.')) {
    if (!here->is_object()) return std::nullopt;
    const auto next = here->find(step);
    if (next == here->end()) return std::nullopt;
    here = &*next;
  }
  return *here;
}

// Counts are of what will be: an action that creates one adds it.
Adds adds_of(std::string_view action) {
  return action.ends_with(".create") ? Adds::one : Adds::none;
}

policy::Lookup lookup_in(store::Reader& reader, const Catalogue& types, const Json& payload,
                         std::string_view action, Adds adds) {
  return [&reader, &types, &payload, action, adds](
             const policy::Rule& rule, std::string_view name) -> Result<std::optional<Json>> {
    if (name.ends_with(".count")) {
      const std::string_view rest = name.substr(0, name.size() - 6);
      const ResourceType* type = types.find_rest(rest);
      if (type == nullptr) return std::optional<Json>();
      const std::int64_t now = TRY(count(reader, rule.owner_id, rest));
      const bool is_of_it = action.substr(0, action.rfind('.')) == type->prefix;
      return std::optional<Json>(now + (is_of_it && adds == Adds::one ? 1 : 0));
    }
    const std::string_view prefix = action.substr(0, action.find('.') + 1);
    if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
    auto value = at_path(payload, name);
    if (!value) value = at_path(payload, "properties." + std::string(name));
    return value;
  };
}

// The message of an event rule (services.md 6.5).
Json rule_event(const Call& call, const std::string& id, std::string_view event,
                const policy::Rule& rule, const Json& payload) {
  return {{"id", id},
          {"identity", call.caller().account_id},
          {"timestamp", base::format_time(call.now())},
          {"event", event},
          {"action", std::string(event.substr(0, event.rfind('.')))},
          {"lambda", rule.lambda_id},
          {"args",
           {{"rule", rule.resource},
            {"payload",
             {{"resource", payload},
              {"target", call.target().resource_id},
              {"fqon", call.org().fqon},
              {"meta_url", call.href_base()}}}}}};
}

// Whether the action belongs to meta: rules speak of resources only.
bool is_ours(const Call& call) { return call.action().service == "meta"; }

struct Asked {
  std::shared_ptr<const Catalogue> types;
  std::string action;
  std::vector<policy::Rule> rules;
  Json payload;
};

Result<Asked> ask(Meta& meta, store::Reader& reader, const Call& call) {
  Asked asked;
  asked.types = TRY(meta.types(reader));
  asked.action = action_of(*asked.types, call);
  asked.rules = TRY(read_rules(reader, call.target()));
  if (asked.rules.empty()) return asked;
  const std::string_view verb = std::string_view(asked.action).substr(asked.action.find('.') + 1);
  asked.payload = TRY(payload_of(reader, call, verb));
  return asked;
}

// What an entry leads to: its own value, wherever below it holds, or what is in force with it.
std::optional<Json> value_said(const config::Entry& entry, const config::View& view) {
  if (entry.mode == config::Mode::set) return entry.value;
  const auto value = view.find(entry.key);
  if (value == view.end() || !value->second.present) return std::nullopt;
  return value->second.value;
}

}  // namespace

Result<void> check_config_rules(const Work& work, const Resource& resource,
                                const std::vector<config::Entry>& own) {
  if (!work.meta.has_rules()) return {};
  store::Reader& reader = work.call.read();
  // What is being made is not there yet, and has no rules of its own.
  const bool is_new = !TRY(find_resource(reader, resource.id));
  const std::string& place = is_new ? resource.parent_id : resource.id;
  const auto rules = TRY(read_rules(reader, {work.call.org(), place, ""}));
  if (rules.empty()) return {};
  const config::View view = TRY(effective_config(reader, resource));
  policy::Verdict whole;
  for (const config::Entry& entry : own) {
    const auto lookup = [&](const policy::Rule&, std::string_view) -> Result<std::optional<Json>> {
      return value_said(entry, view);
    };
    policy::Verdict verdict = policy::judge_config(rules, entry.key, lookup);
    std::move(verdict.lines.begin(), verdict.lines.end(), std::back_inserter(whole.lines));
    if (!verdict.denied || whole.denied) continue;
    whole.denied = true;
    whole.text = std::move(verdict.text);
  }
  return pronounce(work.call, "config-policy", whole);
}

Result<void> check_rules_at(const Work& work, const Elsewhere& elsewhere, const Json& payload) {
  if (!work.meta.has_rules()) return {};
  store::Reader& reader = work.call.read();
  auto rules = TRY(read_rules(reader, {work.call.org(), std::string(elsewhere.place), ""}));
  std::erase_if(rules, [&elsewhere](const policy::Rule& rule) {
    return elsewhere.but.find(rule.owner_id) != std::string_view::npos;
  });
  policy::Verdict whole;
  for (const std::string& action : elsewhere.actions) {
    const auto lookup = lookup_in(reader, *work.types, payload, action, elsewhere.adds);
    policy::Verdict verdict = policy::judge(rules, action, lookup);
    std::move(verdict.lines.begin(), verdict.lines.end(), std::back_inserter(whole.lines));
    if (!verdict.denied || whole.denied) continue;
    whole.denied = true;
    whole.text = std::move(verdict.text);
  }
  return pronounce(work.call, "place-policy", whole);
}

bool Meta::concerns(std::string_view) { return has_rules(); }

Result<void> Meta::limits(Call& call) {
  if (!rules_ || !is_ours(call)) return {};
  const Asked asked = TRY(ask(*this, call.read(), call));
  if (asked.rules.empty()) return {};
  return pronounce(call, "policy",
                   policy::judge(asked.rules, asked.action,
                                 lookup_in(call.read(), *asked.types, asked.payload, asked.action,
                                           adds_of(asked.action))));
}

Result<bool> Meta::before(Call& call) {
  if (!is_ours(call)) return false;
  std::optional<policy::Firing> firing;
  Json payload;
  std::string event;
  const auto looked = host_->store().read([&](store::Reader& reader) -> Result<void> {
    Asked asked = TRY(ask(*this, reader, call));
    if (asked.rules.empty()) return {};
    payload = std::move(asked.payload);
    event = asked.action + ".pre";
    firing =
        policy::fire(std::move(asked.rules), event,
                     lookup_in(reader, *asked.types, payload, asked.action, adds_of(asked.action)));
    return {};
  });
  if (!looked) return looked.error();
  if (!firing || firing->lines.empty()) return false;
  call.explain("pre-events", policy::lines_json(firing->lines));
  if (firing->failed) {
    return Error{
        Code::failed_precondition,
        "the rule '" + firing->failed->rule + "' cannot be evaluated: " + firing->failed->detail,
        "policy_denied"};
  }
  for (const policy::Rule& rule : firing->rules) {
    if (!rule.deny.empty()) return Error{Code::failed_precondition, rule.deny, "policy_denied"};
    if (!rule.patch.is_array() || !call.body().is_object()) continue;
    const auto operations = TRY(read_patch(rule.patch));
    call.mutable_body() = TRY(apply_patch(call.body(), operations));
  }
  if (call.dryrun() || firing->rules.empty()) return firing->suppressed;
  // Durable before the action is: who must hear of it hears of it.
  TRY(host_->transact(event, call.caller_ptr(), [&](Call& own) -> Result<void> {
    for (const policy::Rule& rule : firing->rules) {
      own.emit(event, rule_event(call, own.new_id(), event, rule, payload));
    }
    return {};
  }));
  return firing->suppressed;
}

Result<void> Meta::after(Call& call, const Reply& reply) {
  if (!is_ours(call) || reply.status >= 300) return {};
  const Asked asked = TRY(ask(*this, call.read(), call));
  if (asked.rules.empty()) return {};
  const std::string event = asked.action + ".post";
  const policy::Firing firing = policy::fire(
      asked.rules, event,
      lookup_in(call.read(), *asked.types, asked.payload, asked.action, adds_of(asked.action)));
  const auto made = base::parse_json(reply.body, {.bytes_max = 16 << 20});
  for (const policy::Rule& rule : firing.rules) {
    const Json& resource = made && made->is_object() ? *made : asked.payload;
    call.emit(event, rule_event(call, call.new_id(), event, rule, resource));
  }
  return {};
}

}  // namespace services::meta

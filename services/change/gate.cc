// SPDX-License-Identifier: Apache-2.0
// The gate: which calls are held, and what is written when one is.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "services/change/service.h"

namespace services::change {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::string_view kMember = "change_management";
constexpr std::string_view kHeader = "change-management";

std::int64_t ms_of(base::WallTime time) { return time.time_since_epoch().count(); }

// What the caller says about the change; taken out of the body, which handlers do not know it in.
Result<std::optional<Wish>> take_wish(Call& call) {
  if (const auto header = call.request().find_header(kHeader)) {
    const Json json = TRY(base::parse_json(*header));
    const Wish wish = TRY(parse_wish(json, ""));
    return std::optional(wish);
  }
  if (!call.body().is_object() || !call.body().contains(kMember)) return std::optional<Wish>();
  const Wish wish =
      TRY(parse_wish(call.body()[std::string(kMember)], base::child_pointer("", kMember)));
  call.mutable_body().erase(std::string(kMember));
  return std::optional(wish);
}

// "environment.create" → {"environment", "create"}.
std::pair<std::string, std::string> split_action(const std::string& action) {
  const std::size_t dot = action.rfind('.');
  if (dot == std::string::npos) return {action, action};
  return {action.substr(0, dot), action.substr(dot + 1)};
}

// The original's names: task.<service>.<resource>.<action>.<state>.
std::string event_name(const Change& change, std::string_view state) {
  return "task." + change.service + "." + change.action + "." + std::string(state);
}

Json event_payload(const Change& change) {
  return {
      {"change", change.id},
      {"task", change.task_id},
      {"status", std::string(state_name(change.state))},
      {"statusText", change.status_text},
      {"action", change.action},
      {"org", {{"id", change.org_id}, {"fqon", change.org_fqon}}},
      {"requester", {{"id", change.requester_id}, {"name", change.requester_name}}},
      {"payloadHash", change.payload_hash},
      {"result", {{"message", change.result_message}, {"link", {{"href", change.result_link}}}}}};
}

// All that the call does in organisations, itself first.
std::vector<Deed> deeds_of(const Call& call) {
  std::vector<Deed> deeds = {{call.org(), call.action_name()}};
  deeds.insert(deeds.end(), call.target().also.begin(), call.target().also.end());
  std::erase_if(deeds, [](const Deed& deed) { return deed.org.id.empty(); });
  return deeds;
}

Result<std::vector<Scope>> scopes_of_deeds(Host& host, Call& call, const std::vector<Deed>& deeds) {
  std::vector<Scope> scopes;
  for (const Deed& deed : deeds) {
    Scope scope{{}, deed.action};
    for (const Org& org : TRY(host.orgs().lineage(call.read(), deed.org.id)))
      scope.lineage.push_back(org.id);
    scopes.push_back(std::move(scope));
  }
  return scopes;
}

struct Found {
  Org org = {};  // whose change it is
  std::optional<Rule> rule = {};
};
// Of everything that the call does, the strictest rule. A change belongs to the organisation that
// it leads to: who approves there decides.
Found rule_over(std::span<const Handler> handlers, const std::vector<Deed>& deeds,
                const std::vector<Scope>& scopes) {
  Found found;
  for (std::size_t i = 0; i < deeds.size(); ++i) {
    const auto rule = find_rule(handlers, scopes[i].lineage, deeds[i].action);
    if (!rule) continue;
    found.org = deeds[i].org;
    found.rule = found.rule ? strictest(*found.rule, *rule) : *rule;
  }
  return found;
}

// What is held, without who decides about it.
Change change_of(const Call& call, const std::vector<Deed>& deeds) {
  const Json captured = call.capture();
  Change change;
  change.org_id = call.org().id;
  change.org_fqon = call.org().fqon;
  change.action = call.action_name();
  for (const Deed& deed : deeds) change.also.push_back(deed.org.id + " " + deed.action);
  change.service = call.action().service;
  change.payload = base::dump_json(captured);
  change.payload_hash = captured.value("hash", hash_of(captured));
  return change;
}

void govern(Change& change, const Found& found, const Call& call) {
  const Rule& rule = *found.rule;
  change.org_id = found.org.id;
  change.org_fqon = found.org.fqon;
  change.handler_id = rule.first->id;
  change.adapter = rule.first->adapter;
  change.quorum = rule.quorum;
  change.approver_groups = rule.approver_groups;
  if (rule.deadline_s > 0) change.deadline_ms = ms_of(call.now()) + rule.deadline_s * 1000;
}

std::string until_text(const Frozen& held) {
  return base::format_time(base::WallTime(std::chrono::milliseconds(held.until_ms)));
}

// What a call does, and what holds it.
struct Judged {
  std::vector<Deed> deeds = {};
  Found found = {};
  std::optional<Frozen> held = {};
  bool holds() const { return found.rule || held; }
};

Result<Judged> judge(Host& host, Call& call, const ChangeService::Rules& all) {
  Judged judged;
  if ((all.handlers.empty() && all.freezes.empty()) || call.caller().is_internal()) return judged;
  judged.deeds = deeds_of(call);
  const std::vector<Scope> scopes = TRY(scopes_of_deeds(host, call, judged.deeds));
  judged.found = rule_over(all.handlers, judged.deeds, scopes);
  judged.held = frozen(all.freezes, scopes, ms_of(call.now()));
  return judged;
}

void explain_gate(Call& call, const Found& found, const std::optional<Frozen>& held) {
  if (found.rule)
    call.explain("gate", {{"handler", found.rule->first->id}, {"quorum", found.rule->quorum}});
  if (held)
    call.explain(
        "gate",
        {{"freeze", held->freeze->id}, {"name", held->freeze->name}, {"until", until_text(*held)}});
}

}  // namespace

Actor actor_of(const Caller& caller) {
  return {caller.account_id, caller.name, caller.group_ids, caller.on_behalf};
}

Result<Change> open_change(ChangeService& service, Call& call, Change change, const Wish& wish) {
  const std::int64_t now = ms_of(call.now());
  if (wish.deadline_ms != 0 && wish.deadline_ms <= now)
    return Error{Code::invalid_argument, "the deadline has passed", "field_invalid", 0,
                 "/change_management/deadline"};
  change.id = call.new_id();
  change.reason = wish.reason;
  change.dependencies = wish.dependencies;
  change.requester_id = call.caller().account_id;
  change.requester_name = call.caller().name;
  change.on_behalf = call.caller().on_behalf;
  change.created_ms = now;
  change.changed_ms = now;
  if (wish.deadline_ms != 0 && (change.deadline_ms == 0 || wish.deadline_ms < change.deadline_ms))
    change.deadline_ms = wish.deadline_ms;
  if (wish.schedule_ms != 0) TRY(schedule(change, std::max(wish.schedule_ms, now), now));
  for (const std::string& other : change.dependencies) TRY(load_change(call.read(), other));
  if (change.status_text.empty()) change.status_text = "waits for approval";
  const auto [resource, verb] = split_action(change.action);
  if (change.task_id.empty()) {
    TaskSpec task;
    task.verb = verb;
    task.resource = resource;
    task.message = change.status_text;
    change.task_id = TRY(call.task(std::move(task), Json{{"change", change.id}}));
  }
  // An adapter is told at once, and the sweep finds out when a freeze is over; without them nothing
  // happens before the deadline.
  const bool waits = change.adapter == "native" && change.state == State::pending;
  const std::int64_t wake = waits ? change.deadline_ms : now;
  TRY(save_change(call.write(), change, wake));
  call.emit(event_name(change, "pending"), event_payload(change));
  call.emit("change.created", event_payload(change));
  call.audit("change", change.id);
  (void)service;
  return change;
}

Result<void> announce(Call& call, const Change& change) {
  const bool is_good = change.state == State::completed;
  const std::string code = is_good ? "" : "change_" + std::string(state_name(change.state));
  if (!change.task_id.empty()) {
    auto ended = call.finish_task(change.task_id, {.succeeded = is_good,
                                                   .message = change.status_text,
                                                   .link = change.result_link,
                                                   .code = code});
    // An external task is not ours to end, and one that was cancelled has ended.
    if (!ended && ended.error().code != Code::not_found &&
        ended.error().code != Code::failed_precondition)
      return ended;
  }
  call.emit(event_name(change, is_good ? "complete" : "failed"), event_payload(change));
  call.emit("change." + std::string(state_name(change.state)), event_payload(change));
  return {};
}

Result<bool> ChangeService::may_hold(Call& call) {
  if (call.body().is_object() && call.body().contains(kMember)) return true;  // hold() takes it out
  const auto all = TRY(rules(call.read()));
  const Judged judged = TRY(judge(*host_, call, *all));
  return judged.holds();
}

Result<std::optional<Reply>> ChangeService::hold(Call& call) {
  const std::optional<Wish> wish = TRY(take_wish(call));
  const auto all = TRY(rules(call.read()));
  const Judged judged = TRY(judge(*host_, call, *all));
  if (!judged.holds()) return std::optional<Reply>();
  const auto& [deeds, found, held] = judged;
  explain_gate(call, found, held);
  if (found.rule && found.rule->needs_reason && (!wish || wish->reason.empty()))
    return Error{Code::invalid_argument,
                 "changes of this kind need a reason: send change_management.reason, or the header "
                 "Change-Management",
                 "change_reason_missing", 0, "/change_management/reason"};

  Change change = change_of(call, deeds);
  if (found.rule) {
    govern(change, found, call);
  } else {
    // Nobody has to approve it: it goes out when the freeze is over, or overridden.
    change.quorum = 0;
    change.state = State::approved;
    change.status_text =
        "waits for the end of the freeze '" + held->freeze->name + "', " + until_text(*held);
  }
  change = TRY(open_change(*this, call, std::move(change), wish.value_or(Wish{})));
  Reply reply = TRY(call.accepted(change.task_id));
  return std::optional(std::move(reply).with("Change-Id", change.id));
}

}  // namespace services::change

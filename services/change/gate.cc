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

std::vector<std::string> deeds_text(const Call& call) {
  std::vector<std::string> texts = {call.org().id + " " + call.action_name()};
  for (const Deed& deed : call.target().also) texts.push_back(deed.org.id + " " + deed.action);
  return texts;
}

struct Found {
  Org org;  // whose change it is
  std::optional<Rule> rule;
};
// Of everything that the call does, the strictest rule. A change belongs to the organisation that
// it leads to: who approves there decides.
Result<Found> rule_over(Host& host, Call& call, std::span<const Handler> handlers) {
  Found found{call.org(), std::nullopt};
  std::vector<Deed> deeds = {{call.org(), call.action_name()}};
  deeds.insert(deeds.end(), call.target().also.begin(), call.target().also.end());
  for (const Deed& deed : deeds) {
    if (deed.org.id.empty()) continue;
    std::vector<std::string> lineage;
    for (const Org& each : TRY(host.orgs().lineage(call.read(), deed.org.id)))
      lineage.push_back(each.id);
    const auto rule = find_rule(handlers, lineage, deed.action);
    if (!rule) continue;
    found.org = deed.org;
    found.rule = found.rule ? strictest(*found.rule, *rule) : *rule;
  }
  return found;
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
  // An adapter is told at once; without one nothing happens before the deadline.
  const std::int64_t wake = change.adapter == "native" ? change.deadline_ms : now;
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
  if (all->handlers.empty() || call.caller().is_internal()) return false;
  const auto [org, rule] = TRY(rule_over(*host_, call, all->handlers));
  return rule.has_value();
}

Result<std::optional<Reply>> ChangeService::hold(Call& call) {
  const std::optional<Wish> wish = TRY(take_wish(call));
  const auto all = TRY(rules(call.read()));
  if (all->handlers.empty() || call.caller().is_internal()) return std::optional<Reply>();
  const auto [org, rule] = TRY(rule_over(*host_, call, all->handlers));
  if (!rule) return std::optional<Reply>();
  const Handler& handler = *rule->first;
  call.explain("gate", {{"handler", handler.id}, {"quorum", rule->quorum}});
  if (rule->needs_reason && (!wish || wish->reason.empty()))
    return Error{Code::invalid_argument,
                 "changes of this kind need a reason: send change_management.reason, or the header "
                 "Change-Management",
                 "change_reason_missing", 0, "/change_management/reason"};

  const Json captured = call.capture();
  Change change;
  change.org_id = org.id;
  change.org_fqon = org.fqon;
  change.action = call.action_name();
  change.also = deeds_text(call);
  change.service = call.action().service;
  change.handler_id = handler.id;
  change.adapter = handler.adapter;
  change.quorum = rule->quorum;
  change.approver_groups = rule->approver_groups;
  change.payload = base::dump_json(captured);
  change.payload_hash = captured.value("hash", hash_of(captured));
  if (rule->deadline_s > 0) change.deadline_ms = ms_of(call.now()) + rule->deadline_s * 1000;
  change = TRY(open_change(*this, call, std::move(change), wish.value_or(Wish{})));
  Reply reply = TRY(call.accepted(change.task_id));
  return std::optional(std::move(reply).with("Change-Id", change.id));
}

}  // namespace services::change

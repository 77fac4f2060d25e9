// SPDX-License-Identifier: Apache-2.0
// What change management answers. Paths of the original: /changes, /handlers; ours: the decisions,
// the difference that amendments made, freezes.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "services/change/schemas.h"
#include "services/change/service.h"

namespace services::change {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::size_t kListedMax = 1000;
constexpr std::string_view kComment = R"({"type":["object","null"],"additionalProperties":false,
  "properties":{"comment":{"type":"string","maxLength":2000},"reason":{"type":"string",
  "maxLength":2000},"payload_hash":{"type":"string","maxLength":64}}})";
constexpr std::string_view kSchedule = R"({"type":"object","required":["schedule"],
  "additionalProperties":false,"properties":{"schedule":{}}})";
constexpr std::string_view kAmend = R"({"type":"object","required":["body"],
  "additionalProperties":false,"properties":{"body":{},"comment":{"type":"string",
  "maxLength":2000}}})";
constexpr std::string_view kNewChange = R"({"type":"object","required":["payload","outStateName"],
  "properties":{"payload":{},"outStateName":{"type":"string","minLength":1,"maxLength":255},
  "reason":{"type":"string"},"providerId":{"type":"string"},"taskUUID":{"type":"string"},
  "statusText":{"type":"string","maxLength":2000},"dependencies":{"type":"array",
  "items":{"type":"string"}}}})";
// Who administers an organisation's handlers, freezes and decisions.
constexpr Access kApprove = right("change:approve");
constexpr Access kManage = right("change:manage");
constexpr Access kOverride = right("change:override");
constexpr Access kView = right("change:view");

std::int64_t now_of(const Call& call) { return call.now().time_since_epoch().count(); }

// The caller's own organisation, for collections whose path names none.
Result<Target> own_org(ChangeService& service, Call& call) {
  const auto org = TRY(service.host().orgs().find_id(call.read(), call.caller().org_id));
  if (!org) return Error{Code::not_found, "the caller has no organisation", "org_unknown"};
  return Target{*org, "", ""};
}

// The organisation that a change, handler or freeze belongs to.
Result<Target> org_of(ChangeService& service, Call& call, const std::string& org_id,
                      const std::string& id, std::string type) {
  const auto org = TRY(service.host().orgs().find_id(call.read(), org_id));
  if (!org) return Error{Code::not_found, "its organisation is gone", "org_unknown"};
  return Target{*org, id, std::move(type)};
}

Result<Target> of_change(ChangeService& service, Call& call) {
  const Change change = TRY(load_change(call.read(), call.parameter("id")));
  return org_of(service, call, change.org_id, change.id, "change");
}

Result<Handler> find_handler(Call& call) {
  const auto record = TRY(call.read().find(kHandlers, call.parameter("id")));
  if (!record) return Error{Code::not_found, "there is no such handler", "handler_unknown"};
  return parse_handler(record->value);
}

Result<Freeze> find_freeze(Call& call) {
  const auto record = TRY(call.read().find(kFreezes, call.parameter("id")));
  if (!record) return Error{Code::not_found, "there is no such freeze", "freeze_unknown"};
  return parse_freeze(record->value);
}

Result<Target> of_handler(ChangeService& service, Call& call) {
  const Handler handler = TRY(find_handler(call));
  return org_of(service, call, handler.org_id, handler.id, "handler");
}

Result<Target> of_freeze(ChangeService& service, Call& call) {
  const Freeze freeze = TRY(find_freeze(call));
  return org_of(service, call, freeze.org_id, freeze.id, "freeze");
}

// The organisation a body names, else the caller's own.
Result<Target> of_body(ChangeService& service, Call& call) {
  if (!call.body().is_object()) return own_org(service, call);
  const std::string org = call.body().value("org_id", "");
  if (org.empty()) return own_org(service, call);
  return org_of(service, call, org, "", "");
}

// Whether the caller may do something to the change's organisation.
Result<bool> has_right(ChangeService& service, Call& call, const Access& access,
                       const Change& change) {
  const auto org = TRY(service.host().orgs().find_id(call.read(), change.org_id));
  const Target target{org.value_or(Org{}), change.id, "change"};
  const Question question{call.caller(), access, call.action().name, target};
  auto& authorizer = service.host().authorizer(Access::Kind::right);
  const Decision decision = TRY(authorizer.decide(call.read(), question, call));
  return decision.allowed;
}

bool is_below(const std::string& fqon, const std::string& top) {
  return top == "root" || fqon == top || fqon.starts_with(top + ".");
}

bool is_wanted(Call& call, const Change& change) {
  const auto matches = [&call](const char* name, std::string_view value) {
    const auto wanted = call.query(name);
    return !wanted || *wanted == value;
  };
  return matches("status", state_name(change.state)) && matches("action", change.action) &&
         matches("taskUUID", change.task_id) && matches("requester", change.requester_id) &&
         matches("providerId", change.handler_id);
}

Result<Reply> list_changes(ChangeService&, Call& call) {
  Json list = Json::array();
  store::Range range{.limit = kListedMax};
  for (;;) {
    const auto records = TRY(call.read().list(kChanges, range));
    for (const store::Record& record : records) {
      const Change change = TRY(parse_change(record.value));
      if (list.size() < kListedMax && is_below(change.org_fqon, call.org().fqon) &&
          is_wanted(call, change))
        list.push_back(show_change(change, Detail::summary, call.href_base()));
    }
    if (records.size() < range.limit || list.size() >= kListedMax) break;
    range.after = records.back().key;
  }
  return Reply::json(list);
}

Result<Reply> get_change(ChangeService& service, Call& call) {
  const Versioned found = TRY(load_versioned(call.read(), call.parameter("id")));
  const Change& change = found.change;
  const bool is_own = change.requester_id == call.caller().account_id;
  const bool sees = is_own || TRY(has_right(service, call, kView, change));
  // Who may not see it does not learn that it is there.
  if (!sees) return Error{Code::not_found, "there is no change " + change.id, "change_unknown"};
  TRY(call.check_version(found.version));
  return Reply::json(show_change(change, Detail::whole, call.href_base()));
}

Result<Reply> diff_change(ChangeService&, Call& call) {
  const Change change = TRY(load_change(call.read(), call.parameter("id")));
  const Json shown = show_change(change, Detail::whole, call.href_base());
  return Reply::json({{"payloadHash", change.payload_hash},
                      {"amendedBy", change.amended_by},
                      {"amendments", shown.value("amendments", Json::array())}});
}

// The original's contract: a service holds its own request and is told by an event when it may go.
Result<Reply> create_change(ChangeService& service, Call& call) {
  const Json& body = call.body();
  Json wished = Json::object();
  for (const char* name : {"reason", "schedule", "deadline", "dependencies"})
    if (body.contains(name)) wished[name] = body[name];
  const Wish wish = TRY(parse_wish(wished, ""));
  Change change;
  change.kind = PayloadKind::event;
  change.org_id = call.org().id;
  change.org_fqon = call.org().fqon;
  change.action = body.value("action", "change.external");
  change.service = "external";
  change.event_name = body["outStateName"].get<std::string>();
  change.payload = base::dump_json(body["payload"]);
  change.payload_hash = hash_of(Json{{"event", change.event_name}, {"payload", body["payload"]}});
  change.task_id = body.value("taskUUID", "");
  change.status_text = body.value("statusText", "");
  change.handler_id = body.value("providerId", "");
  if (!change.handler_id.empty()) {
    const auto record = TRY(call.read().find(kHandlers, change.handler_id));
    if (!record)
      return Error{Code::invalid_argument, "there is no such handler", "handler_unknown", 0,
                   "/providerId"};
    const Handler handler = TRY(parse_handler(record->value));
    change.adapter = handler.adapter;
    change.quorum = handler.quorum;
    change.approver_groups = handler.approver_groups;
    if (handler.deadline_s > 0) change.deadline_ms = now_of(call) + handler.deadline_s * 1000;
  }
  change = TRY(open_change(service, call, std::move(change), wish));
  return Reply::created(call.href_base() + "/changes/" + change.id,
                        show_change(change, Detail::whole, call.href_base()));
}

// 410 for what has expired, as the original's contract asks (services.md 6.6).
Reply gone(const Change& change) {
  return Reply::json({{"code", 410},
                      {"message", "the deadline of the change has passed"},
                      {"resource", change.id}},
                     410);
}

// Loads the change, lets `decide` change it and saves it with a wake-up at once.
template <class Decide>
Result<Reply> decide(Call& call, const Decide& decide_it) {
  Versioned found = TRY(load_versioned(call.read(), call.parameter("id")));
  Change& change = found.change;
  TRY(call.check_version(found.version));
  auto done = decide_it(change);
  if (!done && done.error().reason == "change_expired") return gone(change);
  if (!done) return done.error();
  const bool is_over = has_ended(change.state) && change.adapter == "native";
  TRY(save_change(call.write(), change, is_over ? 0 : now_of(call)));
  call.audit("change", change.id);
  call.audit("payload_hash", change.payload_hash);
  return Reply::json(show_change(change, Detail::whole, call.href_base()));
}

std::string text_of(const Call& call, const char* name) {
  if (!call.body().is_object()) return "";
  return call.body().value(name, "");
}

Json note(const Change& change, const Call& call) {
  return {{"change", change.id},
          {"by", call.caller().account_id},
          {"payloadHash", change.payload_hash},
          {"status", std::string(state_name(change.state))}};
}

Result<Reply> approve_change(ChangeService&, Call& call) {
  return decide(call, [&call](Change& change) -> Result<void> {
    TRY(approve(change, actor_of(call.caller()), text_of(call, "payload_hash"),
                text_of(call, "comment"), now_of(call)));
    call.emit("change.approved", note(change, call));
    return {};
  });
}

Result<Reply> reject_change(ChangeService&, Call& call) {
  return decide(call, [&call](Change& change) -> Result<void> {
    const std::string why = text_of(call, "comment") + text_of(call, "reason");
    TRY(reject(change, actor_of(call.caller()), why, now_of(call)));
    return announce(call, change);
  });
}

// Who asked for it takes it back; who may approve it may do so as well.
Result<Reply> cancel_change(ChangeService& service, Call& call) {
  return decide(call, [&](Change& change) -> Result<void> {
    const bool is_own = change.requester_id == call.caller().account_id;
    if (!is_own && !TRY(has_right(service, call, kApprove, change)))
      return Error{Code::permission_denied, "only who asked for a change cancels it",
                   "change_not_yours"};
    const std::string why = text_of(call, "comment") + text_of(call, "reason");
    TRY(cancel(change, actor_of(call.caller()), why, now_of(call)));
    return announce(call, change);
  });
}

Result<void> replace_payload(Change& change, Call& call) {
  const Json& wanted = call.body()["body"];
  Json payload = TRY(base::parse_json(change.payload, {.bytes_max = 16 << 20}));
  std::string hash;
  if (change.kind == PayloadKind::event) {
    payload = wanted;
    hash = hash_of(Json{{"event", change.event_name}, {"payload", payload}});
  } else {
    payload["body"] = wanted;
    payload["raw"] = base::dump_json(wanted);
    hash = hash_of(payload);
    payload["hash"] = hash;
  }
  return amend(change, actor_of(call.caller()), base::dump_json(payload), hash, now_of(call));
}

Result<Reply> amend_change(ChangeService& service, Call& call) {
  return decide(call, [&](Change& change) -> Result<void> {
    const bool is_own = change.requester_id == call.caller().account_id;
    if (!is_own && !TRY(has_right(service, call, kApprove, change)))
      return Error{Code::permission_denied,
                   "only who asked for a change, or may approve it, amends it", "change_not_yours"};
    TRY(replace_payload(change, call));
    call.emit("change.amended", note(change, call));
    return {};
  });
}

Result<Reply> schedule_change(ChangeService& service, Call& call) {
  return decide(call, [&](Change& change) -> Result<void> {
    const bool is_own = change.requester_id == call.caller().account_id;
    if (!is_own && !TRY(has_right(service, call, kApprove, change)))
      return Error{Code::permission_denied,
                   "only who asked for a change, or may approve it, schedules it",
                   "change_not_yours"};
    auto time = parse_time(call.body()["schedule"]);
    if (!time)
      return Error{Code::invalid_argument, time.error().detail, "field_invalid", 0, "/schedule"};
    TRY(schedule(change, *time, now_of(call)));
    call.emit("change.scheduled", note(change, call));
    return {};
  });
}

Result<Reply> override_change(ChangeService&, Call& call) {
  return decide(call, [&call](Change& change) -> Result<void> {
    TRY(override_freeze(change, actor_of(call.caller()), now_of(call)));
    call.emit("change.freeze_overridden", note(change, call));
    return {};
  });
}

Result<Reply> delete_change(ChangeService&, Call& call) {
  const Versioned found = TRY(load_versioned(call.read(), call.parameter("id")));
  TRY(call.check_version(found.version));
  if (!has_ended(found.change.state))
    return Error{Code::failed_precondition, "the change is open; cancel it first",
                 "change_state_forbids"};
  TRY(save_change(call.write(), found.change, 0));
  TRY(call.write().remove(kChanges, found.change.id));
  return Reply::no_content();
}

// ---- handlers and freezes

Result<void> touch_rules(Call& call) {
  TRY(call.write().put(kRules, "rules", "rules"));
  return {};
}

Result<Reply> list_handlers(ChangeService& service, Call& call) {
  Json list = Json::array();
  const auto all = TRY(service.rules(call.read()));
  for (const Handler& handler : all->handlers) {
    const auto org = TRY(service.host().orgs().find_id(call.read(), handler.org_id));
    if (org && is_below(org->fqon, call.org().fqon)) list.push_back(show_handler(handler));
  }
  return Reply::json(list);
}

Result<Reply> get_handler(ChangeService&, Call& call) {
  const Handler handler = TRY(find_handler(call));
  return Reply::json(show_handler(handler));
}

Result<Reply> create_handler(ChangeService& service, Call& call) {
  Handler handler = TRY(read_handler(call.body()));
  const auto all = TRY(service.rules(call.read()));
  if (all->handlers.size() >= kHandlersMax)
    return Error{Code::failed_precondition, "there are 1000 handlers", "too_many_handlers"};
  if (handler.adapter != "native") TRY(service.make_adapter(handler.adapter));
  handler.id = call.new_id();
  handler.org_id = call.org().id;
  handler.created_ms = now_of(call);
  TRY(call.write().put(kHandlers, handler.id, format_handler(handler), store::kMustBeNew));
  TRY(touch_rules(call));
  call.emit("change.handler.created", show_handler(handler));
  return Reply::created(call.href_base() + "/handlers/" + handler.id, show_handler(handler));
}

Result<Reply> delete_handler(ChangeService&, Call& call) {
  TRY(call.write().remove(kHandlers, call.parameter("id")));
  TRY(touch_rules(call));
  call.emit("change.handler.deleted", Json{{"id", call.parameter("id")}});
  return Reply::no_content();
}

Result<Reply> list_freezes(ChangeService& service, Call& call) {
  Json list = Json::array();
  const auto all = TRY(service.rules(call.read()));
  for (const Freeze& freeze : all->freezes) {
    const auto org = TRY(service.host().orgs().find_id(call.read(), freeze.org_id));
    if (org && is_below(org->fqon, call.org().fqon)) list.push_back(show_freeze(freeze));
  }
  return Reply::json(list);
}

Result<Reply> create_freeze(ChangeService& service, Call& call) {
  Freeze freeze = TRY(read_freeze(call.body()));
  const auto all = TRY(service.rules(call.read()));
  if (all->freezes.size() >= kFreezesMax)
    return Error{Code::failed_precondition, "there are 1000 freezes", "too_many_freezes"};
  freeze.id = call.new_id();
  freeze.org_id = call.org().id;
  TRY(call.write().put(kFreezes, freeze.id, format_freeze(freeze), store::kMustBeNew));
  TRY(touch_rules(call));
  call.emit("change.freeze.created", show_freeze(freeze));
  return Reply::created(call.href_base() + "/freezes/" + freeze.id, show_freeze(freeze));
}

Result<Reply> delete_freeze(ChangeService&, Call& call) {
  TRY(call.write().remove(kFreezes, call.parameter("id")));
  TRY(touch_rules(call));
  call.emit("change.freeze.deleted", Json{{"id", call.parameter("id")}});
  return Reply::no_content();
}

using rest::Method;

constexpr Action<ChangeService> kActions[] = {
    {Method::get,
     "/changes",
     "change.list",
     kView,
     Kind::query,
     list_changes,
     "Changes of the caller's organisation and those below",
     {.flags = kOnWorker, .reply = reply::kChanges, .resolve = own_org}},
    {Method::post,
     "/changes",
     "change.create",
     right("change:create"),
     Kind::mutation,
     create_change,
     "Holds an event until it is approved",
     {.flags = kUngated, .body = kNewChange, .reply = reply::kChange, .resolve = of_body}},
    {Method::get,
     "/orgs/{org}/changes",
     "change.list",
     kView,
     Kind::query,
     list_changes,
     "Changes of an organisation and those below",
     {.flags = kOnWorker, .reply = reply::kChanges}},
    {Method::get,
     "/changes/{id}",
     "change.view",
     authenticated(),
     Kind::query,
     get_change,
     "One change with its payload",
     {.reply = reply::kChange}},
    {Method::get,
     "/changes/{id}/diff",
     "change.diff",
     kView,
     Kind::query,
     diff_change,
     "What amendments changed",
     {.reply = reply::kDiff, .resolve = of_change}},
    {Method::del,
     "/changes/{id}",
     "change.delete",
     kManage,
     Kind::mutation,
     delete_change,
     "Removes a change that has ended",
     {.flags = kUngated, .resolve = of_change}},
    {Method::post,
     "/changes/{id}/approve",
     "change.approve",
     kApprove,
     Kind::mutation,
     approve_change,
     "Approves what the payload hash names",
     {.flags = kUngated, .body = kComment, .reply = reply::kChange, .resolve = of_change}},
    {Method::post,
     "/changes/{id}/reject",
     "change.reject",
     kApprove,
     Kind::mutation,
     reject_change,
     "Refuses a change",
     {.flags = kUngated, .body = kComment, .reply = reply::kChange, .resolve = of_change}},
    {Method::post,
     "/changes/{id}/amend",
     "change.amend",
     authenticated(),
     Kind::mutation,
     amend_change,
     "Replaces the body; approvals begin anew",
     {.flags = kUngated, .body = kAmend, .reply = reply::kChange, .resolve = of_change}},
    {Method::post,
     "/changes/{id}/schedule",
     "change.schedule",
     authenticated(),
     Kind::mutation,
     schedule_change,
     "Not before this time",
     {.flags = kUngated, .body = kSchedule, .reply = reply::kChange, .resolve = of_change}},
    {Method::post,
     "/changes/{id}/cancel",
     "change.cancel",
     authenticated(),
     Kind::mutation,
     cancel_change,
     "Takes a change back",
     {.flags = kUngated, .body = kComment, .reply = reply::kChange, .resolve = of_change}},
    {Method::post,
     "/changes/{id}/override",
     "change.override",
     kOverride,
     Kind::mutation,
     override_change,
     "Lets an urgent change through a freeze",
     {.flags = kUngated, .body = kComment, .reply = reply::kChange, .resolve = of_change}},
    {Method::get,
     "/handlers",
     "change.handler.list",
     kView,
     Kind::query,
     list_handlers,
     "Which calls are held",
     {.reply = reply::kHandlers, .resolve = own_org}},
    {Method::post,
     "/handlers",
     "change.handler.create",
     kManage,
     Kind::mutation,
     create_handler,
     "Holds calls that match",
     {.flags = kUngated, .reply = reply::kHandler, .resolve = of_body}},
    {Method::get,
     "/handlers/{id}",
     "change.handler.view",
     kView,
     Kind::query,
     get_handler,
     "One handler",
     {.reply = reply::kHandler, .resolve = of_handler}},
    {Method::del,
     "/handlers/{id}",
     "change.handler.delete",
     kManage,
     Kind::mutation,
     delete_handler,
     "Holds them no longer",
     {.resolve = of_handler}},
    {Method::get,
     "/freezes",
     "change.freeze.list",
     kView,
     Kind::query,
     list_freezes,
     "When nothing goes out",
     {.reply = reply::kFreezes, .resolve = own_org}},
    {Method::post,
     "/freezes",
     "change.freeze.create",
     kManage,
     Kind::mutation,
     create_freeze,
     "Freezes changes for a time",
     {.flags = kUngated, .reply = reply::kFreeze, .resolve = of_body}},
    {Method::del,
     "/freezes/{id}",
     "change.freeze.delete",
     kManage,
     Kind::mutation,
     delete_freeze,
     "Ends a freeze",
     {.resolve = of_freeze}},
};

}  // namespace

void ChangeService::actions(ActionTable& table) { table.add(kActions, *this); }

}  // namespace services::change

// SPDX-License-Identifier: Apache-2.0
#include "services/framework/pipeline.h"

#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "common/base/object_text.h"
#include "common/base/text.h"
#include "services/framework/dialect.h"
#include "services/framework/task_row.h"

namespace services {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::string_view kDryRunDone = "dryrun_done";  // ends a dry run's transaction; never told
constexpr int kRaceRetriesMax = 3;

bool is_host(std::string_view text) {
  return !text.empty() && text.size() < 256 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == ':' || c == '[' || c == ']';
  });
}

std::string href_base_of(const HostOptions& options, const ActionRow& row,
                         const rest::Request& request) {
  if (!options.external_url.empty()) return options.external_url + row.mount;
  const auto host = request.find_header("host");
  return "http://" + (host && is_host(*host) ? std::string(*host) : std::string("localhost")) +
         row.mount;
}

bool looks_like_id(std::string_view text) {
  return text.size() == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-';
}

Error needs_credentials() {
  return Error{Code::unauthenticated, "this needs credentials", "credentials_missing"};
}

bool prefers_async(const rest::Request& request) {
  const auto prefer = request.find_header("prefer");
  return prefer && prefer->find("respond-async") != std::string_view::npos;
}

// With three decimals.
std::string milliseconds_text(base::Duration duration) {
  std::string digits = std::to_string(
      std::max(std::int64_t{0}, std::int64_t{duration / std::chrono::microseconds(1)}));
  if (digits.size() < 4) digits.insert(0, 4 - digits.size(), '0');
  return digits.insert(digits.size() - 3, 1, '.');
}

Result<Json> parse_form(std::string_view text) {
  Json fields = Json::object();
  for (auto& [name, value] : TRY(rest::parse_query(text))) {
    if (!fields.contains(name)) fields[name] = std::move(value);
  }
  return fields;
}

// A list as JSON text; ids have nothing in them that would have to be escaped.
std::string ids_of(const std::vector<PendingEvent>& events) {
  std::string text = "[";
  for (const PendingEvent& event : events) {
    if (text.size() > 1) text += ',';
    text += '"' + event.id + '"';
  }
  return text += ']';
}

}  // namespace

Pipeline::Pipeline(RunningHost& host, std::size_t row_index, const rest::Request& request)
    : host_(host),
      index_(row_index),
      row_(host.rows_[row_index]),
      request_(request),
      call_(host),
      state_(call_.state()),
      started_(host.clock().now()) {
  state_.request = &request;
  state_.row = &row_;
  state_.now = host.clock().wall();
}

rest::Response Pipeline::run() {
  state_.href_base = href_base_of(host_.options_, row_, request_);
  return told(finish(go()));
}

rest::Response Pipeline::run_as(CallerPtr caller, std::string href_base) {
  trusted_ = true;
  state_.caller = std::move(caller);
  state_.href_base = std::move(href_base);
  state_.released = true;
  return told(finish(go()));
}

rest::Response Pipeline::told(rest::Response reply) const {
  if (host_.reply_watcher_) host_.reply_watcher_(row_, request_, reply);
  return reply;
}

Result<Reply> Pipeline::go() {
  TRY(look_at_flags());
  // Parsed outside of any snapshot; what is wrong is told after the authorisation only.
  const Result<void> parsed = parse_body();
  if (!parsed) body_error_ = parsed.error();
  return row_.kind == Kind::query ? query() : mutate();
}

Result<void> Pipeline::look_at_flags() {
  state_.explaining = TRY(request_.query_flag("explain"));
  if (row_.is_mutation()) state_.dryrun = TRY(request_.query_flag("dryrun"));
  return {};
}

Result<void> Pipeline::parse_body() {
  if (row_.has(kRawBody) || request_.body.empty()) return {};
  const std::string_view type = request_.find_header("content-type").value_or("");
  if (row_.has(kForm) && type.starts_with("application/x-www-form-urlencoded")) {
    *state_.body = TRY(parse_form(request_.body));
    return {};
  }
  *state_.body = TRY(base::parse_json(request_.body, {.bytes_max = row_.body_max}));
  return {};
}

Result<void> Pipeline::authenticate(store::Reader& reader) {
  if (trusted_) {
    if (call_.caller().is_internal() || host_.renewal_ == nullptr) return {};
    // Between the hold and the release rights may have been taken away.
    state_.caller = TRY(host_.renewal_->renew(reader, call_.caller()));
    return {};
  }
  const std::string_view shown = request_.find_header("authorization").value_or("");
  Presented presented{shown, std::nullopt};
  if (shown.empty() && request_.principal.name.starts_with("uid:")) {
    const auto uid = base::parse_int(request_.principal.name.substr(4), 0, UINT32_MAX);
    if (uid) presented.peer_uid = static_cast<uid_t>(*uid);
  }
  const bool nothing_shown = shown.empty() && !presented.peer_uid;
  if (nothing_shown || host_.identity_ == nullptr) {
    if (row_.access.kind() == Access::Kind::anonymous) return {};
    return needs_credentials();
  }
  Result<CallerPtr> caller = host_.identity_->authenticate(reader, presented);
  if (caller) {
    state_.caller = *std::move(caller);
    return host_.count_call(call_.caller(), wait_);
  }
  // Some anonymous routes take other credentials in the same header, for instance a client's.
  if (row_.access.kind() == Access::Kind::anonymous) return {};
  return std::move(caller).error();
}

Result<void> Pipeline::resolve(store::Reader& reader) {
  const auto org = request_.path_parameters.find("org");
  if (org != request_.path_parameters.end()) {
    const auto found = looks_like_id(org->second)
                           ? TRY(host_.orgs().find_id(reader, org->second))
                           : TRY(host_.orgs().find_fqon(reader, org->second));
    if (!found) {
      if (call_.caller().is_anonymous() && row_.access.kind() != Access::Kind::anonymous) {
        return needs_credentials();
      }
      return Error{Code::not_found, "there is no organisation '" + org->second + "'",
                   "org_unknown"};
    }
    state_.target.org = *found;
  }
  if (!row_.resolve) return {};
  const Org by_path = state_.target.org;
  state_.target = TRY(row_.resolve(call_));
  if (state_.target.org.id.empty()) state_.target.org = by_path;
  return {};
}

Result<void> Pipeline::authorise(store::Reader& reader) {
  const std::string& named = call_.target().action;
  const bool is_named = row_.access.kind() == Access::Kind::entitlement && !named.empty();
  const Access access = is_named ? entitlement(named) : row_.access;
  if (access.kind() == Access::Kind::anonymous || call_.caller().is_internal()) return {};
  if (call_.caller().is_anonymous()) return needs_credentials();
  if (access.kind() == Access::Kind::authenticated) return {};
  const Question question{call_.caller(), access, call_.action_name(), call_.target()};
  const Decision decision = TRY(host_.authorizer(access.kind()).decide(reader, question, call_));
  call_.explain("authorise", Json{{"access", std::string(access.name())},
                                  {"allowed", decision.allowed},
                                  {"because", decision.because}});
  if (decision.allowed) return {};
  std::string detail = "this needs the ";
  detail += access.kind() == Access::Kind::right ? "right '" : "entitlement '";
  detail += std::string(access.name()) + "'";
  if (!decision.because.empty()) detail += ": " + decision.because;
  return Error{Code::permission_denied, detail,
               access.kind() == Access::Kind::right ? "right_missing" : "entitlement_missing"};
}

Result<void> Pipeline::validate() {
  if (body_error_) return *body_error_;
  const auto& schema = host_.row_schemas_[index_].body;
  if (!schema) return {};
  if (call_.body().is_null() && request_.body.empty()) {
    return Error{Code::invalid_argument, "a body is needed", "body_missing"};
  }
  return host_.schemas_.validate(*schema, call_.body());
}

Result<bool> Pipeline::admit(store::Reader& reader) {
  state_.reader = &reader;
  TRY(authenticate(reader));
  TRY(resolve(reader));
  TRY(authorise(reader));
  TRY(validate());
  if (row_.kind == Kind::query) return false;
  // A released call brings the key of what held it, so that it runs once whatever dies meanwhile.
  if (!state_.dryrun && (!trusted_ || request_.find_header("idempotency-key"))) {
    key_ = TRY(read_idempotency_key(request_, call_.caller(), host_.reply_key_));
    if (key_) state_.once = key_->id + key_->request;
    if (key_) reply_ = TRY(find_reply(reader, *key_, call_.now()));
    if (reply_) return true;
  }
  if (host_.policy_ != nullptr) TRY(host_.policy_->limits(call_));
  return false;
}

Result<Reply> Pipeline::query() {
  std::optional<Reply> reply;
  const bool splits = static_cast<bool>(row_.prepare);
  if (Result<void> outcome = host_.store().read([&](store::Reader& reader) -> Result<void> {
        TRY(admit(reader));
        if (!splits) reply = TRY(row_.handle(call_));
        return {};
      });
      !outcome) {
    return std::move(outcome).error();
  }
  if (splits) {
    state_.reader = nullptr;
    TRY(row_.prepare(call_));
    if (Result<void> outcome = host_.store().read([&](store::Reader& reader) -> Result<void> {
          state_.reader = &reader;
          TRY(authorise(reader));
          reply = TRY(row_.handle(call_));
          return {};
        });
        !outcome) {
      return std::move(outcome).error();
    }
  }
  return *std::move(reply);
}

Result<Reply> Pipeline::mutate() {
  bool answered = false;
  if (Result<void> outcome = host_.store().read([&](store::Reader& reader) -> Result<void> {
        answered = TRY(admit(reader));
        return {};
      });
      !outcome) {
    return std::move(outcome).error();
  }
  state_.reader = nullptr;
  if (answered) return *std::move(reply_);
  if (row_.has(kAsync) && !trusted_ && !state_.dryrun && prefers_async(request_)) {
    return begin_async();
  }
  if (host_.policy_ != nullptr && host_.policy_->concerns(call_.action_name())) {
    const bool suppress = TRY(host_.policy_->before(call_));
    TRY(validate());
    if (suppress) return suppressed();
  }
  if (row_.has(kBeside)) return execute_beside();
  if (row_.prepare) TRY(row_.prepare(call_));
  return execute();
}

// The receipt of a call whose handler a rule has suppressed.
Result<Reply> Pipeline::suppressed() {
  Reply reply;
  if (Result<void> outcome = host_.store().write([&](store::Writer& writer) -> Result<void> {
        state_.forget_effects();
        state_.reader = state_.writer = &writer;
        const std::string id = TRY(call_.task({.verb = call_.action_name(),
                                               .resource = row_.service,
                                               .message = "suppressed by a rule"},
                                              call_outline(call_.capture())));
        reply = TRY(call_.accepted(id));
        if (state_.dryrun) return Error{Code::internal, "rolled back", kDryRunDone};
        return record(writer, reply);
      });
      !outcome) {
    if (outcome.error().reason == kDryRunDone) return would(reply);
    return std::move(outcome).error();
  }
  after_commit();
  return reply;
}

Result<Reply> Pipeline::begin_async() {
  Reply reply;
  if (Result<void> outcome = host_.store().write([&](store::Writer& writer) -> Result<void> {
        state_.forget_effects();
        state_.reader = state_.writer = &writer;
        // The runner performs the call as one that was released: the gate is asked here.
        const auto held = host_.gate_ != nullptr && !row_.has(kUngated)
                              ? TRY(host_.gate_->hold(call_))
                              : std::optional<Reply>();
        if (held) {
          reply = *held;
          return record(writer, reply);
        }
        const std::string id = TRY(call_.task({.verb = call_.action_name(),
                                               .resource = row_.service,
                                               .runner = std::string(kPerformRunner)},
                                              call_.capture()));
        reply = TRY(call_.accepted(id));
        return record(writer, reply);
      });
      !outcome) {
    return std::move(outcome).error();
  }
  after_commit();
  return reply;
}

Result<Reply> Pipeline::act(store::Writer& writer) {
  state_.forget_effects();
  state_.reader = state_.writer = &writer;
  // What was decided before a long preparation may not be true any more.
  if (row_.prepare) TRY(authorise(writer));
  if (host_.policy_ != nullptr) TRY(host_.policy_->limits(call_));
  if (host_.gate_ != nullptr && !row_.has(kUngated) && !state_.released) {
    const auto held = TRY(host_.gate_->hold(call_));
    if (held) return *held;
  }
  Reply reply = TRY(row_.handle(call_));
  if (host_.policy_ != nullptr && host_.policy_->concerns(call_.action_name())) {
    TRY(host_.policy_->after(call_, reply));
  }
  return reply;
}

Result<void> Pipeline::record(store::Writer& writer, const Reply& reply) {
  OutboxRow row;
  const std::string time = base::format_time(call_.now());
  for (PendingEvent& event : state_.events) {
    row.events.push_back({0, event.id, event.name, time, call_.org().id, call_.org().fqon,
                          call_.caller().account_id, request_.id, event.payload});
  }
  if (!row_.has(kUnaudited)) row.audit = audit_text("done", reply.status, nullptr);
  if (!row.audit.empty() || !row.events.empty()) TRY(put_outbox(writer, std::move(row)));
  if (key_) TRY(save_reply(writer, *key_, reply, call_.now(), host_.rng()));
  return {};
}

Result<Reply> Pipeline::execute() {
  Reply reply;
  for (int tries = 0;; ++tries) {
    const Result<void> done = host_.store().write([&](store::Writer& writer) -> Result<void> {
      reply = TRY(act(writer));
      if (state_.dryrun) return Error{Code::internal, "rolled back", kDryRunDone};
      return record(writer, reply);
    });
    state_.reader = state_.writer = nullptr;
    if (done) break;
    if (done.error().reason == kDryRunDone) return would(reply);
    if (done.error().reason == "idempotency_raced" && tries < kRaceRetriesMax) {
      if (auto earlier = TRY(earlier_reply())) return *std::move(earlier);
      continue;
    }
    return done.error();
  }
  after_commit();
  return reply;
}

// Nothing is written but what the gate, a rule, the audit log or an Idempotency-Key asks for: a
// call that none of them concerns costs no commit. When the process dies before its reply is kept,
// the call comes again under the same ids.
Result<Reply> Pipeline::execute_beside() {
  if (auto held = TRY(hold_beside())) return *std::move(held);
  Reply reply;
  const auto handle = [&](store::Reader& reader) -> Result<void> {
    state_.reader = &reader;
    reply = TRY(row_.handle(call_));
    return {};
  };
  TRY(host_.store().read(handle));
  state_.reader = nullptr;
  if (reply.status >= 300) return reply;
  if (state_.dryrun) return would_beside(reply);
  const bool is_ruled = host_.policy_ != nullptr && host_.policy_->concerns(row_.name);
  if (!is_ruled && !key_ && row_.has(kUnaudited)) return reply;
  const auto keep = [&](store::Writer& writer) -> Result<void> {
    state_.forget_effects();
    state_.reader = state_.writer = &writer;
    if (is_ruled) TRY(host_.policy_->after(call_, reply));
    return record(writer, reply);
  };
  const Result<void> kept = host_.store().write(keep);
  if (!kept && kept.error().reason == "idempotency_raced") {
    if (auto earlier = TRY(earlier_reply())) return *std::move(earlier);
  }
  TRY(kept);
  after_commit();
  return reply;
}

// The gate's answer, if it holds the call; what a dry run would be told.
Result<std::optional<Reply>> Pipeline::hold_beside() {
  if (host_.gate_ == nullptr || row_.has(kUngated) || state_.released)
    return std::optional<Reply>();
  bool may_hold = false;
  const auto ask = [&](store::Reader& reader) -> Result<void> {
    state_.reader = &reader;
    may_hold = TRY(host_.gate_->may_hold(call_));
    return {};
  };
  TRY(host_.store().read(ask));
  state_.reader = nullptr;
  if (!may_hold) return std::optional<Reply>();
  std::optional<Reply> held;
  const auto hold = [&](store::Writer& writer) -> Result<void> {
    state_.forget_effects();
    state_.reader = state_.writer = &writer;
    held = TRY(host_.gate_->hold(call_));
    if (state_.dryrun) return Error{Code::internal, "rolled back", kDryRunDone};
    return held ? record(writer, *held) : Result<void>();
  };
  const Result<void> done = host_.store().write(hold);
  state_.reader = state_.writer = nullptr;
  if (!done && done.error().reason != kDryRunDone) return done.error();
  if (!held) return held;
  if (state_.dryrun) return std::optional(would_beside(*held));
  after_commit();
  return held;
}

Result<std::optional<Reply>> Pipeline::earlier_reply() {
  std::optional<Reply> earlier;
  const auto find = [&](store::Reader& reader) -> Result<void> {
    earlier = TRY(find_reply(reader, *key_, call_.now()));
    return {};
  };
  TRY(host_.store().read(find));
  return earlier;
}

Reply Pipeline::would(const Reply& reply) const {
  const Json parsed = Json::parse(reply.body, nullptr, false);
  Json would = {{"status", reply.status},
                {"body", parsed.is_discarded() ? Json(reply.body) : parsed},
                {"audit", *state_.audit},
                {"tasks", state_.started_tasks}};
  would["events"] = Json::array();
  for (const PendingEvent& event : state_.events) {
    would["events"].push_back(
        {{"name", event.name}, {"payload", Json::parse(event.payload, nullptr, false)}});
  }
  return Reply::json(Json{{"dryrun", true}, {"would", std::move(would)}});
}

// Of a row that has no transaction to roll back: its handler may have said itself what would be.
Reply Pipeline::would_beside(const Reply& reply) {
  const Json parsed = Json::parse(reply.body, nullptr, false);
  if (parsed.is_object() && parsed.contains("dryrun")) return Reply::json(parsed);
  const Json body = parsed.is_discarded() ? Json(reply.body) : parsed;
  return Reply::json({{"dryrun", true}, {"would", {{"status", reply.status}, {"body", body}}}});
}

std::string Pipeline::audit_text(std::string_view outcome, int status, const Error* error) const {
  const Caller& who = call_.caller();
  base::ObjectText out;
  out.text("account", who.account_id)
      .text("action", call_.action_name())
      .text("credential", credential_name(who.credential))
      .text("credential_id", who.credential_id);
  if (!state_.events.empty()) out.raw("events", ids_of(state_.events));
  out.text("method", rest::method_name(request_.method));
  if (!state_.audit->empty()) out.value("more", *state_.audit);
  out.text("name", who.name);
  if (!who.on_behalf.empty()) out.value("on_behalf", Json(who.on_behalf));
  out.text("org", call_.org().id)
      .text("outcome", outcome)
      .text("path", request_.path)
      .text("peer", request_.peer);
  if (error != nullptr) out.text("reason", error->reason);
  if (state_.released) out.flag("released", true);
  out.text("request", request_.id)
      .text("resource", call_.target().resource_id)
      .text("service", row_.service)
      .number("status", status);
  if (!state_.started_tasks.empty()) out.value("tasks", Json(state_.started_tasks));
  out.text("time", base::format_time(call_.now()));
  if (const auto trace = request_.find_header("traceparent")) out.text("trace", *trace);
  return out.take();
}

void Pipeline::after_commit() {
  state_.reader = state_.writer = nullptr;
  host_.dispatcher_.wake();
  std::vector<std::string> tasks = std::move(state_.started_tasks);
  tasks.insert(tasks.end(), state_.changed_tasks.begin(), state_.changed_tasks.end());
  if (!tasks.empty()) host_.note_tasks(std::move(tasks));
}

// Who asks for an explanation gets an object: what is none stands in it as "result".
void Pipeline::add_explanation(rest::Response& reply) const {
  if (!state_.explaining || reply.stream || reply.status == 304) return;
  Json body = reply.body.empty() ? Json() : Json::parse(reply.body, nullptr, false);
  if (body.is_discarded() || (body.is_object() && body.contains("explain"))) return;
  if (!body.is_object()) body = Json{{"result", std::move(body)}};
  body["explain"] = *state_.explained;
  if (reply.status == 204) reply.status = 200;
  reply.headers.emplace("Content-Type", "application/json");
  reply.body = base::dump_json(body);
}

// Somebody was refused something, by his rights or by a rule: the audit log has it.
bool Pipeline::is_refusal(const Error& error) const {
  if (error.code == Code::permission_denied || error.reason == "policy_denied") return true;
  // Credentials that serve for nothing; a call without any is a stranger's.
  return error.code == Code::unauthenticated && request_.find_header("authorization").has_value();
}

rest::Response Pipeline::finish(Result<Reply> outcome) {
  rest::Response reply;
  if (outcome) {
    reply = *std::move(outcome);
    if (state_.version) reply.headers.emplace("ETag", rest::make_etag(*state_.version));
    if (state_.version && request_.method == rest::Method::get &&
        request_.find_header("if-none-match") == reply.headers["ETag"]) {
      reply.status = 304;
      reply.body.clear();
    }
  } else {
    const Error& error = outcome.error();
    if (error.code == Code::internal || error.code == Code::corrupt) {
      base::log::failure("SERVICE_CALL_FAILED", "a call failed, answered 500",
                         {{"request", request_.id}, {"action", row_.name}}, error);
    }
    reply = render_error(host_.dialect_of(row_.mount), error, request_);
    if (wait_.count() > 0) {
      const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait_);
      reply.headers["Retry-After"] = std::to_string(seconds.count());
    }
    if (is_refusal(error)) {
      host_.note_denied(audit_text("denied", reply.status, &error),
                        call_.caller().is_anonymous() ? RunningHost::Refused::stranger
                                                      : RunningHost::Refused::known);
    }
  }
  add_explanation(reply);
  host_.add_cors(request_, reply);
  reply.headers["Request-Time"] = milliseconds_text(host_.clock().now() - started_);
  return reply;
}

}  // namespace services

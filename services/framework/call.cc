// SPDX-License-Identifier: Apache-2.0
#include "services/framework/call.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/check.h"
#include "common/sys/tls.h"
#include "services/framework/action.h"
#include "services/framework/call_state.h"
#include "services/framework/host.h"
#include "services/framework/task_row.h"

namespace services {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

Call::State::State(Host& owner)
    : host(owner),
      caller(anonymous_caller()),
      body(std::make_unique<Json>()),
      audit(std::make_unique<Json>(Json::object())),
      explained(std::make_unique<Json>(Json::array())) {}
Call::State::~State() = default;

void Call::State::forget_effects() {
  events.clear();
  *audit = Json::object();
  started_tasks.clear();
  changed_tasks.clear();
  version.reset();
}

Call::Call(Host& host) : state_(std::make_unique<State>(host)) {}
Call::~Call() = default;

const rest::Request& Call::request() const {
  CHECK_THAT(state_->request != nullptr);
  return *state_->request;
}
const std::string& Call::parameter(std::string_view name) const {
  return request().parameter(name);
}
std::optional<std::string> Call::query(std::string_view name) const {
  return request().find_query(name);
}
Result<bool> Call::flag(std::string_view name) const { return request().query_flag(name); }
const Json& Call::body() const { return *state_->body; }
Json& Call::mutable_body() { return *state_->body; }
const ActionRow& Call::action() const {
  CHECK_THAT(state_->row != nullptr);
  return *state_->row;
}
const std::string& Call::href_base() const { return state_->href_base; }

const Caller& Call::caller() const { return *state_->caller; }
CallerPtr Call::caller_ptr() const { return state_->caller; }
const std::string& Call::action_name() const {
  return target().action.empty() ? action().name : target().action;
}
const Target& Call::target() const { return state_->target; }
base::WallTime Call::now() const { return state_->now; }
std::string Call::new_id() { return state_->host.rng().uuid_at(now()); }
const std::string& Call::id() const { return request().id; }

store::Reader& Call::read() {
  CHECK_THAT(state_->reader != nullptr);
  return *state_->reader;
}
store::Writer& Call::write() {
  CHECK_THAT(state_->writer != nullptr);
  return *state_->writer;
}

void Call::emit(std::string_view name, Json payload) { emit_text(name, base::dump_json(payload)); }
void Call::emit_text(std::string_view name, std::string payload) {
  state_->events.push_back({new_id(), std::string(name), std::move(payload)});
}
void Call::audit(std::string_view key, Json value) {
  (*state_->audit)[std::string(key)] = std::move(value);
}

Result<void> Call::check_version(std::uint64_t version) {
  TRY(rest::check_if_match(request(), version));
  state_->version = version;
  return {};
}

void Call::keep(std::any value) { state_->kept = std::move(value); }
std::any& Call::kept_any() { return state_->kept; }

bool Call::dryrun() const { return state_->dryrun; }
bool Call::explaining() const { return state_->explaining; }
void Call::explain(std::string_view stage, Json detail) {
  if (!state_->explaining) return;
  state_->explained->push_back(Json{{"stage", std::string(stage)}, {"detail", std::move(detail)}});
}

Host& Call::host() { return state_->host; }

// ---- tasks: rows of the call's own transaction

namespace {

constexpr std::size_t kInputBytesMax = 4 << 20;

// "http://host/meta" → "http://host/task", where every task is to be found.
std::string task_base(const std::string& href_base) {
  const std::size_t slash = href_base.rfind('/');
  return href_base.substr(0, slash == std::string::npos ? 0 : slash) + "/task";
}

}  // namespace

Result<std::string> Call::task(TaskSpec spec, Json input) {
  TaskRow row;
  row.id = new_id();
  row.service = state_->row != nullptr ? state_->row->service : "";
  row.verb = std::move(spec.verb);
  row.resource = std::move(spec.resource);
  row.status = spec.start ? "scheduled" : std::move(spec.status);
  row.message = std::move(spec.message);
  row.owner = caller().account_id;
  row.owner_name = caller().name;
  row.org_id = org().id;
  row.org_fqon = org().fqon;
  row.runner = std::move(spec.runner);
  row.parent = spec.parent.empty() ? state_->parent_task : std::move(spec.parent);
  row.input = base::dump_json(input);
  row.created_ms = row.changed_ms = to_ms(now());
  row.due_ms = spec.start ? to_ms(*spec.start) : row.created_ms;
  row.deadline_ms = spec.deadline ? to_ms(*spec.deadline) : 0;
  row.retries_max = std::clamp(spec.retries_max, 0, 100);
  if (row.input.size() > kInputBytesMax) {
    return Error{Code::too_large, "the task's input is too large", "request_too_large"};
  }
  TRY(save_task(write(), row));
  state_->started_tasks.push_back(row.id);
  return row.id;
}

Result<void> Call::progress_task(const std::string& id, int percent, std::string message) {
  TaskRow row = TRY(load_task(write(), id));
  if (row.has_ended()) {
    return Error{Code::failed_precondition, "the task has ended: " + row.status, "task_ended"};
  }
  row.progress = std::clamp(percent, 0, 100);
  row.message = std::move(message);
  row.changed_ms = to_ms(now());
  if (row.status == "pending" || row.status == "scheduled") row.status = "running";
  TRY(save_task(write(), row));
  state_->changed_tasks.push_back(id);
  return {};
}

Result<void> Call::finish_task(const std::string& id, TaskEnd end) {
  TaskRow row = TRY(load_task(write(), id));
  TRY(end_task(row, end, now()));
  TRY(save_task(write(), row));
  state_->changed_tasks.push_back(id);
  return {};
}

void Call::note_task(std::string id) { state_->changed_tasks.push_back(std::move(id)); }

Result<Reply> Call::accepted(const std::string& task_id) {
  const TaskRow row = TRY(load_task(read(), task_id));
  const std::string base = task_base(href_base());
  return Reply::json(api_task(row, base), 202).with("Location", base + "/tasks/" + task_id);
}

std::string Call::once_id(std::size_t number) {
  if (state_->once.empty()) return new_id();
  // UUID version 8 (RFC 9562): its bits are the application's own.
  std::string id = sys::sha256_hex(state_->once + "/" + std::to_string(number)).substr(0, 32);
  id[12] = '8';
  id[16] = 'a';
  for (const std::size_t at : {20, 16, 12, 8}) id.insert(at, 1, '-');
  return id;
}

Json Call::capture() const {
  const rest::Request& from = request();
  Json query = Json::array();
  for (const auto& [name, value] : from.query) query.push_back({name, value});
  const Caller& who = caller();
  Json rights = Json::array();
  for (const Right& each : who.rights) rights.push_back({each.scope_id, each.name, each.value});
  Json captured = {{"method", std::string(rest::method_name(from.method))},
                   {"path", from.path},
                   {"query", std::move(query)},
                   {"body", body()},
                   {"raw", from.body},
                   {"content_type", std::string(from.find_header("content-type").value_or(""))},
                   {"href_base", href_base()},
                   {"action", action_name()},
                   {"org", {{"id", org().id}, {"fqon", org().fqon}}},
                   {"resource", target().resource_id},
                   {"caller",
                    {{"account_id", who.account_id},
                     {"name", who.name},
                     {"org_id", who.org_id},
                     {"groups", who.group_ids},
                     {"rights", std::move(rights)},
                     {"credential", std::string(credential_name(who.credential))},
                     {"credential_id", who.credential_id},
                     {"on_behalf", who.on_behalf},
                     {"scopes", who.scopes}}}};
  captured["hash"] = sys::sha256_hex(base::dump_json(captured));
  return captured;
}

}  // namespace services

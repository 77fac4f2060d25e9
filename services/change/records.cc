// SPDX-License-Identifier: Apache-2.0
#include "services/change/records.h"

#include <algorithm>
#include <array>
#include <utility>

#include "common/base/json.h"
#include "common/base/text.h"
#include "common/sys/tls.h"

namespace services::change {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

constexpr std::size_t kPayloadMax = 8 << 20;
constexpr std::size_t kTimeDigits = 20;
constexpr base::TextLimits kLong{.length_max = kPayloadMax};

// Members of a change that are kept as they are.
constexpr std::array<std::pair<const char*, std::string Change::*>, 22> kTexts{{
    {"id", &Change::id},
    {"status_text", &Change::status_text},
    {"org_id", &Change::org_id},
    {"org_fqon", &Change::org_fqon},
    {"requester_id", &Change::requester_id},
    {"requester_name", &Change::requester_name},
    {"action", &Change::action},
    {"service", &Change::service},
    {"handler_id", &Change::handler_id},
    {"adapter", &Change::adapter},
    {"external_id", &Change::external_id},
    {"reason", &Change::reason},
    {"payload", &Change::payload},
    {"original", &Change::original},
    {"payload_hash", &Change::payload_hash},
    {"event_name", &Change::event_name},
    {"task_id", &Change::task_id},
    {"decided_by", &Change::decided_by},
    {"override_by", &Change::override_by},
    {"result_message", &Change::result_message},
    {"result_link", &Change::result_link},
    {"external_state", &Change::external_state},
}};
constexpr std::array<std::pair<const char*, std::vector<std::string> Change::*>, 5> kLists{{
    {"on_behalf", &Change::on_behalf},
    {"dependencies", &Change::dependencies},
    {"amended_by", &Change::amended_by},
    {"approver_groups", &Change::approver_groups},
    {"also", &Change::also},
}};
constexpr std::array<std::pair<const char*, std::int64_t Change::*>, 8> kNumbers{{
    {"quorum", &Change::quorum},
    {"created_ms", &Change::created_ms},
    {"changed_ms", &Change::changed_ms},
    {"schedule_ms", &Change::schedule_ms},
    {"deadline_ms", &Change::deadline_ms},
    {"applied_ms", &Change::applied_ms},
    {"result_status", &Change::result_status},
    {"wake_ms", &Change::wake_ms},
}};

std::string wake_key(std::int64_t wake_ms, const std::string& id) {
  std::string digits = std::to_string(wake_ms);
  digits.insert(0, kTimeDigits - digits.size(), '0');
  return digits + "/" + id;
}

Json show_time(std::int64_t ms) {
  if (ms == 0) return nullptr;
  return base::format_time(base::WallTime(std::chrono::milliseconds(ms)));
}

bool is_secret(std::string_view name) {
  const std::string lower = base::lower(name);
  for (const char* word : {"password", "secret", "token", "credential", "private"})
    if (lower.find(word) != std::string::npos) return true;
  return false;
}

Result<std::vector<Approval>> read_approvals(const Json* list) {
  std::vector<Approval> approvals;
  if (list == nullptr) return approvals;
  for (const Json& each : *list) {
    Approval approval;
    base::Fields fields(each);
    fields.optional("account_id", approval.account_id);
    fields.optional("account_name", approval.account_name);
    fields.optional("time_ms", approval.time_ms);
    fields.optional("payload_hash", approval.payload_hash);
    fields.optional("comment", approval.comment);
    TRY(fields.finish(base::UnknownFields::ignore));
    approvals.push_back(std::move(approval));
  }
  return approvals;
}

Result<std::vector<std::string>> terms_of(std::string_view value, std::string Change::*member) {
  const Change change = TRY(parse_change(value));
  if ((change.*member).empty()) return std::vector<std::string>();
  return std::vector<std::string>{change.*member};
}

store::Index index_by(std::string name, std::string Change::*member) {
  return {std::move(name), [member](std::string_view, std::string_view value) {
            return terms_of(value, member).value_or({});
          }};
}

}  // namespace

std::vector<store::Collection> collections() {
  store::Index by_state{"state", [](std::string_view, std::string_view value) {
                          const auto change = parse_change(value);
                          if (!change) return std::vector<std::string>();
                          return std::vector<std::string>{std::string(state_name(change->state))};
                        }};
  return {{std::string(kChanges),
           {std::move(by_state), index_by("org", &Change::org_id),
            index_by("requester", &Change::requester_id), index_by("task", &Change::task_id)}},
          {std::string(kWakeups)},
          {std::string(kHandlers)},
          {std::string(kFreezes)},
          {std::string(kRules)}};
}

std::string format_change(const Change& change) {
  Json json = {{"state", std::string(state_name(change.state))},
               {"kind", change.kind == PayloadKind::call ? "call" : "event"},
               {"overrides_freeze", change.overrides_freeze}};
  for (const auto& [name, member] : kTexts) json[name] = change.*member;
  for (const auto& [name, member] : kLists) json[name] = change.*member;
  for (const auto& [name, member] : kNumbers) json[name] = change.*member;
  Json approvals = Json::array();
  for (const Approval& each : change.approvals)
    approvals.push_back({{"account_id", each.account_id},
                         {"account_name", each.account_name},
                         {"time_ms", each.time_ms},
                         {"payload_hash", each.payload_hash},
                         {"comment", each.comment}});
  json["approvals"] = std::move(approvals);
  return base::dump_json(json);
}

Result<Change> parse_change(std::string_view text) {
  const Error unreadable{Code::corrupt, "a change's record is damaged", "change_unreadable"};
  const auto json = base::parse_json(text, {.bytes_max = 2 * kPayloadMax});
  if (!json) return unreadable;
  Change change;
  std::string state;
  std::string kind;
  base::Fields fields(*json);
  fields.required("state", state);
  fields.required("kind", kind);
  fields.optional("overrides_freeze", change.overrides_freeze);
  for (const auto& [name, member] : kTexts) fields.optional(name, change.*member, kLong);
  for (const auto& [name, member] : kLists) fields.optional(name, change.*member);
  for (const auto& [name, member] : kNumbers) fields.optional(name, change.*member);
  const Json* approvals = fields.find_array("approvals");
  if (!fields.finish(base::UnknownFields::ignore)) return unreadable;
  const auto found = find_state(state);
  if (!found) return unreadable;
  change.state = *found;
  change.kind = kind == "event" ? PayloadKind::event : PayloadKind::call;
  change.approvals = TRY(read_approvals(approvals));
  return change;
}

Result<Versioned> load_versioned(store::Reader& reader, std::string_view id) {
  const Error unknown{Code::not_found, "there is no change " + std::string(id), "change_unknown"};
  if (id.empty() || id.size() > 64) return unknown;
  const auto record = TRY(reader.find(kChanges, id));
  if (!record) return unknown;
  Change change = TRY(parse_change(record->value));
  return Versioned{std::move(change), record->version};
}

Result<Change> load_change(store::Reader& reader, std::string_view id) {
  Versioned found = TRY(load_versioned(reader, id));
  return std::move(found.change);
}

Result<void> save_change(store::Writer& writer, const Change& change, std::int64_t wake_ms) {
  if (change.wake_ms != 0 && change.wake_ms != wake_ms) {
    auto gone = writer.remove(kWakeups, wake_key(change.wake_ms, change.id));
    if (!gone && gone.error().code != Code::not_found) return gone;
  }
  Change saved = change;
  saved.wake_ms = wake_ms;
  TRY(writer.put(kChanges, change.id, format_change(saved)));
  if (wake_ms != 0) TRY(writer.put(kWakeups, wake_key(wake_ms, change.id), change.id));
  return {};
}

Result<std::vector<std::string>> due_changes(store::Reader& reader, std::int64_t now_ms,
                                             std::size_t limit) {
  std::vector<std::string> ids;
  const std::string end = wake_key(now_ms + 1, "");
  for (const store::Record& record : TRY(reader.list(kWakeups, {.limit = limit}))) {
    if (record.key >= end) break;
    ids.push_back(record.value);
  }
  return ids;
}

Json masked(const Json& value) {
  if (value.is_array()) {
    Json list = Json::array();
    for (const Json& each : value) list.push_back(masked(each));
    return list;
  }
  if (!value.is_object()) return value;
  Json object = Json::object();
  for (const auto& [name, member] : value.items())
    object[name] = is_secret(name) && !member.is_null() ? Json("********") : masked(member);
  return object;
}

std::string hash_of(const Json& captured) {
  Json covered = captured;
  covered.erase("hash");
  return sys::sha256_hex(base::dump_json(covered));
}

namespace {

// What a person looks at before he approves: the request, or the event's data.
Json show_payload(const Change& change, const std::string& text) {
  const auto parsed = base::parse_json(text, {.bytes_max = kPayloadMax});
  if (!parsed) return nullptr;
  if (change.kind == PayloadKind::event) return masked(*parsed);
  Json shown = Json::object();
  for (const char* name : {"method", "path", "query", "body", "action", "org", "resource"})
    if (const auto found = parsed->find(name); found != parsed->end()) shown[name] = masked(*found);
  return shown;
}

}  // namespace

Json show_change(const Change& change, Detail detail, std::string_view href_base) {
  Json approvals = Json::array();
  for (const Approval& each : change.approvals)
    approvals.push_back({{"account_id", each.account_id},
                         {"account_name", each.account_name},
                         {"time", show_time(each.time_ms)},
                         {"payload_hash", each.payload_hash},
                         {"comment", each.comment}});
  Json json = {{"id", change.id},
               {"href", std::string(href_base) + "/changes/" + change.id},
               {"status", std::string(state_name(change.state))},
               {"statusText", change.status_text},
               {"reason", change.reason},
               {"providerId", change.handler_id},
               {"adapter", change.adapter},
               {"taskUUID", change.task_id},
               {"action", change.action},
               {"org", {{"id", change.org_id}, {"fqon", change.org_fqon}}},
               {"requester", {{"id", change.requester_id}, {"name", change.requester_name}}},
               {"quorum", change.quorum},
               {"approvals", std::move(approvals)},
               {"approverGroups", change.approver_groups},
               {"dependencies", change.dependencies},
               {"schedule", show_time(change.schedule_ms)},
               {"deadline", show_time(change.deadline_ms)},
               {"overridesFreeze", change.overrides_freeze},
               {"payloadHash", change.payload_hash},
               {"created", show_time(change.created_ms)},
               {"modified", show_time(change.changed_ms)}};
  if (!change.event_name.empty()) json["outStateName"] = change.event_name;
  if (!change.external_id.empty())
    json["external"] = {{"id", change.external_id}, {"state", change.external_state}};
  if (has_ended(change.state) && change.result_status != 0)
    json["result"] = {{"status", change.result_status},
                      {"message", change.result_message},
                      {"link", change.result_link}};
  if (detail == Detail::whole) {
    json["payload"] = show_payload(change, change.payload);
    if (!change.original.empty())
      json["amendments"] =
          Json::diff(show_payload(change, change.original), show_payload(change, change.payload));
  }
  return json;
}

}  // namespace services::change

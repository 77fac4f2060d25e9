// SPDX-License-Identifier: Apache-2.0
// Handlers and freezes, from requests and records to JSON and back.
#include "common/base/json.h"
#include "services/change/records.h"

namespace services::change {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

constexpr std::size_t kPatternsMax = 100;
constexpr std::size_t kGroupsMax = 100;
constexpr std::int64_t kQuorumMax = 20;
constexpr std::int64_t kDeadlineMaxS = std::int64_t{366} * 24 * 3600;
constexpr base::TextLimits kName{.length_min = 1, .length_max = 100};

Json time_text(std::int64_t ms) {
  return base::format_time(base::WallTime(std::chrono::milliseconds(ms)));
}

Result<void> check_patterns(const std::vector<std::string>& patterns) {
  if (!patterns.empty()) return {};
  return Error{Code::invalid_argument, "at least one action is needed, for instance \"**\"",
               "field_invalid", 0, "/match_actions"};
}

Result<Handler> handler_from(const Json& json, base::UnknownFields unknown) {
  Handler handler;
  base::Fields fields(json);
  fields.optional("id", handler.id, {.length_max = 64});
  fields.required("name", handler.name, kName);
  fields.optional("org_id", handler.org_id, {.length_max = 64});
  fields.optional("adapter", handler.adapter, {.length_min = 1, .length_max = 40});
  fields.optional("match_actions", handler.match_actions, kPatternsMax, kName);
  fields.optional("quorum", handler.quorum, {.min = 1, .max = kQuorumMax});
  fields.optional("approver_groups", handler.approver_groups, kGroupsMax, {.length_max = 64});
  fields.optional("needs_reason", handler.needs_reason);
  fields.optional("deadline_seconds", handler.deadline_s, {.min = 0, .max = kDeadlineMaxS});
  fields.optional("created_ms", handler.created_ms);
  TRY(fields.finish(unknown));
  TRY(check_patterns(handler.match_actions));
  return handler;
}

Json to_json(const Handler& handler) {
  return {{"id", handler.id},
          {"name", handler.name},
          {"org_id", handler.org_id},
          {"adapter", handler.adapter},
          {"match_actions", handler.match_actions},
          {"quorum", handler.quorum},
          {"approver_groups", handler.approver_groups},
          {"needs_reason", handler.needs_reason},
          {"deadline_seconds", handler.deadline_s},
          {"created_ms", handler.created_ms}};
}

}  // namespace

std::string format_handler(const Handler& handler) { return base::dump_json(to_json(handler)); }

Result<Handler> parse_handler(std::string_view text) {
  const Json json = TRY(base::parse_json(text));
  return handler_from(json, base::UnknownFields::ignore);
}

Result<Handler> read_handler(const Json& body) {
  return handler_from(body, base::UnknownFields::refuse);
}

Json show_handler(const Handler& handler) {
  Json json = to_json(handler);
  json["created"] = time_text(handler.created_ms);
  json.erase("created_ms");
  return json;
}

std::string format_freeze(const Freeze& freeze) {
  Json json = {{"id", freeze.id},
               {"name", freeze.name},
               {"org_id", freeze.org_id},
               {"match_actions", freeze.match_actions}};
  if (freeze.from_ms != 0) json["from"] = freeze.from_ms;
  if (freeze.until_ms != 0) json["until"] = freeze.until_ms;
  if (!freeze.weekly.empty()) {
    json["weekly"] = show_weekly(freeze.weekly);
    json["time_zone"] = freeze.time_zone;
  }
  return base::dump_json(json);
}

namespace {

Result<void> read_period(const Json* from, const Json* until, Freeze& freeze) {
  if (from != nullptr) freeze.from_ms = TRY(parse_time(*from));
  if (until != nullptr) freeze.until_ms = TRY(parse_time(*until));
  if (until == nullptr || freeze.from_ms < freeze.until_ms) return {};
  return Error{Code::invalid_argument, "a freeze ends after it begins", "field_invalid", 0,
               "/until"};
}

// All but the rules of the time zone.
Result<Freeze> freeze_from(const Json& body) {
  Freeze freeze;
  base::Fields fields(body);
  fields.optional("id", freeze.id, {.length_max = 64});
  fields.required("name", freeze.name, kName);
  fields.optional("org_id", freeze.org_id, {.length_max = 64});
  fields.optional("match_actions", freeze.match_actions, kPatternsMax, kName);
  fields.optional("time_zone", freeze.time_zone, {.length_min = 1, .length_max = 64});
  const Json* from = fields.find("from");
  const Json* until = fields.find("until");
  const Json* weekly = fields.find("weekly");
  if (weekly == nullptr) {
    if (from == nullptr) fields.reject("from", "when the freeze begins", "field_missing");
    if (until == nullptr) fields.reject("until", "when the freeze ends", "field_missing");
    if (fields.find("time_zone") != nullptr)
      fields.reject("time_zone", "only what recurs weekly needs a time zone");
  }
  TRY(fields.finish(base::UnknownFields::refuse));
  TRY(check_patterns(freeze.match_actions));
  TRY(read_period(from, until, freeze));
  if (weekly != nullptr) freeze.weekly = TRY(read_weekly(*weekly, "/weekly"));
  return freeze;
}

}  // namespace

Result<Freeze> parse_freeze(std::string_view text) {
  const Json json = TRY(base::parse_json(text));
  Freeze freeze = TRY(freeze_from(json));
  if (freeze.weekly.empty()) return freeze;
  auto zone = TimeZone::load(freeze.time_zone);
  if (zone) freeze.zone = *std::move(zone);
  return freeze;
}

Result<Freeze> read_freeze(const Json& body) {
  Freeze freeze = TRY(freeze_from(body));
  if (freeze.weekly.empty()) return freeze;
  auto zone = TimeZone::load(freeze.time_zone);
  if (!zone) {
    return Error{Code::invalid_argument, zone.error().detail, "time_zone_unknown", 0, "/time_zone"};
  }
  freeze.zone = *std::move(zone);
  return freeze;
}

Json show_freeze(const Freeze& freeze) {
  Json json = {{"id", freeze.id},
               {"name", freeze.name},
               {"org_id", freeze.org_id},
               {"match_actions", freeze.match_actions}};
  if (freeze.from_ms != 0) json["from"] = time_text(freeze.from_ms);
  if (freeze.until_ms != 0) json["until"] = time_text(freeze.until_ms);
  if (freeze.weekly.empty()) return json;
  json["weekly"] = show_weekly(freeze.weekly);
  json["time_zone"] = freeze.time_zone;
  return json;
}

}  // namespace services::change

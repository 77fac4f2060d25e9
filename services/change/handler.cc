// SPDX-License-Identifier: Apache-2.0
#include "services/change/handler.h"

#include <algorithm>

#include "common/base/text.h"
#include "common/base/time_text.h"

namespace services::change {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr std::size_t kReasonMax = 4096;
constexpr std::size_t kDependenciesMax = 100;
constexpr int kFreezesChainedMax = 100;
constexpr std::int64_t kZoneUnknownMs = 3600000;

bool matches_any(const std::vector<std::string>& patterns, std::string_view action) {
  return std::any_of(patterns.begin(), patterns.end(), [action](const std::string& pattern) {
    return matches_action(pattern, action);
  });
}

// 0 is the root; nullopt when the organisation is not an ancestor.
std::optional<std::size_t> depth_of(std::span<const std::string> lineage, const std::string& org) {
  const auto found = std::find(lineage.begin(), lineage.end(), org);
  if (found == lineage.end()) return std::nullopt;
  return static_cast<std::size_t>(found - lineage.begin());
}

bool covers(const Freeze& freeze, std::span<const Scope> scopes) {
  return std::any_of(scopes.begin(), scopes.end(), [&freeze](const Scope& scope) {
    return depth_of(scope.lineage, freeze.org_id) &&
           matches_any(freeze.match_actions, scope.action);
  });
}

// When it ends, if it holds at the moment.
std::optional<std::int64_t> end_of_freeze(const Freeze& freeze, std::int64_t at_ms) {
  const bool is_over = freeze.until_ms != 0 && freeze.until_ms <= at_ms;
  if (at_ms < freeze.from_ms || is_over) return std::nullopt;
  if (freeze.weekly.empty()) return freeze.until_ms;
  std::int64_t end = at_ms + kZoneUnknownMs;
  if (freeze.zone != nullptr) {
    const auto window = end_of_window(*freeze.zone, freeze.weekly, at_ms / 1000);
    if (!window) return std::nullopt;
    end = *window * 1000;
  }
  return freeze.until_ms == 0 ? end : std::min(end, freeze.until_ms);
}

Result<std::int64_t> read_time(const base::Json* value, std::string pointer) {
  if (value == nullptr) return std::int64_t{0};
  auto time = parse_time(*value);
  if (!time)
    return Error{Code::invalid_argument, "an RFC 3339 time with a zone is expected",
                 "field_invalid", 0, std::move(pointer)};
  return time;
}

}  // namespace

bool matches_action(std::string_view pattern, std::string_view action) {
  const auto wanted = base::split(pattern, '.');
  const auto given = base::split(action, '.');
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == "**" && i + 1 == wanted.size()) return true;
    if (i >= given.size()) return false;
    if (wanted[i] != "*" && wanted[i] != given[i]) return false;
  }
  return wanted.size() == given.size();
}

std::optional<Rule> find_rule(std::span<const Handler> handlers,
                              std::span<const std::string> lineage, std::string_view action) {
  std::vector<std::pair<std::size_t, const Handler*>> matching;
  for (const Handler& handler : handlers) {
    const auto depth = depth_of(lineage, handler.org_id);
    if (depth && matches_any(handler.match_actions, action))
      matching.emplace_back(*depth, &handler);
  }
  if (matching.empty()) return std::nullopt;
  std::sort(matching.begin(), matching.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : a.second->id < b.second->id;
  });
  Rule rule;
  rule.first = matching.front().second;
  for (const auto& [depth, handler] : matching) {
    rule.quorum = std::max(rule.quorum, handler->quorum);
    rule.needs_reason = rule.needs_reason || handler->needs_reason;
    if (rule.approver_groups.empty()) rule.approver_groups = handler->approver_groups;
    if (handler->deadline_s > 0 && (rule.deadline_s == 0 || handler->deadline_s < rule.deadline_s))
      rule.deadline_s = handler->deadline_s;
  }
  return rule;
}

Rule strictest(const Rule& earlier, const Rule& later) {
  Rule rule = later;
  rule.quorum = std::max(earlier.quorum, later.quorum);
  rule.needs_reason = earlier.needs_reason || later.needs_reason;
  if (rule.approver_groups.empty()) rule.approver_groups = earlier.approver_groups;
  if (earlier.deadline_s > 0 && (later.deadline_s == 0 || earlier.deadline_s < later.deadline_s))
    rule.deadline_s = earlier.deadline_s;
  return rule;
}

std::optional<Frozen> frozen(std::span<const Freeze> freezes, std::span<const Scope> scopes,
                             std::int64_t now_ms) {
  Frozen found{nullptr, now_ms};
  for (int i = 0; i < kFreezesChainedMax; ++i) {
    const std::int64_t before = found.until_ms;
    for (const Freeze& freeze : freezes) {
      if (!covers(freeze, scopes)) continue;
      const auto end = end_of_freeze(freeze, found.until_ms);
      if (!end) continue;
      if (found.freeze == nullptr) found.freeze = &freeze;
      found.until_ms = *end;
    }
    if (found.until_ms == before) break;
  }
  if (found.freeze == nullptr) return std::nullopt;
  return found;
}

Result<std::int64_t> parse_time(const base::Json& value) {
  if (value.is_number_integer() && value.get<std::int64_t>() >= 0) return value.get<std::int64_t>();
  if (value.is_string()) {
    const base::WallTime time = TRY(base::parse_time(value.get_ref<const std::string&>()));
    return time.time_since_epoch().count();
  }
  return Error{Code::invalid_argument, "a time is a text or milliseconds since 1970",
               "time_invalid"};
}

Result<Wish> parse_wish(const base::Json& json, std::string_view pointer) {
  Wish wish;
  base::Fields fields(json, std::string(pointer));
  fields.optional("reason", wish.reason, {.length_max = kReasonMax});
  fields.optional("provider_id", wish.provider_id, {.length_max = 64});
  fields.optional("dependencies", wish.dependencies, kDependenciesMax, {.length_max = 64});
  const base::Json* at = fields.find("schedule");
  const base::Json* deadline = fields.find("deadline");
  TRY(fields.finish(base::UnknownFields::refuse));
  wish.schedule_ms = TRY(read_time(at, fields.pointer_of("schedule")));
  wish.deadline_ms = TRY(read_time(deadline, fields.pointer_of("deadline")));
  return wish;
}

}  // namespace services::change

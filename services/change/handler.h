// SPDX-License-Identifier: Apache-2.0
// Which calls are held and when held changes may go out: handlers and freezes, and what they say
// about a call. Pure.
//
// Used by service.cc (gate, routes) and sweep.cc.
// 1. A handler of an organisation counts for that organisation and all below it. Of several that
// match, the strictest of each kind counts: the largest quorum, the earliest deadline; the groups
// are those of the handler nearest to the root that names any, so that nothing below loosens it.
// 2. A freeze counts the same way.
// Threads: plain values.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"
#include "services/change/calendar.h"

namespace services::change {

struct Handler {
  std::string id;
  std::string name;
  std::string org_id;
  std::string adapter = "native";          // or a system of the operator's configuration
  std::vector<std::string> match_actions;  // "environment.create", "environment.*", "**"
  std::int64_t quorum = 1;
  std::vector<std::string> approver_groups;
  bool needs_reason = false;
  std::int64_t deadline_s = 0;  // of changes that name none; 0: none
  std::int64_t created_ms = 0;
};

struct Freeze {
  std::string id;
  std::string name;
  std::string org_id;
  std::vector<std::string> match_actions;
  std::int64_t from_ms = 0;  // of one that recurs: between these only; 0: without such an end
  std::int64_t until_ms = 0;
  std::vector<Window> weekly = {};  // empty: all the time between the two
  std::string time_zone = "UTC";
  // Of `time_zone`, shared by copies; null when the system does not know it any more.
  std::shared_ptr<const TimeZone> zone = {};
};

// `pattern` against "environment.create": '*' is one segment, a last "**" any rest.
bool matches_action(std::string_view pattern, std::string_view action);

struct Rule {
  const Handler* first = nullptr;  // the one nearest to the root: its adapter decides
  std::int64_t quorum = 1;
  std::vector<std::string> approver_groups;
  bool needs_reason = false;
  std::int64_t deadline_s = 0;
};
// `lineage`: organisation ids, the root first. nullopt: nothing holds the call.
std::optional<Rule> find_rule(std::span<const Handler> handlers,
                              std::span<const std::string> lineage, std::string_view action);
// Of a call that does several things: all that both ask for. Of `later`, what it leads to, are the
// adapter and, when it names any, the groups.
Rule strictest(const Rule& earlier, const Rule& later);
// One of the things that a call does.
struct Scope {
  std::vector<std::string> lineage;  // of the organisation, the root first
  std::string action;
};
struct Frozen {
  const Freeze* freeze = nullptr;  // the first that holds now
  std::int64_t until_ms = 0;       // when the last of those that follow each other ends
};
// The freezes that cover one of the scopes; nullopt when none does now. Freezes that follow each
// other without a gap count as one, up to a hundred of them: look again then. One whose time zone
// is not known any more holds all the time, and is looked at hourly.
std::optional<Frozen> frozen(std::span<const Freeze> freezes, std::span<const Scope> scopes,
                             std::int64_t now_ms);

// What a caller says about a change: the body's "change_management", or the header of that name.
struct Wish {
  std::string reason;
  std::int64_t schedule_ms = 0;
  std::int64_t deadline_ms = 0;
  std::string provider_id;
  std::vector<std::string> dependencies;
};
// Errors: invalid_argument field_invalid with a pointer.
base::Result<Wish> parse_wish(const base::Json& json, std::string_view pointer);
// RFC 3339 with a zone, or milliseconds since 1970. Errors: invalid_argument time_invalid.
base::Result<std::int64_t> parse_time(const base::Json& value);

}  // namespace services::change

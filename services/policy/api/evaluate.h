// SPDX-License-Identifier: Apache-2.0
// Decides by rules: limit and config rules deny, event rules fire. Pure; the caller looks values
// up.
//
// Used by the Policy stage in meta and by the replay of draft rules.
// 1. Rules of all ancestors count. One that fails denies, whatever the others say; so a child's
// looser rule changes nothing, unless the ancestor's rule is overridable.
// 2. The order in which rules are given does not matter: they are sorted by priority, depth, name.
// 3. What cannot be evaluated denies, unless the rule says `fail: open`. Rules in audit and dryrun
// mode never deny; what they would have done is in `lines`.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "services/policy/api/rule.h"

namespace services::policy {

// The value of a predicate's property for a rule, nullopt when there is none. The rule is given
// because aggregates are counted below its owner.
using Lookup =
    std::function<base::Result<std::optional<base::Json>>(const Rule& rule, std::string_view name)>;

struct Line {
  std::string rule_id;
  std::string rule;
  std::string at;       // href of the owner
  std::string outcome;  // passed, denied, would deny, missing, error, overridden
  std::string detail;
};
base::Json lines_json(const std::vector<Line>& lines);

struct Verdict {
  bool denied = false;
  std::string text;  // the predicate of the first rule that denied
  std::string rule_id;
  std::vector<Line> lines;
};

// Limit rules that match `action`.
Verdict judge(std::vector<Rule> rules, std::string_view action, const Lookup& lookup);

// Config rules about `key`, whose value is looked up.
Verdict judge_config(std::vector<Rule> rules, std::string_view key, const Lookup& lookup);

// Event rules that match `action` ("container.create.pre") and whose predicate holds, in the order
// in which they fire. An event rule that cannot be evaluated is in `failed`, unless it fails open.
struct Firing {
  std::vector<Rule> rules;
  std::vector<Line> lines;
  std::optional<Line> failed;
  bool suppressed = false;
};
Firing fire(std::vector<Rule> rules, std::string_view action, const Lookup& lookup);

}  // namespace services::policy

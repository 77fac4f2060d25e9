// SPDX-License-Identifier: Apache-2.0
#include "services/policy/api/evaluate.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

namespace services::policy {

using base::Json;
using base::Result;

namespace {

enum class Outcome { holds, fails, missing, error };

struct Tried {
  Outcome outcome = Outcome::holds;
  std::string detail;
};

Tried attempt(const Rule& rule, const Lookup& lookup) {
  if (!rule.predicate) return {};
  const auto value = lookup(rule, rule.predicate->property);
  if (!value) return {Outcome::error, value.error().detail};
  if (!*value) return {Outcome::missing, rule.predicate->property + " has no value"};
  const auto holds = compare(**value, rule.predicate->op, rule.predicate->limit);
  if (!holds) return {Outcome::error, holds.error().detail};
  const std::string detail = rule.predicate->text() + ", it is " + base::dump_json(**value);
  return {*holds ? Outcome::holds : Outcome::fails, detail};
}

Line line_of(const Rule& rule, std::string outcome, std::string detail) {
  return {rule.id, rule.name, rule.owner_href, std::move(outcome), std::move(detail)};
}

void sort(std::vector<Rule>& rules) {
  std::sort(rules.begin(), rules.end(), [](const Rule& a, const Rule& b) {
    return std::tie(a.priority, a.depth, a.name, a.id) <
           std::tie(b.priority, b.depth, b.name, b.id);
  });
}

using About = std::function<bool(const Rule&)>;

// Whether a deeper rule about the same, on the same property, stands in for `rule`.
bool is_overridden(const Rule& rule, const std::vector<Rule>& rules, const About& about) {
  if (!rule.overridable) return false;
  return std::any_of(rules.begin(), rules.end(), [&](const Rule& other) {
    return other.depth > rule.depth && other.mode == Mode::enforce && about(other) &&
           other.predicate->property == rule.predicate->property;
  });
}

bool denies(const Rule& rule, const Tried& tried) {
  switch (tried.outcome) {
    case Outcome::holds: return false;
    case Outcome::fails: return true;
    case Outcome::missing: return rule.strict;
    case Outcome::error: return !rule.fails_open;
  }
  return true;
}

std::string_view outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::holds: return "passed";
    case Outcome::fails: return "not fired";
    case Outcome::missing: return "missing";
    case Outcome::error: return "error";
  }
  return "";
}

// The rules that `about` takes; each has a predicate.
Verdict judge_those(std::vector<Rule> rules, const About& about, const Lookup& lookup) {
  sort(rules);
  Verdict verdict;
  for (const Rule& rule : rules) {
    if (!about(rule)) continue;
    if (is_overridden(rule, rules, about)) {
      verdict.lines.push_back(line_of(rule, "overridden", "a deeper rule stands in for it"));
      continue;
    }
    const Tried tried = attempt(rule, lookup);
    if (!denies(rule, tried)) {
      verdict.lines.push_back(
          line_of(rule, std::string(outcome_name(tried.outcome)), tried.detail));
      continue;
    }
    const bool enforced = rule.mode == Mode::enforce;
    verdict.lines.push_back(line_of(rule, enforced ? "denied" : "would deny", tried.detail));
    if (!enforced || verdict.denied) continue;
    verdict.denied = true;
    verdict.rule_id = rule.id;
    verdict.text = rule.predicate->text();
  }
  return verdict;
}

}  // namespace

Json lines_json(const std::vector<Line>& lines) {
  Json out = Json::array();
  for (const Line& line : lines) {
    out.push_back({{"rule", line.rule},
                   {"rule_id", line.rule_id},
                   {"defined_at", line.at},
                   {"outcome", line.outcome},
                   {"detail", line.detail}});
  }
  return out;
}

Verdict judge(std::vector<Rule> rules, std::string_view action, const Lookup& lookup) {
  const About about = [action](const Rule& rule) {
    return rule.kind == Kind::limit && rule.match(action) != nullptr;
  };
  return judge_those(std::move(rules), about, lookup);
}

Verdict judge_config(std::vector<Rule> rules, std::string_view key, const Lookup& lookup) {
  const About about = [key](const Rule& rule) {
    return rule.kind == Kind::config && rule.predicate->property == key;
  };
  return judge_those(std::move(rules), about, lookup);
}

Firing fire(std::vector<Rule> rules, std::string_view action, const Lookup& lookup) {
  sort(rules);
  Firing firing;
  for (Rule& rule : rules) {
    const Match* match = rule.match(action);
    if (rule.kind != Kind::event || match == nullptr) continue;
    const Tried tried = attempt(rule, lookup);
    const bool fires = tried.outcome == Outcome::holds;
    firing.lines.push_back(
        line_of(rule, fires ? "fired" : std::string(outcome_name(tried.outcome)), tried.detail));
    if (tried.outcome == Outcome::error && !rule.fails_open && rule.mode == Mode::enforce &&
        !firing.failed) {
      firing.failed = firing.lines.back();
    }
    if (!fires || rule.mode != Mode::enforce) continue;
    firing.suppressed = firing.suppressed || match->suppress;
    firing.rules.push_back(std::move(rule));
  }
  return firing;
}

}  // namespace services::policy

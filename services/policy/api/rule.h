// SPDX-License-Identifier: Apache-2.0
// A policy rule, read from its resource, and the comparison of one value with another.
//
// Used by the Policy stage in meta and by its routes, which refuse rules that cannot be read. Pure.
// Comparisons are typed (services.md 6.4): text with text and booleans with equals, ==, !=,
// startsWith, contains, endsWith; numbers with equals, ==, !=, <, <=, >, >=; a value with a list
// with contains, inList, oneOf, except; a list with a list with inList. Anything else is an error.
// Errors: invalid_argument rule_invalid with the pointer; comparison_untyped.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"

namespace services::policy {

enum class Operator {
  equals,
  not_equals,
  less,
  less_equal,
  greater,
  greater_equal,
  contains,
  starts_with,
  ends_with,
  in_list,
  except,
};
std::optional<Operator> read_operator(std::string_view text);
std::string_view operator_name(Operator op);

// `value` OP `limit`.
base::Result<bool> compare(const base::Json& value, Operator op, const base::Json& limit);

struct Predicate {
  std::string property;  // "container.properties.num_instances", "containers.count"; a config
                         // rule's key, "tls" or "env/NAME"
  Operator op = Operator::equals;
  base::Json limit;
  std::string text() const;
};

enum class Kind { limit, event, config };
enum class Mode { enforce, audit, dryrun };

struct Match {
  std::string action;  // limit: "container.create"; event: "container.create.pre"
  bool suppress = false;
};

struct Rule {
  std::string id;
  std::string name;
  Kind kind = Kind::limit;
  std::vector<Match> matches;
  std::optional<Predicate> predicate;
  bool strict = false;       // a property that is not there fails
  bool overridable = false;  // a deeper rule on the same property replaces this one
  bool fails_open = false;
  Mode mode = Mode::enforce;
  std::int64_t priority = 0;  // smaller first
  int depth = 0;              // of the owner: 0 is the root organisation
  std::string owner_id;       // the organisation, workspace or environment it is defined at
  std::string owner_href;
  std::string lambda_id;
  std::string deny;     // event rules: refuse with this text
  base::Json patch;     // event rules: a JSON patch of the payload, null for none
  base::Json resource;  // the whole rule, for event payloads

  // The match for this action, nullptr when the rule is not about it. A last segment `*` matches
  // any verb.
  const Match* match(std::string_view action) const;
};

// From a rule's resource: {id, name, resource_type, properties{…}}. What places it (depth, owner)
// is the caller's to fill in.
base::Result<Rule> read_rule(const base::Json& resource);

}  // namespace services::policy

// SPDX-License-Identifier: Apache-2.0
#include "services/policy/api/rule.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/text.h"

namespace services::policy {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::size_t kMatchesMax = 200;

struct OperatorName {
  std::string_view text;
  Operator op;
};
// The first name of an operator is the one it is printed with.
constexpr OperatorName kOperators[] = {{"==", Operator::equals},
                                       {"equals", Operator::equals},
                                       {"!=", Operator::not_equals},
                                       {"<", Operator::less},
                                       {"<=", Operator::less_equal},
                                       {">", Operator::greater},
                                       {">=", Operator::greater_equal},
                                       {"contains", Operator::contains},
                                       {"startsWith", Operator::starts_with},
                                       {"endsWith", Operator::ends_with},
                                       {"inList", Operator::in_list},
                                       {"oneOf", Operator::in_list},
                                       {"except", Operator::except}};

Error wrong(std::string pointer, std::string detail) {
  return Error{Code::invalid_argument, std::move(detail), "rule_invalid", 0, std::move(pointer)};
}

std::string_view kind_name(const Json& value) {
  if (value.is_array()) return "a list";
  if (value.is_object()) return "an object";
  if (value.is_string()) return "text";
  if (value.is_boolean()) return "a boolean";
  return value.is_number() ? "a number" : "nothing";
}

Error untyped(const Json& value, Operator op, const Json& limit) {
  return Error{Code::invalid_argument,
               std::string(kind_name(value)) + " and " + std::string(kind_name(limit)) +
                   " cannot be compared with '" + std::string(operator_name(op)) + "'",
               "comparison_untyped"};
}

bool has(const Json& list, const Json& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

Result<bool> compare_text(const std::string& value, Operator op, const std::string& limit) {
  switch (op) {
    case Operator::equals: return value == limit;
    case Operator::not_equals: return value != limit;
    case Operator::starts_with: return value.starts_with(limit);
    case Operator::ends_with: return value.ends_with(limit);
    case Operator::contains: return value.find(limit) != std::string::npos;
    case Operator::less:
    case Operator::less_equal:
    case Operator::greater:
    case Operator::greater_equal:
    case Operator::in_list:
    case Operator::except: break;
  }
  return untyped(value, op, limit);
}

Result<bool> compare_numbers(const Json& value, Operator op, const Json& limit) {
  switch (op) {
    case Operator::equals: return value == limit;
    case Operator::not_equals: return value != limit;
    case Operator::less: return value < limit;
    case Operator::less_equal: return value <= limit;
    case Operator::greater: return value > limit;
    case Operator::greater_equal: return value >= limit;
    case Operator::contains:
    case Operator::starts_with:
    case Operator::ends_with:
    case Operator::in_list:
    case Operator::except: break;
  }
  return untyped(value, op, limit);
}

Result<bool> compare_with_list(const Json& value, Operator op, const Json& list) {
  if (value.is_array()) {
    if (op != Operator::in_list) return untyped(value, op, list);
    return std::all_of(value.begin(), value.end(),
                       [&list](const Json& entry) { return has(list, entry); });
  }
  if (value.is_object() || value.is_null()) return untyped(value, op, list);
  if (op == Operator::in_list || op == Operator::contains) return has(list, value);
  if (op == Operator::except) return !has(list, value);
  return untyped(value, op, list);
}

Result<Predicate> read_predicate(const Json& document) {
  const std::string pointer = "/properties/eval_logic";
  base::Fields fields(document, pointer);
  Predicate predicate;
  std::string op;
  fields.required("property", predicate.property, {.length_min = 1, .length_max = 255});
  fields.required("operator", op, {.length_max = 16});
  const Json* value = fields.find("value");
  TRY(fields.finish(base::UnknownFields::ignore));
  const auto known = read_operator(op);
  if (!known) return wrong(pointer + "/operator", "there is no operator '" + op + "'");
  if (value == nullptr) return wrong(pointer + "/value", "value is missing");
  predicate.op = *known;
  predicate.limit = *value;
  return predicate;
}

Result<Match> read_match(const Json& entry, const std::string& pointer) {
  Match match;
  if (entry.is_string()) {
    match.action = entry.get<std::string>();
  } else {
    base::Fields fields(entry, pointer);
    std::string function;
    fields.required("action", match.action, {.length_max = 128});
    fields.optional("meta_function", function, {.length_max = 64});
    TRY(fields.finish(base::UnknownFields::ignore));
    if (!function.empty() && function != "suppress") {
      return wrong(pointer, "meta_function is suppress");
    }
    match.suppress = !function.empty();
  }
  if (match.action.empty() || match.action.find('.') == std::string::npos) {
    return wrong(pointer, "an action is written container.create");
  }
  return match;
}

Result<void> read_matches(base::Fields& fields, Rule& rule) {
  for (const std::string name : {"match_actions", "actions"}) {  // `actions` in 2016
    const Json* list = fields.find_array(name, kMatchesMax);
    if (list == nullptr) continue;
    for (std::size_t i = 0; i < list->size(); ++i) {
      const std::string pointer = "/properties/" + name + "/" + std::to_string(i);
      rule.matches.push_back(TRY(read_match((*list)[i], pointer)));
    }
  }
  return {};
}

// "lambda": an id, or an object with one.
std::string id_of(const Json* value) {
  if (value == nullptr) return "";
  if (value->is_string()) return value->get<std::string>();
  const auto id = value->is_object() ? value->find("id") : value->end();
  return id != value->end() && id->is_string() ? id->get<std::string>() : "";
}

Result<void> read_modes(base::Fields& fields, Rule& rule) {
  std::string mode = "enforce";
  std::string fail = "closed";
  fields.optional("mode", mode);
  fields.optional("fail", fail);
  if (mode != "enforce" && mode != "audit" && mode != "dryrun") {
    return wrong("/properties/mode", "mode is enforce, audit or dryrun");
  }
  if (fail != "closed" && fail != "open")
    return wrong("/properties/fail", "fail is closed or open");
  if (mode != "enforce") rule.mode = mode == "audit" ? Mode::audit : Mode::dryrun;
  rule.fails_open = fail == "open";
  return {};
}

Result<void> read_effect(const Json* effect, Rule& rule) {
  if (effect == nullptr) return {};
  base::Fields fields(*effect, "/properties/filter");
  fields.optional("deny", rule.deny, {.length_max = 1024});
  if (const Json* patch = fields.find_array("patch", kMatchesMax)) rule.patch = *patch;
  return fields.finish(base::UnknownFields::ignore);
}

}  // namespace

std::optional<Operator> read_operator(std::string_view text) {
  for (const OperatorName& known : kOperators) {
    if (known.text == text) return known.op;
  }
  return std::nullopt;
}

std::string_view operator_name(Operator op) {
  for (const OperatorName& known : kOperators) {
    if (known.op == op) return known.text;
  }
  return "";
}

Result<bool> compare(const Json& value, Operator op, const Json& limit) {
  if (limit.is_array()) return compare_with_list(value, op, limit);
  if (value.is_array()) {
    // A list contains a value: the same table read from its other side.
    if (op == Operator::contains && !limit.is_object() && !limit.is_null())
      return has(value, limit);
    return untyped(value, op, limit);
  }
  if (value.is_string() && limit.is_string()) {
    return compare_text(value.get<std::string>(), op, limit.get<std::string>());
  }
  if (value.is_boolean() && limit.is_boolean()) {
    return compare_text(value.get<bool>() ? "true" : "false", op,
                        limit.get<bool>() ? "true" : "false");
  }
  if (value.is_number() && limit.is_number()) return compare_numbers(value, op, limit);
  return untyped(value, op, limit);
}

std::string Predicate::text() const {
  return property + " " + std::string(operator_name(op)) + " " + base::dump_json(limit);
}

const Match* Rule::match(std::string_view action) const {
  for (const Match& candidate : matches) {
    if (candidate.action == action) return &candidate;
    const std::string_view pattern = candidate.action;
    if (pattern.ends_with(".*") && action.starts_with(pattern.substr(0, pattern.size() - 1))) {
      return &candidate;
    }
  }
  return nullptr;
}

Result<Rule> read_rule(const Json& resource) {
  base::Fields outer(resource);
  Rule rule;
  std::string type;
  outer.optional("id", rule.id);
  outer.required("name", rule.name, {.length_min = 1, .length_max = 255});
  outer.required("resource_type", type, {.length_max = 255});
  const Json* properties = outer.find_object("properties");
  TRY(outer.finish(base::UnknownFields::ignore));
  if (properties == nullptr) return wrong("/properties", "properties are missing");
  if (type.ends_with("::Event")) rule.kind = Kind::event;
  if (type.ends_with("::Config")) rule.kind = Kind::config;
  base::Fields fields(*properties, "/properties");
  fields.optional("strict", rule.strict);
  fields.optional("overridable", rule.overridable);
  fields.optional("priority", rule.priority, {.min = -1'000'000, .max = 1'000'000});
  const Json* logic = fields.find_object("eval_logic");
  const Json* filter = fields.find_object("filter");
  rule.lambda_id = id_of(fields.find("lambda"));
  TRY(read_matches(fields, rule));
  TRY(read_modes(fields, rule));
  TRY(fields.finish(base::UnknownFields::ignore));
  if (logic != nullptr && !logic->empty()) rule.predicate = TRY(read_predicate(*logic));
  TRY(read_effect(filter, rule));
  if (rule.kind != Kind::event && !rule.predicate) {
    return wrong("/properties/eval_logic", "a limit or config rule needs eval_logic");
  }
  if (rule.kind != Kind::config && rule.matches.empty()) {
    return wrong("/properties/match_actions", "a rule needs an action to match");
  }
  rule.resource = resource;
  return rule;
}

}  // namespace services::policy

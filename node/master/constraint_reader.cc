// SPDX-License-Identifier: Apache-2.0
#include "node/master/constraint_reader.h"

#include <regex.h>

#include <nlohmann/json.hpp>

#include "common/base/text.h"

namespace node::master {

using base::Json;

namespace {

constexpr std::size_t kPatternMax = 256;

// Back references and large repetitions make matching slow or big, so they are refused.
std::string wrong_pattern(const std::string& pattern) {
  if (pattern.empty() || pattern.size() > kPatternMax) return "pattern must have 1 to 256 bytes";
  for (std::size_t i = 0; i + 1 < pattern.size(); ++i) {
    if (pattern[i] == '\\' && pattern[i + 1] >= '1' && pattern[i + 1] <= '9')
      return "pattern must not refer back";
  }
  if (pattern.find('{') != std::string::npos) return "pattern must not count repetitions with {}";
  regex_t compiled;
  const std::string whole = "^(" + pattern + ")$";
  if (regcomp(&compiled, whole.c_str(), REG_EXTENDED | REG_NOSUB) != 0)
    return "pattern is not a regular expression";
  regfree(&compiled);
  return "";
}

std::string wrong_value(const Constraint& constraint) {
  if (constraint.field.empty() || constraint.field.size() > 255)
    return "field must have 1 to 255 bytes";
  switch (constraint.op) {
    case Operator::unique: return constraint.value.empty() ? "" : "UNIQUE takes no value";
    case Operator::cluster: return "";
    case Operator::group_by:
      if (constraint.value.empty()) return "";
      return base::parse_int(constraint.value, 1, 10'000) ? "" : "GROUP_BY wants a number from 1";
    case Operator::max_per:
      return base::parse_int(constraint.value, 1, 100'000) ? "" : "MAX_PER wants a number from 1";
    case Operator::is: return constraint.value.empty() ? "IS wants a value" : "";
    case Operator::like:
    case Operator::unlike: return wrong_pattern(constraint.value);
  }
  return "";
}

}  // namespace

std::optional<Constraint> read_constraint(const base::Json& entry, const std::string& pointer,
                                          Problems& problems) {
  bool texts = entry.is_array() && entry.size() >= 2 && entry.size() <= 3;
  if (texts) {
    for (const Json& piece : entry) texts = texts && piece.is_string() && piece.size() <= 1;
  }
  if (!texts) {
    problems.add(pointer, "must be [field, operator] or [field, operator, value], all strings");
    return std::nullopt;
  }
  static const std::map<std::string, Operator, std::less<>> kOperators = {
      {"UNIQUE", Operator::unique},
      {"CLUSTER", Operator::cluster},
      {"GROUP_BY", Operator::group_by},
      {"LIKE", Operator::like},
      {"UNLIKE", Operator::unlike},
      {"MAX_PER", Operator::max_per},
      {"IS", Operator::is}};
  Constraint constraint;
  constraint.field = entry[0].get<std::string>();
  if (constraint.field == "@hostname") constraint.field = "hostname";
  if (entry.size() == 3) constraint.value = entry[2].get<std::string>();
  const auto op = kOperators.find(entry[1].get_ref<const std::string&>());
  if (op == kOperators.end()) {
    problems.add(pointer,
                 "operator must be UNIQUE, CLUSTER, GROUP_BY, LIKE, UNLIKE, MAX_PER or IS");
    return std::nullopt;
  }
  constraint.op = op->second;
  if (const std::string wrong = wrong_value(constraint); !wrong.empty()) {
    problems.add(pointer, wrong);
    return std::nullopt;
  }
  return constraint;
}

}  // namespace node::master

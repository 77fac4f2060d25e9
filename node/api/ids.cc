// SPDX-License-Identifier: Apache-2.0
#include "node/api/ids.h"

#include <nlohmann/json.hpp>

#include "common/base/text.h"

namespace node::api {

namespace {

constexpr std::string_view kUnitSuffix = ".service";

bool is_id_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == ':' || c == '-';
}

}  // namespace

bool is_instance_id(std::string_view text) {
  if (text.empty() || text.size() > kInstanceIdMax) return false;
  if (text.front() == '.' || text.front() == '-') return false;
  for (const char c : text) {
    if (!is_id_byte(c)) return false;
  }
  return true;
}

void read_instance_id(base::Fields& fields, std::string_view name, InstanceId& out) {
  std::string text;
  fields.required(name, text, {.length_min = 1, .length_max = kInstanceIdMax});
  if (fields.failed()) return;
  if (!is_instance_id(text)) {
    fields.reject(name, "must be letters, digits, '_', '.', ':' and '-', not led by '.' or '-'");
    return;
  }
  out = InstanceId(std::move(text));
}

void read_port_numbers(base::Fields& fields, std::string_view name,
                       std::vector<std::uint16_t>& out) {
  const base::Json* list = fields.find_array(name, kPortsMax);
  if (list == nullptr) return;
  for (const base::Json& port : *list) {
    if (!port.is_number_integer() || port < 1 || port > 65535) {
      return fields.reject(name, "must be numbers from 1 to 65535");
    }
    out.push_back(port.get<std::uint16_t>());
  }
}

std::string unit_name(const InstanceId& id, std::int64_t epoch) {
  return std::string(kUnitPrefix) + id.text() + "-" + std::to_string(epoch) +
         std::string(kUnitSuffix);
}

std::optional<UnitOwner> parse_unit_name(std::string_view unit) {
  if (!unit.starts_with(kUnitPrefix) || !unit.ends_with(kUnitSuffix)) return std::nullopt;
  unit.remove_prefix(kUnitPrefix.size());
  if (unit.size() < kUnitSuffix.size()) return std::nullopt;
  unit.remove_suffix(kUnitSuffix.size());
  const std::size_t dash = unit.rfind('-');
  if (dash == std::string_view::npos || dash + 1 == unit.size()) return std::nullopt;
  const std::string_view digits = unit.substr(dash + 1);
  if (digits.size() > 1 && digits.front() == '0') return std::nullopt;
  const auto epoch = base::parse_int(digits, 0, INT64_MAX);
  const std::string_view id = unit.substr(0, dash);
  if (!epoch || !is_instance_id(id)) return std::nullopt;
  return UnitOwner{InstanceId(std::string(id)), *epoch};
}

}  // namespace node::api

// SPDX-License-Identifier: Apache-2.0
#include "services/meta/properties.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace services::meta {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::size_t kListMax = 1000;
constexpr std::size_t kTextMax = 256 << 10;

Error wrong(const std::string& name, std::string detail, std::string_view reason) {
  return Error{Code::invalid_argument, std::move(detail), reason, 0,
               base::child_pointer("/properties", name)};
}

// The id that a link leads to: {"id": …} or the id alone; empty when it is neither.
std::string link_target(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_object()) return "";
  const auto id = value.find("id");
  return id != value.end() && id->is_string() ? id->get<std::string>() : "";
}

// RFC 3339, by its shape: 2016-06-29T10:00:00[.123](Z|+02:00).
bool is_datetime(const std::string& text) {
  if (text.size() < 20 || text.size() > 35) return false;
  constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:dd";
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kShape[i] == 'd' ? !digit : text[i] != kShape[i]) return false;
  }
  return text.back() == 'Z' || text.find_first_of("+-", kShape.size()) != std::string::npos;
}

// What is wrong with one value, empty when nothing is.
std::string wrong_value(DataKind kind, const Json& value) {
  switch (kind) {
    case DataKind::string:
      if (!value.is_string()) return "must be text";
      return value.get_ref<const std::string&>().size() > kTextMax ? "is too long" : "";
    case DataKind::integer: return value.is_number_integer() ? "" : "must be a whole number";
    case DataKind::number: return value.is_number() ? "" : "must be a number";
    case DataKind::boolean: return value.is_boolean() ? "" : "must be true or false";
    case DataKind::uuid:
      return value.is_string() && is_uuid(value.get_ref<const std::string&>()) ? ""
                                                                               : "must be a UUID";
    case DataKind::datetime:
      return value.is_string() && is_datetime(value.get_ref<const std::string&>())
                 ? ""
                 : "must be a time of RFC 3339";
    case DataKind::json: return "";
    case DataKind::link:
      return is_uuid(link_target(value)) ? "" : "must be a resource's id, or an object with it";
  }
  return "";
}

Result<void> check_value(const PropertyDef& property, const Json& value) {
  if (!property.list) {
    const std::string problem = wrong_value(property.kind, value);
    if (problem.empty()) return {};
    return wrong(property.name, property.name + " " + problem, "property_invalid");
  }
  if (!value.is_array() || value.size() > kListMax) {
    return wrong(property.name, property.name + " must be a list of at most 1000",
                 "property_invalid");
  }
  for (const Json& entry : value) {
    const std::string problem = wrong_value(property.kind, entry);
    if (problem.empty()) continue;
    return wrong(property.name, "each of " + property.name + " " + problem, "property_invalid");
  }
  return {};
}

Result<Json> accept(const ResourceType& type, const Json& current, const Json& sent, bool is_new) {
  Json accepted = Json::object();
  if (!sent.is_null() && !sent.is_object()) {
    return Error{Code::invalid_argument, "properties must be an object", "property_invalid", 0,
                 "/properties"};
  }
  for (auto entry = sent.begin(); entry != sent.end(); ++entry) {
    const auto found = type.properties.find(entry.key());
    if (found == type.properties.end()) {
      if (!type.open) {
        return wrong(entry.key(), type.name + " has no property " + entry.key(),
                     "property_unknown");
      }
      accepted[entry.key()] = entry.value();
      continue;
    }
    const PropertyDef& property = found->second;
    if (property.system || entry.value().is_null()) continue;
    const auto before = current.find(entry.key());
    if (property.encrypted && before != current.end() && entry.value() == kMask) {
      accepted[entry.key()] = *before;
      continue;
    }
    TRY(check_value(property, entry.value()));
    if (!is_new && property.sealed && (before == current.end() || *before != entry.value())) {
      return wrong(property.name, property.name + " cannot change any more", "property_sealed");
    }
    accepted[entry.key()] = entry.value();
  }
  for (const auto& [name, property] : type.properties) {
    if (property.system) {
      const auto before = current.find(name);
      if (before != current.end()) accepted[name] = *before;
      continue;
    }
    if (accepted.contains(name)) continue;
    if (!property.default_value.is_null()) {
      accepted[name] = property.default_value;
    } else if (property.requirement == Requirement::required) {
      return wrong(name, name + " is required", "property_missing");
    }
  }
  return accepted;
}

}  // namespace

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char byte = text[i];
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool hex = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') ||
                     (byte >= 'A' && byte <= 'F');
    if (dash ? byte != '-' : !hex) return false;
  }
  return true;
}

Result<Json> accept_new(const ResourceType& type, const Json& sent) {
  return accept(type, Json::object(), sent, true);
}

Result<Json> accept_change(const ResourceType& type, const Json& current, const Json& sent) {
  return accept(type, current, sent, false);
}

Json masked(const ResourceType& type, Json properties) {
  for (auto entry = properties.begin(); entry != properties.end(); ++entry) {
    const auto found = type.properties.find(entry.key());
    if (found != type.properties.end() && found->second.encrypted) entry.value() = kMask;
  }
  return properties;
}

std::vector<Edge> edges_of(const ResourceType& type, const Json& properties) {
  std::vector<Edge> edges;
  const auto add = [&edges](const PropertyDef& property, const Json& value) {
    std::string target = link_target(value);
    if (is_uuid(target)) edges.push_back({property.name, std::move(target), property.on_delete});
  };
  for (const auto& [name, property] : type.properties) {
    const auto value = properties.find(name);
    if (value == properties.end() || name == "parent") continue;
    if (property.kind == DataKind::link && property.list && value->is_array()) {
      for (const Json& entry : *value) add(property, entry);
    } else if (property.kind == DataKind::link || name == "provider") {
      add(property, *value);
    }
  }
  return edges;
}

Json without_link(Json properties, std::string_view property, std::string_view target) {
  const auto value = properties.find(property);
  if (value == properties.end()) return properties;
  if (!value->is_array()) {
    properties.erase(value);
    return properties;
  }
  Json rest = Json::array();
  for (Json& entry : *value) {
    if (link_target(entry) != target) rest.push_back(std::move(entry));
  }
  *value = std::move(rest);
  return properties;
}

}  // namespace services::meta

// SPDX-License-Identifier: Apache-2.0
#include "services/meta/type.h"

#include <array>
#include <nlohmann/json.hpp>

#include "common/base/text.h"

namespace services::meta {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::size_t kPropertiesMax = 500;
constexpr std::size_t kVerbsMax = 100;

struct DataName {
  std::string_view text;
  DataKind kind;
};
constexpr DataName kDataNames[] = {{"string", DataKind::string},
                                   {"int", DataKind::integer},
                                   {"long", DataKind::integer},
                                   {"float", DataKind::number},
                                   {"boolean", DataKind::boolean},
                                   {"uuid", DataKind::uuid},
                                   {"datetime", DataKind::datetime},
                                   {"json", DataKind::json},
                                   {"resource::uuid", DataKind::uuid},
                                   {"resource::name", DataKind::string},
                                   {"resource::uuid::link", DataKind::link}};

Error wrong(std::string pointer, std::string detail) {
  return Error{Code::invalid_argument, std::move(detail), "type_invalid", 0, std::move(pointer)};
}

std::string_view requirement_name(Requirement requirement) {
  switch (requirement) {
    case Requirement::optional: return "optional";
    case Requirement::required: return "required";
    case Requirement::required_wait: return "required_wait";
  }
  return "";
}

std::string_view on_delete_name(OnDelete on_delete) {
  switch (on_delete) {
    case OnDelete::restricted: return "restrict";
    case OnDelete::nullify: return "nullify";
    case OnDelete::cascade: return "cascade";
  }
  return "";
}

template <class Value, std::size_t N>
bool pick(const std::string& text, const std::array<Value, N>& all, std::string_view (*name)(Value),
          Value& out) {
  for (const Value value : all) {
    if (name(value) != text) continue;
    out = value;
    return true;
  }
  return false;
}

Result<PropertyDef> read_property(const Json& entry, const std::string& pointer) {
  base::Fields fields(entry, pointer);
  PropertyDef property;
  std::string requirement = "optional";
  std::string visibility = "plain";
  std::string on_delete = "restrict";
  fields.required("name", property.name, {.length_min = 1, .length_max = 128});
  fields.optional("data_type", property.data_type, {.length_max = 64});
  fields.optional("requirement_type", requirement);
  fields.optional("visibility_type", visibility);
  fields.optional("refers_to", property.refers_to, {.length_max = 255});
  fields.optional("on_delete", on_delete);
  fields.optional("is_sealed", property.sealed);
  fields.optional("is_system", property.system);
  if (const Json* value = fields.find("default_value")) property.default_value = *value;
  TRY(fields.finish(base::UnknownFields::ignore));
  const std::string data_type = property.data_type;
  TRY(read_data_type(data_type, property));
  constexpr std::array kRequirements = {Requirement::optional, Requirement::required,
                                        Requirement::required_wait};
  constexpr std::array kOnDelete = {OnDelete::restricted, OnDelete::nullify, OnDelete::cascade};
  if (!pick(requirement, kRequirements, requirement_name, property.requirement)) {
    return wrong(pointer, "requirement_type is optional, required or required_wait");
  }
  if (!pick(on_delete, kOnDelete, on_delete_name, property.on_delete)) {
    return wrong(pointer, "on_delete is restrict, nullify or cascade");
  }
  if (visibility != "plain" && visibility != "encrypted" && visibility != "hidden") {
    return wrong(pointer, "visibility_type is plain or encrypted");
  }
  property.encrypted = visibility != "plain";
  return property;
}

Result<void> read_properties(const Json* list, ResourceType& type) {
  if (list == nullptr) return {};
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string pointer = "/properties/property_defs/" + std::to_string(i);
    auto property = TRY(read_property((*list)[i], pointer));
    const std::string name = property.name;
    if (!type.properties.emplace(name, std::move(property)).second) {
      return wrong(pointer, "the property " + name + " is there twice");
    }
  }
  return {};
}

Result<void> read_inner(const Json* object, const std::string& pointer, ResourceType& type) {
  if (object == nullptr) return {};
  base::Fields fields(*object, pointer);
  fields.optional("prefix", type.prefix, {.length_max = 64});
  fields.optional("verbs", type.verbs, kVerbsMax, {.length_min = 1, .length_max = 64});
  fields.optional("rest_name", type.rest_name, {.length_max = 64});
  fields.optional("parent_types", type.parents, kVerbsMax, {.length_max = 255});
  return fields.finish(base::UnknownFields::ignore);
}

}  // namespace

Result<void> read_data_type(std::string_view text, PropertyDef& out) {
  constexpr std::string_view kList = "::list";
  out.data_type = std::string(text);
  out.list = text.ends_with(kList);
  if (out.list) text.remove_suffix(kList.size());
  for (const DataName& known : kDataNames) {
    if (known.text != text) continue;
    out.kind = known.kind;
    return {};
  }
  return wrong("", "there is no data type '" + std::string(text) + "'");
}

std::vector<std::string> data_type_names() {
  std::vector<std::string> names;
  for (const DataName& known : kDataNames) {
    names.emplace_back(known.text);
    names.push_back(std::string(known.text) + "::list");
  }
  return names;
}

Result<ResourceType> read_type(const Json& document) {
  base::Fields fields(document);
  ResourceType type;
  fields.optional("id", type.id, {.length_max = 36});
  fields.required("name", type.name, {.length_min = 1, .length_max = 200});
  fields.optional("extend", type.extends, {.length_max = 200});
  const Json* inner = fields.find_object("properties");
  TRY(fields.finish(base::UnknownFields::ignore));
  if (inner == nullptr) return wrong("/properties", "properties are missing");
  base::Fields below(*inner, "/properties");
  if (type.extends.empty()) below.optional("extend", type.extends, {.length_max = 200});
  const Json* properties = below.find_array("property_defs", kPropertiesMax);
  const Json* actions = below.find_object("actions");
  const Json* api = below.find_object("api");
  const Json* lineage = below.find_object("lineage");
  below.optional("is_provider_backed", type.provider_backed);
  below.optional("abstract", type.is_abstract);
  below.optional("is_open", type.open);
  TRY(below.finish(base::UnknownFields::ignore));
  TRY(read_properties(properties, type));
  TRY(read_inner(actions, "/properties/actions", type));
  TRY(read_inner(api, "/properties/api", type));
  TRY(read_inner(lineage, "/properties/lineage", type));
  if (type.id.empty()) type.id = derived_id(type.name);
  return type;
}

Json property_json(const PropertyDef& property) {
  Json out = {{"name", property.name},
              {"data_type", property.data_type},
              {"requirement_type", requirement_name(property.requirement)},
              {"visibility_type", property.encrypted ? "encrypted" : "plain"},
              {"is_sealed", property.sealed},
              {"is_system", property.system}};
  if (!property.refers_to.empty()) {
    out["refers_to"] = property.refers_to;
    out["on_delete"] = on_delete_name(property.on_delete);
  }
  if (!property.default_value.is_null()) out["default_value"] = property.default_value;
  return out;
}

Json type_properties(const ResourceType& type) {
  Json properties = Json::array();
  for (const auto& [name, property] : type.properties) {
    properties.push_back(property_json(property));
  }
  return {{"extend", type.extends},
          {"property_defs", std::move(properties)},
          {"actions", {{"prefix", type.prefix}, {"verbs", type.verbs}}},
          {"api", {{"rest_name", type.rest_name}}},
          {"lineage", {{"parent_types", type.parents}}},
          {"abstract", type.is_abstract},
          {"is_open", type.open},
          {"is_provider_backed", type.provider_backed},
          {"is_system", type.system}};
}

std::string derived_id(std::string_view name) {
  // FNV-1a of 64 bits, twice from different starts: the ids need to be stable and apart, no more.
  const auto hash = [name](std::uint64_t state) {
    for (const char byte : name) {
      state = (state ^ static_cast<std::uint8_t>(byte)) * 0x100000001b3ULL;
    }
    return state ^ (state >> 29);
  };
  std::string bytes(16, '\0');
  const std::uint64_t halves[2] = {hash(0xcbf29ce484222325ULL), hash(0x84222325cbf29ce4ULL)};
  for (std::size_t i = 0; i < 16; ++i) {
    bytes[i] = static_cast<char>(halves[i / 8] >> (8 * (i % 8)));
  }
  bytes[6] = static_cast<char>((bytes[6] & 0x0f) | 0x80);
  bytes[8] = static_cast<char>((bytes[8] & 0x3f) | 0x80);
  const std::string hex = base::to_hex(bytes);
  return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) + "-" +
         hex.substr(16, 4) + "-" + hex.substr(20);
}

}  // namespace services::meta

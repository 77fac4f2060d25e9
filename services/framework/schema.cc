// SPDX-License-Identifier: Apache-2.0
#include "services/framework/schema.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>
#include <set>

#include "common/base/text.h"

namespace services {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::string_view kRefPrefix = "#/components/schemas/";
constexpr int kDepthMax = 64;

const std::set<std::string, std::less<>> kKnown = {"$ref",
                                                   "type",
                                                   "enum",
                                                   "const",
                                                   "properties",
                                                   "required",
                                                   "items",
                                                   "minItems",
                                                   "maxItems",
                                                   "pattern",
                                                   "minLength",
                                                   "maxLength",
                                                   "format",
                                                   "minimum",
                                                   "maximum",
                                                   "anyOf",
                                                   "oneOf",
                                                   "allOf",
                                                   "title",
                                                   "default",
                                                   "examples",
                                                   "description",
                                                   "additionalProperties",
                                                   "minProperties",
                                                   "maxProperties",
                                                   "deprecated"};

Error bad_schema(std::string detail, std::string pointer) {
  return Error{Code::invalid_argument, std::move(detail), "json_schema_invalid", 0,
               std::move(pointer)};
}

Error violated(std::string detail, std::string pointer) {
  return Error{Code::invalid_argument, std::move(detail), "schema_violated", 0, std::move(pointer)};
}

Result<void> check_schema(const Json& schema, const std::string& pointer, int depth);

Result<void> check_children(const Json& schema, const std::string& pointer, int depth) {
  for (const char* many : {"anyOf", "oneOf", "allOf"}) {
    if (!schema.contains(many)) continue;
    for (const Json& each : schema[many]) {
      TRY(check_schema(each, base::child_pointer(pointer, many), depth + 1));
    }
  }
  if (schema.contains("items")) {
    TRY(check_schema(schema["items"], pointer + "/items", depth + 1));
  }
  if (schema.contains("additionalProperties") && !schema["additionalProperties"].is_boolean()) {
    TRY(check_schema(schema["additionalProperties"], pointer + "/additionalProperties", depth + 1));
  }
  if (!schema.contains("properties")) return {};
  for (const auto& [name, each] : schema["properties"].items()) {
    TRY(check_schema(each, base::child_pointer(pointer + "/properties", name), depth + 1));
  }
  return {};
}

Result<void> check_schema(const Json& schema, const std::string& pointer, int depth) {
  if (depth > kDepthMax) return bad_schema("the schema is nested too deeply", pointer);
  if (!schema.is_object()) return bad_schema("a schema is an object", pointer);
  for (const auto& [name, value] : schema.items()) {
    if (!kKnown.contains(name)) return bad_schema("'" + name + "' is not supported", pointer);
  }
  return check_children(schema, pointer, depth);
}

bool has_type(const Json& value, std::string_view type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "null") return value.is_null();
  if (type == "number") return value.is_number();
  if (type != "integer") return false;
  return value.is_number_integer() ||
         (value.is_number_float() && std::trunc(value.get<double>()) == value.get<double>());
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : std::isxdigit(static_cast<unsigned char>(text[i])) == 0)
      return false;
  }
  return true;
}

std::size_t characters(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

bool is_time(const std::string& text) {
  static const std::regex kTime(
      R"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d))");
  return text.size() < 48 && std::regex_match(text, kTime);
}

bool matches(const std::string& text, const std::string& pattern) {
  // Patterns are ours (constexpr tables and checked types), texts are bounded by maxLength.
  try {
    return std::regex_search(text, std::regex(pattern, std::regex::ECMAScript));
  } catch (const std::regex_error&) {
    return false;
  }
}

struct Validator {
  const Json& components;

  Result<void> check(const Json& schema, const Json& value, const std::string& at,
                     int depth) const {
    if (depth > kDepthMax) return violated("is nested too deeply", at);
    if (schema.contains("$ref")) {
      const std::string name = schema["$ref"].get<std::string>().substr(kRefPrefix.size());
      return check(components.at(name), value, at, depth + 1);
    }
    TRY(check_type(schema, value, at));
    TRY(check_combined(schema, value, at, depth));
    if (value.is_string()) return check_text(schema, value.get_ref<const std::string&>(), at);
    if (value.is_number()) return check_number(schema, value.get<double>(), at);
    if (value.is_array()) return check_array(schema, value, at, depth);
    if (value.is_object()) return check_object(schema, value, at, depth);
    return {};
  }

  static Result<void> check_type(const Json& schema, const Json& value, const std::string& at) {
    if (const auto type = schema.find("type"); type != schema.end()) {
      bool fits = false;
      if (type->is_array()) {
        for (const Json& each : *type) fits = fits || has_type(value, each.get<std::string>());
      } else {
        fits = has_type(value, type->get_ref<const std::string&>());
      }
      if (!fits) return violated("is not of type " + base::dump_json(*type), at);
    }
    if (const auto list = schema.find("enum"); list != schema.end()) {
      if (std::find(list->begin(), list->end(), value) == list->end()) {
        return violated("is none of " + base::dump_json(*list), at);
      }
    }
    if (const auto one = schema.find("const"); one != schema.end() && *one != value) {
      return violated("is not " + base::dump_json(*one), at);
    }
    return {};
  }

  Result<void> check_combined(const Json& schema, const Json& value, const std::string& at,
                              int depth) const {
    if (const auto all = schema.find("allOf"); all != schema.end()) {
      for (const Json& each : *all) TRY(check(each, value, at, depth + 1));
    }
    for (const auto& [word, most] : {std::pair{"anyOf", std::size_t{1000}}, {"oneOf", 1}}) {
      const auto list = schema.find(word);
      if (list == schema.end()) continue;
      std::size_t fitting = 0;
      std::optional<Error> closest;  // of the form that the value fits furthest
      for (const Json& each : *list) {
        const Result<void> fits = check(each, value, at, depth + 1);
        if (fits) {
          ++fitting;
        } else if (!closest || fits.error().pointer.size() > closest->pointer.size()) {
          closest = fits.error();
        }
      }
      if (fitting > most) return violated("fits more than one of the forms", at);
      if (fitting == 0) {
        std::string detail = "fits none of the allowed forms";
        if (closest) detail += ": " + closest->pointer + " " + closest->detail;
        return violated(std::move(detail), at);
      }
    }
    return {};
  }

  static Result<void> check_text(const Json& schema, const std::string& text,
                                 const std::string& at) {
    const std::size_t length = characters(text);
    if (length < schema.value("minLength", std::size_t{0})) return violated("is too short", at);
    if (length > schema.value("maxLength", std::size_t{1} << 30))
      return violated("is too long", at);
    if (const auto pattern = schema.find("pattern");
        pattern != schema.end() && !matches(text, pattern->get<std::string>())) {
      return violated("does not match " + pattern->get<std::string>(), at);
    }
    const std::string format = schema.value("format", "");
    if (format == "uuid" && !is_uuid(text)) return violated("is not a UUID", at);
    if (format == "date-time" && !is_time(text)) return violated("is not an RFC 3339 time", at);
    return {};
  }

  static Result<void> check_number(const Json& schema, double number, const std::string& at) {
    if (number < schema.value("minimum", -1e308)) return violated("is too small", at);
    if (number > schema.value("maximum", 1e308)) return violated("is too large", at);
    return {};
  }

  Result<void> check_array(const Json& schema, const Json& value, const std::string& at,
                           int depth) const {
    if (value.size() < schema.value("minItems", std::size_t{0}))
      return violated("has too few items", at);
    if (value.size() > schema.value("maxItems", std::size_t{1} << 30))
      return violated("has too many items", at);
    const auto items = schema.find("items");
    if (items == schema.end()) return {};
    for (std::size_t i = 0; i < value.size(); ++i) {
      TRY(check(*items, value[i], at + "/" + std::to_string(i), depth + 1));
    }
    return {};
  }

  Result<void> check_object(const Json& schema, const Json& value, const std::string& at,
                            int depth) const {
    if (value.size() < schema.value("minProperties", std::size_t{0}))
      return violated("has too few fields", at);
    if (value.size() > schema.value("maxProperties", std::size_t{1} << 30))
      return violated("has too many fields", at);
    if (const auto required = schema.find("required"); required != schema.end()) {
      for (const Json& name : *required) {
        if (!value.contains(name.get_ref<const std::string&>())) {
          return violated("is missing", base::child_pointer(at, name.get<std::string>()));
        }
      }
    }
    const auto properties = schema.find("properties");
    const auto other = schema.find("additionalProperties");
    for (const auto& [name, each] : value.items()) {
      const Json* known = nullptr;
      if (properties != schema.end()) {
        if (const auto found = properties->find(name); found != properties->end()) known = &*found;
      }
      if (known == nullptr && other != schema.end()) {
        if (other->is_object()) known = &*other;
        if (other->is_boolean() && !other->get<bool>())
          return violated("is not known", base::child_pointer(at, name));
      }
      if (known != nullptr) TRY(check(*known, each, base::child_pointer(at, name), depth + 1));
    }
    return {};
  }
};

Result<void> check_refs(const Json& schema, const Json& components) {
  if (schema.is_object() && schema.contains("$ref") && schema["$ref"].is_string()) {
    const std::string ref = schema["$ref"];
    if (!ref.starts_with(kRefPrefix) || !components.contains(ref.substr(kRefPrefix.size()))) {
      return bad_schema("'" + ref + "' names no schema", "/$ref");
    }
  }
  if (!schema.is_structured()) return {};
  for (const Json& each : schema) TRY(check_refs(each, components));
  return {};
}

}  // namespace

Schemas::Schemas() : components_(std::make_unique<Json>(Json::object())) {}
Schemas::~Schemas() = default;

Result<Json> Schemas::read(std::string_view text) {
  Json schema = TRY(base::parse_json(text));
  TRY(check_schema(schema, "", 0));
  return schema;
}

Result<void> Schemas::add(std::string_view name, std::string_view text) {
  if (components_->contains(name)) {
    return bad_schema("there are two schemas '" + std::string(name) + "'", "");
  }
  (*components_)[std::string(name)] = TRY(read(text));
  return {};
}

Result<void> Schemas::check_references() const { return check_refs(*components_, *components_); }

const Json& Schemas::components() const { return *components_; }

Result<void> Schemas::validate(const Json& schema, const Json& value) const {
  return Validator{*components_}.check(schema, value, "", 0);
}

}  // namespace services

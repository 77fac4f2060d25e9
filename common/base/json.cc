// SPDX-License-Identifier: Apache-2.0
#include "common/base/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace base {

namespace {

// Nesting of brackets outside strings. The parser itself does not recurse, but code that walks the
// value may.
std::size_t depth_of(std::string_view text) {
  std::size_t depth = 0;
  std::size_t deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

}  // namespace

Result<Json> parse_json(std::string_view text, JsonLimits limits, JsonComments comments) {
  if (text.size() > limits.bytes_max) {
    return Error{Code::too_large,
                 std::to_string(text.size()) + " bytes of JSON, at most " +
                     std::to_string(limits.bytes_max) + " are allowed",
                 "json_too_large"};
  }
  if (depth_of(text) > limits.depth_max) {
    return Error{Code::invalid_argument,
                 "JSON is nested more than " + std::to_string(limits.depth_max) + " levels deep",
                 "json_too_deep"};
  }
  try {
    return Json::parse(text, nullptr, true, comments == JsonComments::ignore);
  } catch (const Json::parse_error& failure) {
    return Error{Code::invalid_argument, "not JSON: error at byte " + std::to_string(failure.byte),
                 "json_invalid"};
  } catch (const Json::exception&) {
    return Error{Code::invalid_argument, "not JSON: a number is out of range", "json_invalid"};
  }
}

std::string dump_json(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}
std::string dump_json_pretty(const Json& value) {
  return value.dump(2, ' ', false, Json::error_handler_t::replace);
}

std::string child_pointer(std::string_view pointer, std::string_view token) {
  std::string out(pointer);
  out += '/';
  for (const char c : token) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

Fields::Fields(const Json& object, std::string pointer)
    : object_(&object), pointer_(std::move(pointer)) {
  if (object.is_object()) return;
  object_ = nullptr;
  error_ = Error{Code::invalid_argument, "must be an object", "not_an_object", 0, pointer_};
}

const Json* Fields::known(std::string_view name) {
  known_.emplace_back(name);
  if (object_ == nullptr) return nullptr;
  const auto at = object_->find(name);
  return at == object_->end() || at->is_null() ? nullptr : &*at;
}

const Json* Fields::needed(std::string_view name) {
  const Json* value = known(name);
  if (value == nullptr && object_ != nullptr) reject(name, "is required", "field_missing");
  return value;
}

void Fields::reject(std::string_view name, std::string detail, std::string_view reason) {
  reject(Error{Code::invalid_argument, std::move(detail), reason, 0, pointer_of(name)});
}

void Fields::reject(Error error) {
  if (!error_) error_ = std::move(error);
}

void Fields::take(std::string_view name, const Json* value, std::string& out, TextLimits limits) {
  if (value == nullptr) return;
  if (!value->is_string()) return reject(name, "must be a string");
  const auto& text = value->get_ref<const std::string&>();
  if (text.size() < limits.length_min || text.size() > limits.length_max) {
    return reject(name, "must have from " + std::to_string(limits.length_min) + " to " +
                            std::to_string(limits.length_max) + " bytes");
  }
  if (text.find('\0') != std::string::npos) return reject(name, "must not contain a zero byte");
  out = text;
}

void Fields::take(std::string_view name, const Json* value, std::int64_t& out, IntLimits limits) {
  if (value == nullptr) return;
  // 2.0 is a whole number in JSON; 2.5 is not.
  const bool too_big = value->is_number_unsigned() &&
                       value->get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX);
  if (!value->is_number() || too_big) return reject(name, "must be a whole number");
  std::int64_t number = 0;
  if (value->is_number_float()) {
    const double real = value->get<double>();
    if (!(real >= -9e15 && real <= 9e15)) return reject(name, "must be a whole number");
    number = static_cast<std::int64_t>(real);
    if (static_cast<double>(number) != real) return reject(name, "must be a whole number");
  } else {
    number = value->get<std::int64_t>();
  }
  if (number < limits.min || number > limits.max) {
    return reject(
        name, "must be from " + std::to_string(limits.min) + " to " + std::to_string(limits.max));
  }
  out = number;
}

void Fields::required(std::string_view name, std::string& out, TextLimits limits) {
  take(name, needed(name), out, limits);
}
void Fields::optional(std::string_view name, std::string& out, TextLimits limits) {
  take(name, known(name), out, limits);
}
void Fields::required(std::string_view name, std::int64_t& out, IntLimits limits) {
  take(name, needed(name), out, limits);
}
void Fields::optional(std::string_view name, std::int64_t& out, IntLimits limits) {
  take(name, known(name), out, limits);
}

void Fields::optional(std::string_view name, double& out, NumberLimits limits) {
  const Json* value = known(name);
  if (value == nullptr) return;
  if (!value->is_number()) return reject(name, "must be a number");
  const double number = value->get<double>();
  if (!(number >= limits.min && number <= limits.max)) {
    return reject(name,
                  "must be from " + Json(limits.min).dump() + " to " + Json(limits.max).dump());
  }
  out = number;
}

void Fields::optional(std::string_view name, bool& out) {
  const Json* value = known(name);
  if (value == nullptr) return;
  if (!value->is_boolean()) return reject(name, "must be true or false");
  out = value->get<bool>();
}

void Fields::optional(std::string_view name, std::vector<std::string>& out, std::size_t count_max,
                      TextLimits each) {
  const Json* value = find_array(name, count_max);
  if (value == nullptr) return;
  std::vector<std::string> read;
  for (std::size_t i = 0; i < value->size(); ++i) {
    Fields item(*object_, pointer_of(name));
    std::string text;
    item.take(std::to_string(i), &(*value)[i], text, each);
    if (item.error_) return reject(*item.error_);
    read.push_back(std::move(text));
  }
  out = std::move(read);
}

const Json* Fields::find(std::string_view name) { return known(name); }

const Json* Fields::find_object(std::string_view name) {
  const Json* value = known(name);
  if (value == nullptr || value->is_object()) return value;
  reject(name, "must be an object");
  return nullptr;
}

const Json* Fields::find_array(std::string_view name, std::size_t count_max) {
  const Json* value = known(name);
  if (value == nullptr) return nullptr;
  if (!value->is_array()) {
    reject(name, "must be an array");
    return nullptr;
  }
  if (value->size() > count_max) {
    reject(name, "must have at most " + std::to_string(count_max) + " entries");
    return nullptr;
  }
  return value;
}

Result<void> Fields::finish(UnknownFields unknown) {
  if (!error_ && unknown == UnknownFields::refuse && object_ != nullptr) {
    for (const auto& [name, value] : object_->items()) {
      if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
      reject(name.substr(0, 200), "is not a known field", "field_unknown");
      break;
    }
  }
  if (error_) return *error_;
  return {};
}

}  // namespace base

// SPDX-License-Identifier: Apache-2.0
#include "cli/yaml.h"

#include <yaml.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "common/base/text.h"

namespace cli {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

Error wrong(const yaml_mark_t& mark, const std::string& what) {
  return Error{Code::invalid_argument,
               "line " + std::to_string(mark.line + 1) + ", column " +
                   std::to_string(mark.column + 1) + ": " + what,
               "yaml_invalid"};
}

// A plain scalar by the core schema of YAML 1.2.
Json plain(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") {
    return Json();
  }
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  const char first = text.front();
  const bool numeric = (first >= '0' && first <= '9') || first == '-' || first == '.';
  if (!numeric) return text;
  const auto whole = base::parse_int(text, INT64_MIN, INT64_MAX);
  if (whole) return *whole;
  double number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed == std::errc() && end == text.data() + text.size()) return number;
  return text;
}

class Reader {
 public:
  Reader(std::string_view text, YamlLimits limits) : limits_(limits) {
    made_ = yaml_parser_initialize(&parser_) == 1;
    if (!made_) return;
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()),
                                 text.size());
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
  }
  ~Reader() {
    forget();
    if (made_) yaml_parser_delete(&parser_);
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  Result<std::vector<Json>> read() {
    std::vector<Json> documents;
    if (!made_) return Error{Code::internal, "libyaml has no memory", "yaml_invalid"};
    while (true) {
      TRY(next());
      if (event_.type == YAML_STREAM_END_EVENT) return documents;
      if (event_.type != YAML_DOCUMENT_START_EVENT) continue;
      TRY(next());
      Json value = TRY(value_here(0));
      if (!value.is_null()) documents.push_back(std::move(value));
    }
  }

 private:
  void forget() {
    if (held_) yaml_event_delete(&event_);
    held_ = false;
  }

  Result<void> next() {
    forget();
    if (yaml_parser_parse(&parser_, &event_) != 1) {
      const char* problem = parser_.problem == nullptr ? "no YAML" : parser_.problem;
      return wrong(parser_.problem_mark, problem);
    }
    held_ = true;
    return {};
  }

  Result<Json> value_here(std::size_t depth) {
    if (depth > limits_.depth_max) return wrong(event_.start_mark, "nested too deeply");
    if (++values_ > limits_.values_max) return wrong(event_.start_mark, "too many values");
    switch (event_.type) {
      case YAML_SCALAR_EVENT: return scalar_here();
      case YAML_SEQUENCE_START_EVENT: return list_here(depth);
      case YAML_MAPPING_START_EVENT: return map_here(depth);
      case YAML_ALIAS_EVENT: return wrong(event_.start_mark, "aliases are not taken");
      default: return wrong(event_.start_mark, "a value was expected");
    }
  }

  Result<Json> scalar_here() {
    const auto& scalar = event_.data.scalar;
    if (scalar.anchor != nullptr) return wrong(event_.start_mark, "anchors are not taken");
    if (scalar.tag != nullptr) return wrong(event_.start_mark, "tags are not taken");
    const std::string text(reinterpret_cast<const char*>(scalar.value), scalar.length);
    return scalar.style == YAML_PLAIN_SCALAR_STYLE ? plain(text) : Json(text);
  }

  Result<Json> list_here(std::size_t depth) {
    const auto& start = event_.data.sequence_start;
    if (start.anchor != nullptr) return wrong(event_.start_mark, "anchors are not taken");
    if (start.tag != nullptr) return wrong(event_.start_mark, "tags are not taken");
    Json list = Json::array();
    while (true) {
      TRY(next());
      if (event_.type == YAML_SEQUENCE_END_EVENT) return list;
      list.push_back(TRY(value_here(depth + 1)));
    }
  }

  Result<Json> map_here(std::size_t depth) {
    const auto& start = event_.data.mapping_start;
    if (start.anchor != nullptr) return wrong(event_.start_mark, "anchors are not taken");
    if (start.tag != nullptr) return wrong(event_.start_mark, "tags are not taken");
    Json map = Json::object();
    while (true) {
      TRY(next());
      if (event_.type == YAML_MAPPING_END_EVENT) return map;
      if (event_.type != YAML_SCALAR_EVENT) return wrong(event_.start_mark, "a key must be text");
      const auto& scalar = event_.data.scalar;
      const std::string key(reinterpret_cast<const char*>(scalar.value), scalar.length);
      if (key == "<<") return wrong(event_.start_mark, "merge keys are not taken");
      if (map.contains(key)) return wrong(event_.start_mark, "the key " + key + " is there twice");
      TRY(next());
      map[key] = TRY(value_here(depth + 1));
    }
  }

  YamlLimits limits_;
  yaml_parser_t parser_{};
  yaml_event_t event_{};
  bool made_ = false;
  bool held_ = false;
  std::size_t values_ = 0;
};

}  // namespace

Result<std::vector<Json>> parse_yaml(std::string_view text, YamlLimits limits) {
  if (text.size() > limits.bytes_max) {
    return Error{Code::too_large, "the text has more than 1 MiB", "yaml_invalid"};
  }
  if (!base::is_utf8(text)) {
    return Error{Code::invalid_argument, "the text is not UTF-8", "yaml_invalid"};
  }
  return Reader(text, limits).read();
}

}  // namespace cli

// SPDX-License-Identifier: Apache-2.0
// JSON in, typed fields out, with the JSON pointer (RFC 6901) of whatever is wrong.
//
// The one place where the JSON library's exceptions are caught. Headers that only pass Json along
// include <nlohmann/json_fwd.hpp>; sources include this header's library through the precompiled
// header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace base {

using Json = nlohmann::json;

enum class JsonComments { refuse, ignore };

struct JsonLimits {
  std::size_t bytes_max = 1 << 20;
  std::size_t depth_max = 64;
};

// Errors: too_large json_too_large; invalid_argument json_invalid (with byte offset),
// json_too_deep.
Result<Json> parse_json(std::string_view text, JsonLimits limits = {},
                        JsonComments comments = JsonComments::refuse);

// Compact text. Bytes that are not UTF-8 become U+FFFD, so that foreign text can never break a
// reply.
std::string dump_json(const Json& value);
std::string dump_json_pretty(const Json& value);

// Appends a reference token to a JSON pointer, escaping '~' and '/'.
std::string child_pointer(std::string_view pointer, std::string_view token);

enum class UnknownFields { refuse, ignore };

struct TextLimits {
  std::size_t length_min = 0;
  std::size_t length_max = 4096;
};
struct IntLimits {
  std::int64_t min = INT64_MIN;
  std::int64_t max = INT64_MAX;
};
struct NumberLimits {
  double min = -1e300;
  double max = 1e300;
};

// Reads one JSON object field by field and keeps the first thing that is wrong.
//
//   Fields fields(json, "/container");
//   fields.required("image", spec.image, {.length_max = 1024});
//   fields.optional("forcePullImage", spec.force_pull);
//   TRY(fields.finish(UnknownFields::refuse));
//
// Absent and null are the same. A field that is wrong leaves its variable untouched.
// Requires: the Json outlives the reader.
class Fields {
 public:
  explicit Fields(const Json& object, std::string pointer = "");
  explicit Fields(Json&&, std::string = "") = delete;  // it would be gone before it is read

  void required(std::string_view name, std::string& out, TextLimits limits = {});
  void optional(std::string_view name, std::string& out, TextLimits limits = {});
  void required(std::string_view name, std::int64_t& out, IntLimits limits = {});
  void optional(std::string_view name, std::int64_t& out, IntLimits limits = {});
  void optional(std::string_view name, double& out, NumberLimits limits = {});
  void optional(std::string_view name, bool& out);
  void optional(std::string_view name, std::vector<std::string>& out, std::size_t count_max = 1000,
                TextLimits each = {});

  // The field's value, or nullptr when absent or null. Counts as known.
  const Json* find(std::string_view name);
  // As find, but a value of another type is an error and gives nullptr.
  const Json* find_object(std::string_view name);
  const Json* find_array(std::string_view name, std::size_t count_max = 10000);

  // Notes that `name` is wrong. Only the first note counts.
  void reject(std::string_view name, std::string detail, std::string_view reason = "field_invalid");
  // Notes an error found by a reader of a nested object.
  void reject(Error error);
  bool failed() const { return error_.has_value(); }

  std::string pointer_of(std::string_view name) const { return child_pointer(pointer_, name); }

  // Errors: invalid_argument field_missing, field_invalid, field_unknown, not_an_object; each with
  // a pointer.
  Result<void> finish(UnknownFields unknown);

 private:
  const Json* known(std::string_view name);
  const Json* needed(std::string_view name);
  void take(std::string_view name, const Json* value, std::string& out, TextLimits limits);
  void take(std::string_view name, const Json* value, std::int64_t& out, IntLimits limits);

  const Json* object_;  // nullptr when the value was not an object
  std::string pointer_;
  std::vector<std::string> known_;
  std::optional<Error> error_;
};

}  // namespace base

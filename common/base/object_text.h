// SPDX-License-Identifier: Apache-2.0
// An object as JSON text, made field by field, without making values of it first.
//
// For what is written often and read seldom: records of every change. The text is the same that
// dump_json gives for the object with these fields.
// Requires: names come in byte order, each once, and are plain (printable ASCII without " and \).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/json.h"

namespace base {

class ObjectText {
 public:
  ObjectText& text(std::string_view name, std::string_view value);
  ObjectText& number(std::string_view name, std::int64_t value);
  ObjectText& flag(std::string_view name, bool value);
  ObjectText& value(std::string_view name, const Json& value);
  // `json` is JSON text, and is taken as it is.
  ObjectText& raw(std::string_view name, std::string_view json);
  // The whole object; nothing is added to it afterwards.
  std::string take();

 private:
  void begin(std::string_view name);
  std::string out_ = "{";
  std::string last_;
};

}  // namespace base

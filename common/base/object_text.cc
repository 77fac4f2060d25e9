// SPDX-License-Identifier: Apache-2.0
#include "common/base/object_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/check.h"

namespace base {
namespace {

bool is_plain(char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

void append_quoted(std::string& out, std::string_view text) {
  if (!std::all_of(text.begin(), text.end(), is_plain)) {
    out += dump_json(Json(std::string(text)));
    return;
  }
  out += '"';
  out += text;
  out += '"';
}

}  // namespace

void ObjectText::begin(std::string_view name) {
  CHECK_THAT(name > last_ || out_.size() == 1);
  last_ = name;
  if (out_.size() > 1) out_ += ',';
  out_ += '"';
  out_ += name;
  out_ += "\":";
}

ObjectText& ObjectText::text(std::string_view name, std::string_view value) {
  begin(name);
  append_quoted(out_, value);
  return *this;
}

ObjectText& ObjectText::number(std::string_view name, std::int64_t value) {
  return raw(name, std::to_string(value));
}

ObjectText& ObjectText::flag(std::string_view name, bool value) {
  return raw(name, value ? "true" : "false");
}

ObjectText& ObjectText::value(std::string_view name, const Json& value) {
  return raw(name, dump_json(value));
}

ObjectText& ObjectText::raw(std::string_view name, std::string_view json) {
  begin(name);
  out_ += json;
  return *this;
}

std::string ObjectText::take() {
  out_ += '}';
  return std::move(out_);
}

}  // namespace base

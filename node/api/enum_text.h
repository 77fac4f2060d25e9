// SPDX-License-Identifier: Apache-2.0
// Enums as the words that stand for them in JSON. Used by the readers and writers of node/api.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/json.h"

namespace node::api {

template <class Enum, std::size_t N>
using EnumWords = std::array<std::pair<Enum, std::string_view>, N>;

template <class Enum, std::size_t N>
std::string_view word_of(const EnumWords<Enum, N>& words, Enum value) {
  for (const auto& [each, word] : words) {
    if (each == value) return word;
  }
  return "";
}

// Leaves `out` alone when the field is absent; notes an error that lists the words otherwise.
template <class Enum, std::size_t N>
void read_enum(base::Fields& fields, std::string_view name, const EnumWords<Enum, N>& words,
               Enum& out) {
  std::string text;
  fields.optional(name, text, {.length_max = 64});
  if (text.empty() || fields.failed()) return;
  std::string known;
  for (const auto& [each, word] : words) {
    if (word == text) {
      out = each;
      return;
    }
    known += (known.empty() ? "" : ", ") + std::string(word);
  }
  fields.reject(name, "must be one of " + known);
}

}  // namespace node::api

// SPDX-License-Identifier: Apache-2.0
#include "cli/macros.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "common/base/text.h"

namespace cli {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::size_t kMacroBytesMax = 2048;

Error wrong(std::string_view macro, std::string what) {
  return Error{Code::invalid_argument, std::string(macro) + ": " + std::move(what),
               "macro_invalid"};
}

Result<Macro> read_macro(std::string_view text) {
  std::vector<std::string> words;
  const std::string_view inner = text.substr(2, text.size() - 3);
  for (const std::string_view word : base::split(inner, ' ')) {
    if (!word.empty()) words.emplace_back(word);
  }
  if (words.size() < 2 || words.size() > 3) {
    return wrong(text, "a reference is written #{KIND WHERE [FIELD]} or #{Config KEY}");
  }
  Macro macro{words[0], words[1], words.size() == 3 ? words[2] : "id", std::string(text)};
  std::replace(macro.field.begin(), macro.field.end(), '.', '/');
  if (macro.field.find('~') != std::string::npos) {
    return wrong(text, "a field is written properties.url");
  }
  if (macro.kind != "Config" && collection_of_kind(macro.kind).empty()) {
    return wrong(text, "there is no kind '" + macro.kind + "'");
  }
  return macro;
}

// The end of a reference that begins at `from`, behind its brace. Errors: it has none.
Result<std::size_t> end_of(std::string_view text, std::size_t from) {
  const std::size_t brace = text.find('}', from);
  if (brace != std::string_view::npos && brace - from < kMacroBytesMax) return brace + 1;
  return wrong(text.substr(from, 40), "its closing brace is missing; ##{ stands for #{");
}

Result<Json> expand_text(const std::string& text, const ResolveMacro& resolve) {
  std::string out;
  std::size_t at = 0;
  for (std::size_t next = text.find("#{"); next != std::string::npos; next = text.find("#{", at)) {
    if (next > at && text[next - 1] == '#') {
      out.append(text, at, next - at - 1).append("#{");
      at = next + 2;
      continue;
    }
    const std::size_t end = TRY(end_of(text, next));
    const Macro macro = TRY(read_macro(std::string_view(text).substr(next, end - next)));
    Json value = TRY(resolve(macro));
    if (next == 0 && end == text.size()) return value;
    if (value.is_structured() || value.is_null()) {
      return wrong(macro.text, "its value is no text, and cannot stand within one");
    }
    out.append(text, at, next - at);
    out += value.is_string() ? value.get<std::string>() : base::dump_json(value);
    at = end;
  }
  return Json(out.append(text, at));
}

}  // namespace

std::string collection_of_kind(const std::string& kind) {
  if (kind.empty() || kind.size() > 64) return "";
  const bool is_word = std::all_of(kind.begin(), kind.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
  if (!is_word) return "";
  std::string name = base::lower(kind);
  const bool is_singular = kind.front() >= 'A' && kind.front() <= 'Z';
  if (!is_singular) return name;
  if (name.ends_with('y')) return name.substr(0, name.size() - 1) + "ies";
  return name + "s";
}

Result<Json> expand_macros(const Json& value, const ResolveMacro& resolve) {
  if (value.is_string()) return expand_text(value.get_ref<const std::string&>(), resolve);
  if (!value.is_structured()) return value;
  Json out = value;
  for (Json& entry : out) entry = TRY(expand_macros(entry, resolve));
  return out;
}

}  // namespace cli

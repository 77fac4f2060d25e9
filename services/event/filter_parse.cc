// SPDX-License-Identifier: Apache-2.0
// The grammar of filters:
//   either     = both *( "or" both )
//   both       = single *( "and" single )
//   single     = "not" single | "(" either ")" | path operator value
//   path       = word *( "." word | "[" number "]" )
//   value      = string | number | true | false | null | "[" [ value *( "," value ) ] "]"   (JSON)
#include <array>
#include <cctype>

#include "common/base/text.h"
#include "services/event/filter_parts.h"

namespace services::event {
namespace {

constexpr std::size_t kTextMax = 4096;
constexpr std::size_t kPartsMax = 256;
constexpr std::size_t kDepthMax = 32;
constexpr std::int64_t kPlaceMax = 1'000'000;

struct Operator {
  std::string_view text;
  Compare compare;
};
// Longer ones before their beginnings.
constexpr std::array<Operator, 10> kOperators{{{"==", Compare::equal},
                                               {"!=", Compare::unequal},
                                               {"<=", Compare::less_equal},
                                               {">=", Compare::greater_equal},
                                               {"<", Compare::less},
                                               {">", Compare::greater},
                                               {"contains", Compare::contains},
                                               {"startsWith", Compare::starts_with},
                                               {"endsWith", Compare::ends_with},
                                               {"in", Compare::in}}};
constexpr std::array<std::string_view, 6> kFields{"name",      "id",     "key",
                                                  "partition", "offset", "data"};

bool is_word_letter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '$';
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  base::Result<Filter::Parts> run() {
    parts_.root = TRY(either(0));
    skip();
    if (at_ != text_.size()) return error("the filter goes on behind its end");
    return std::move(parts_);
  }

 private:
  base::Error error(const std::string& what) const {
    return base::Error{base::Code::invalid_argument, what + " (byte " + std::to_string(at_) + ")",
                       "filter_invalid"};
  }
  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  // A word of letters only counts when no further letter follows.
  bool take(std::string_view token) {
    skip();
    if (!text_.substr(at_).starts_with(token)) return false;
    const std::size_t end = at_ + token.size();
    if (is_word_letter(token.back()) && end < text_.size() && is_word_letter(text_[end]))
      return false;
    at_ = end;
    return true;
  }
  base::Result<std::size_t> add(FilterPart part) {
    if (parts_.all.size() >= kPartsMax) return error("the filter has more than 256 parts");
    parts_.all.push_back(std::move(part));
    return parts_.all.size() - 1;
  }

  base::Result<std::size_t> either(std::size_t depth) {
    std::size_t left = TRY(both(depth));
    while (take("or")) {
      const std::size_t right = TRY(both(depth));
      left = TRY(add({FilterPart::Kind::either, left, right}));
    }
    return left;
  }
  base::Result<std::size_t> both(std::size_t depth) {
    std::size_t left = TRY(single(depth));
    while (take("and")) {
      const std::size_t right = TRY(single(depth));
      left = TRY(add({FilterPart::Kind::both, left, right}));
    }
    return left;
  }
  base::Result<std::size_t> single(std::size_t depth) {
    if (depth >= kDepthMax) return error("the filter has more than 32 levels");
    if (take("not")) {
      const std::size_t below = TRY(single(depth + 1));
      return add({FilterPart::Kind::negation, below, 0});
    }
    if (take("(")) {
      const std::size_t inside = TRY(either(depth + 1));
      if (!take(")")) return error("a parenthesis is not closed");
      return inside;
    }
    return comparison();
  }
  base::Result<std::size_t> comparison() {
    FilterPart part;
    part.path = TRY(path());
    bool found = false;
    for (const Operator& one : kOperators) {
      if (found || !take(one.text)) continue;
      part.compare = one.compare;
      found = true;
    }
    if (!found) return error("an operator is expected");
    part.value = TRY(value());
    if (part.compare == Compare::in && !part.value.is_array())
      return error("'in' needs a list in brackets");
    return add(std::move(part));
  }

  base::Result<std::string> word() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_word_letter(text_[at_])) ++at_;
    if (at_ == begin) return error("a field is expected");
    return std::string(text_.substr(begin, at_ - begin));
  }
  base::Result<std::vector<Step>> path() {
    skip();
    std::vector<Step> steps;
    const std::size_t begin = at_;
    const std::string field = TRY(word());
    if (std::find(kFields.begin(), kFields.end(), field) == kFields.end()) {
      at_ = begin;
      return error("there is no field " + field);
    }
    steps.emplace_back(field);
    while (at_ < text_.size() && (text_[at_] == '.' || text_[at_] == '[')) {
      if (steps.size() >= kDepthMax) return error("a field has more than 32 levels");
      if (text_[at_++] == '.') {
        steps.emplace_back(TRY(word()));
        continue;
      }
      const std::size_t end = text_.find(']', at_);
      if (end == std::string_view::npos) return error("a bracket is not closed");
      const auto place = base::parse_int(text_.substr(at_, end - at_), 0, kPlaceMax);
      if (!place) return error("a number is expected in brackets");
      steps.emplace_back(static_cast<std::size_t>(*place));
      at_ = end + 1;
    }
    return steps;
  }

  // Where the JSON value at `at_` ends: strings and brackets are followed, the rest is a word.
  base::Result<std::size_t> end_of_value() const {
    std::size_t depth = 0;
    for (std::size_t i = at_; i < text_.size(); ++i) {
      const char c = text_[i];
      if (c == '"') {
        for (++i; i < text_.size() && text_[i] != '"'; ++i)
          if (text_[i] == '\\') ++i;
        if (i >= text_.size()) return error("a text is not closed");
        if (depth == 0) return i + 1;
      } else if (c == '[') {
        ++depth;
      } else if (c == ']' && depth > 0) {
        if (--depth == 0) return i + 1;
      } else if (depth == 0 && (c == ' ' || c == '\t' || c == ')')) {
        return i;
      }
    }
    if (depth > 0) return error("a bracket is not closed");
    return text_.size();
  }
  base::Result<base::Json> value() {
    skip();
    const std::size_t end = TRY(end_of_value());
    auto parsed =
        base::parse_json(text_.substr(at_, end - at_), {.bytes_max = kTextMax, .depth_max = 4});
    if (!parsed || parsed->is_object())
      return error("a value is expected: a text in quotes, a number, true, false, null or a list");
    at_ = end;
    return *std::move(parsed);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Filter::Parts parts_;
};

Filter::Parts by_name(Compare compare, std::string_view name) {
  FilterPart part;
  part.path = {std::string("name")};
  part.compare = compare;
  part.value = std::string(name);
  return {{std::move(part)}, 0};
}

}  // namespace

base::Result<Filter> Filter::parse(std::string_view text) {
  Filter filter;
  if (text.empty()) return filter;
  if (text.size() > kTextMax || !base::is_utf8(text))
    return base::Error{base::Code::invalid_argument, "a filter is at most 4096 bytes of text",
                       "filter_invalid"};
  constexpr std::string_view kExact = "Exact:";
  constexpr std::string_view kStartsWith = "StartsWith:";
  Parts parts;
  if (text.starts_with(kExact)) {
    parts = by_name(Compare::equal, text.substr(kExact.size()));
  } else if (text.starts_with(kStartsWith)) {
    parts = by_name(Compare::starts_with, text.substr(kStartsWith.size()));
  } else {
    parts = TRY(Parser(text).run());
  }
  filter.parts_ = std::make_shared<const Parts>(std::move(parts));
  return filter;
}

}  // namespace services::event

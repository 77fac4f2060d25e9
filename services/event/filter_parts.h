// SPDX-License-Identifier: Apache-2.0
// What a filter's text becomes: a tree of parts in one list.
//
// Used by filter.cc and filter_parse.cc only.
// Threads: plain values.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "services/event/filter.h"

namespace services::event {

enum class Compare {
  equal,
  unequal,
  less,
  less_equal,
  greater,
  greater_equal,
  contains,
  starts_with,
  ends_with,
  in
};

using Step = std::variant<std::string, std::size_t>;  // a member's name, or a place in a list

struct FilterPart {
  enum class Kind { both, either, negation, comparison };
  Kind kind = Kind::comparison;
  std::size_t left = 0;  // indexes of the parts below
  std::size_t right = 0;
  std::vector<Step> path = {};  // of a comparison
  Compare compare = Compare::equal;
  base::Json value{};
};

struct Filter::Parts {
  std::vector<FilterPart> all;
  std::size_t root = 0;
};

}  // namespace services::event

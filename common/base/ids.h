// SPDX-License-Identifier: Apache-2.0
// Typed identifiers: an AppId and an InstanceId are both text and never mixed up.
#pragma once

#include <compare>
#include <functional>
#include <string>
#include <utility>

namespace base {

// A string with a type of its own. `Tag` is an empty struct that names the kind; validity is
// checked by whoever parses it.
template <class Tag>
class Id {
 public:
  Id() = default;
  explicit Id(std::string text) : text_(std::move(text)) {}
  const std::string& text() const { return text_; }
  bool empty() const { return text_.empty(); }
  friend auto operator<=>(const Id&, const Id&) = default;

 private:
  std::string text_;
};

}  // namespace base

template <class Tag>
struct std::hash<base::Id<Tag>> {
  std::size_t operator()(const base::Id<Tag>& id) const noexcept {
    return std::hash<std::string>{}(id.text());
  }
};

// SPDX-License-Identifier: Apache-2.0
// Text that must not be printed: tokens, keys, passwords.
#pragma once

#include <string.h>

#include <string>
#include <string_view>
#include <utility>

namespace base {

// Owns its bytes and wipes them when it goes. It has no stream operator and no conversion, so that
// it cannot slip into a log line or an error; reveal() is the one way out and easy to search for.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;
  // Copies and wipes: moving a short string would leave its bytes behind.
  Secret(Secret&& other) noexcept : text_(other.text_) { other.wipe(); }  // NOLINT
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      text_ = other.text_;
      other.wipe();
    }
    return *this;
  }
  ~Secret() { wipe(); }
  std::string_view reveal() const { return text_; }
  bool empty() const { return text_.empty(); }

 private:
  void wipe() {
    explicit_bzero(text_.data(), text_.size());
    text_.clear();
  }
  std::string text_;
};

// True when both texts are equal. Takes the same time wherever they differ; the length is not
// hidden.
inline bool equal_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

}  // namespace base

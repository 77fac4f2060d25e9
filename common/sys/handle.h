// SPDX-License-Identifier: Apache-2.0
// Owners for handles of C libraries.
#pragma once

#include <unistd.h>

#include <memory>
#include <utility>

namespace sys {

template <auto Free>
struct Releaser {
  template <class T>
  void operator()(T* handle) const noexcept {
    Free(handle);
  }
};

// A unique_ptr that frees with a C function, as small as a pointer. Each library's file here
// declares its aliases.
template <class T, auto Free>
using Handle = std::unique_ptr<T, Releaser<Free>>;

// An open file descriptor. Move-only; does not convert to int, so that no call can quietly take it
// over.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int number) : number_(number) {}
  Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      number_ = std::exchange(other.number_, -1);
    }
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  int get() const { return number_; }
  bool is_open() const { return number_ >= 0; }
  [[nodiscard]] int release() { return std::exchange(number_, -1); }
  void reset() {
    // close() frees the number even when it fails; data that matters was synced before.
    if (number_ >= 0) ::close(std::exchange(number_, -1));
  }

 private:
  int number_ = -1;
};

}  // namespace sys

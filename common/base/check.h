// SPDX-License-Identifier: Apache-2.0
// CHECK_THAT: a condition that only a bug of ours can break. On in release builds too; never used
// on input.
#pragma once

namespace base {
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;
}  // namespace base

#define CHECK_THAT(condition) \
  ((condition) ? static_cast<void>(0) : ::base::check_failed(#condition, __FILE__, __LINE__))

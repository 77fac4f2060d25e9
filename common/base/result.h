// SPDX-License-Identifier: Apache-2.0
// The one error type of the project and the value-or-error that functions return.
//
// Used by every module; uses the standard library only.
// 1. An Error says what happened in words for a person (`detail`) and in one stable token for a
// program (`reason`).
// 2. Codes become HTTP statuses in common/rest and errnos at the FUSE and bus edges, in one table
// per edge.
// 3. Nothing here throws. A Result that holds an error must not be dereferenced: that is our bug
// and ends the process.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "common/base/check.h"

namespace base {

enum class Code {
  invalid_argument,
  unauthenticated,
  permission_denied,
  not_found,
  already_exists,
  failed_precondition,  // the state forbids it
  conflict,             // the revision moved on
  throttled,
  no_space,
  unavailable,
  timed_out,
  unsupported,
  too_large,
  corrupt,
  internal,
};

// The code's name as it stands above, for logs and tests.
std::string_view code_name(Code code);

struct Error {
  Code code = Code::internal;
  std::string detail;
  // A literal snake_case token with an entry in docs/reference/problems.md.
  std::string_view reason = "internal";
  // The errno behind the error, 0 when there is none. It wins over `code` at the FUSE edge.
  int os_errno = 0;
  // JSON pointer of the offending field, empty when the error is not about a field.
  std::string pointer = {};
};

// "reason: detail (at /pointer)", for logs and command lines.
std::string to_string(const Error& error);

// `error` with "phrase: " in front of its detail. Each layer may add one phrase.
Error prepend(std::string_view phrase, Error error);

// An Error from an errno value: the text is strerror's, `what` names the failed operation.
Error os_error(int errno_value, std::string_view what);

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
  Result(Error error)
      : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit by design
  template <class U>
  requires(std::is_convertible_v<U&&, T> && !std::is_same_v<std::remove_cvref_t<U>, Result> &&
           !std::is_same_v<std::remove_cvref_t<U>, T> &&
           !std::is_same_v<std::remove_cvref_t<U>,
                           Error>) Result(U&& value)  // NOLINT: constrained not to hide the copies
      : state_(std::in_place_index<0>, std::forward<U>(value)) {}  // NOLINT: implicit by design

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& operator*() & {
    CHECK_THAT(has_value());
    return *std::get_if<0>(&state_);
  }
  const T& operator*() const& {
    CHECK_THAT(has_value());
    return *std::get_if<0>(&state_);
  }
  T&& operator*() && {
    CHECK_THAT(has_value());
    return std::move(*std::get_if<0>(&state_));
  }
  T* operator->() { return &**this; }
  const T* operator->() const { return &**this; }
  T value_or(T fallback) && {
    return has_value() ? std::move(*std::get_if<0>(&state_)) : std::move(fallback);
  }
  const Error& error() const& {
    CHECK_THAT(!has_value());
    return *std::get_if<1>(&state_);
  }
  Error&& error() && {
    CHECK_THAT(!has_value());
    return std::move(*std::get_if<1>(&state_));
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit by design
  bool has_value() const { return !error_; }
  explicit operator bool() const { return has_value(); }
  void operator*() const { CHECK_THAT(has_value()); }
  const Error& error() const& {
    CHECK_THAT(!has_value());
    return *error_;
  }
  Error&& error() && {
    CHECK_THAT(!has_value());
    return std::move(*error_);
  }

 private:
  std::optional<Error> error_;
};

}  // namespace base

// The value of a Result, or an early return of its error. One per statement, never nested.
#define TRY(expression)                                    \
  ({                                                       \
    auto try_result = (expression);                        \
    if (!try_result) return std::move(try_result).error(); \
    *std::move(try_result);                                \
  })

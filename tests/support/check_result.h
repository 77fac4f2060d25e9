// SPDX-License-Identifier: Apache-2.0
// CHECK_OK and CHECK_ERROR: CppUTest's CHECK refuses types whose conversion to bool is explicit, as
// Result's is.
#pragma once

#include <CppUTest/TestHarness.h>

#include <string>

#include "common/base/result.h"

// CppUTest prints strings of its own type only.
inline SimpleString StringFrom(std::string_view text) {
  return SimpleString(std::string(text).c_str());
}

#define CHECK_OK(expression)                                                        \
  do {                                                                              \
    const auto& check_ok_result = (expression);                                     \
    if (!check_ok_result) FAIL(::base::to_string(check_ok_result.error()).c_str()); \
  } while (false)

// `reason_token` is compared too unless it is "".
#define CHECK_ERROR(expected_code, reason_token, expression)                               \
  do {                                                                                     \
    const auto& check_error_result = (expression);                                         \
    if (check_error_result) FAIL("no error came from " #expression);                       \
    STRCMP_EQUAL(std::string(::base::code_name(expected_code)).c_str(),                    \
                 std::string(::base::code_name(check_error_result.error().code)).c_str()); \
    if (std::string_view(reason_token) != "") {                                            \
      STRCMP_EQUAL(std::string(reason_token).c_str(),                                      \
                   std::string(check_error_result.error().reason).c_str());                \
    }                                                                                      \
  } while (false)

// The value of a Result, or the end of the test.
#define UNWRAP(expression)                                                      \
  ({                                                                            \
    auto unwrap_result = (expression);                                          \
    if (!unwrap_result) FAIL(::base::to_string(unwrap_result.error()).c_str()); \
    *std::move(unwrap_result);                                                  \
  })

// SPDX-License-Identifier: Apache-2.0
// How a list of contract tests becomes the tests of one engine: LIST(group, CONTRACT_TEST) makes a
// TEST per line, each of which calls the suite's function with the group's `engine`.
#pragma once

#include <CppUTest/TestHarness.h>

#define CONTRACT_TEST(group, name) \
  TEST(group, name) { contract::name(engine); }

// SPDX-License-Identifier: Apache-2.0
#include "services/framework/caller.h"

#include <CppUTest/TestHarness.h>

#include "services/framework/call.h"

namespace {

using namespace services;

TEST_GROUP(Callers){};

TEST(Callers, nobody_has_no_account_and_no_credential) {
  CHECK(anonymous_caller()->is_anonymous());
  CHECK(anonymous_caller()->account_id.empty());
}

TEST(Callers, a_service_acts_under_its_own_name) {
  const CallerPtr caller = internal_caller("launcher");
  CHECK(caller->is_internal());
  CHECK(!caller->is_anonymous());
  CHECK(caller->name == "internal:launcher");
}

}  // namespace

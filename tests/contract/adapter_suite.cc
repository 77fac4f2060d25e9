// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/adapter_suite.h"

using base::Code;
using base::Json;
using services::Adapter;
using services::AdapterStep;

namespace contract {
namespace {

const std::string kId = "3f0c9a52-6f3b-4a0e-9a3c-2b1f3d5e7a90";

// Until nothing is left to do; a foreign system may need more than one round.
std::size_t settle(Adapter& adapter, const std::string& id, const Json& desired) {
  std::size_t steps = 0;
  for (int round = 0; round < 5; ++round) {
    const std::size_t taken = UNWRAP(services::reconcile(adapter, id, desired));
    if (taken == 0) return steps;
    steps += taken;
  }
  FAIL("the adapter does not come to rest");
  return steps;
}

void check_quiet(const AdapterRig& rig) {
  for (const std::string& complaint : rig.complaints()) FAIL(complaint.c_str());
}

}  // namespace

void a_wish_that_cannot_be_is_refused_with_its_place(AdapterRig& rig) {
  CHECK_OK(rig.adapter().validate(rig.desired()));
  const auto [wish, pointer] = rig.invalid();
  const auto refused = rig.adapter().validate(wish);
  CHECK_ERROR(Code::invalid_argument, "", refused);
  STRCMP_EQUAL(pointer.c_str(), refused.error().pointer.c_str());
}

void it_says_what_it_reaches_and_when_it_cannot(AdapterRig& rig) {
  const Json probe = UNWRAP(rig.adapter().probe());
  CHECK_FALSE(probe.value("product", "").empty());
  rig.set_away(true);
  CHECK_ERROR(Code::unavailable, "", rig.adapter().probe());
  CHECK_ERROR(Code::unavailable, "", rig.adapter().observe(kId));
  rig.set_away(false);
  CHECK_OK(rig.adapter().probe());
  check_quiet(rig);
}

void what_is_absent_is_observed_as_absent(AdapterRig& rig) {
  CHECK_FALSE(UNWRAP(rig.adapter().observe(kId)).has_value());
  CHECK_TRUE(UNWRAP(rig.adapter().plan(kId, Json(), std::nullopt)).empty());
  check_quiet(rig);
}

void what_was_applied_is_observed_and_nothing_is_left(AdapterRig& rig) {
  CHECK_TRUE(settle(rig.adapter(), kId, rig.desired()) > 0);
  CHECK_TRUE(UNWRAP(rig.adapter().observe(kId)).has_value());
  LONGS_EQUAL(1, rig.count(kId));
  LONGS_EQUAL(0, UNWRAP(services::reconcile(rig.adapter(), kId, rig.desired())));
  check_quiet(rig);
}

void a_step_that_is_applied_twice_is_applied_once(AdapterRig& rig) {
  const auto steps = UNWRAP(rig.adapter().plan(kId, rig.desired(), std::nullopt));
  CHECK_FALSE(steps.empty());
  for (const AdapterStep& step : steps) {
    CHECK_OK(rig.adapter().apply(step));
    CHECK_OK(rig.adapter().apply(step));
  }
  settle(rig.adapter(), kId, rig.desired());
  LONGS_EQUAL(1, rig.count(kId));
  check_quiet(rig);
}

void a_difference_is_planned_and_then_gone(AdapterRig& rig) {
  if ((rig.adapter().abilities() & services::kCanUpdate) == 0) return;
  settle(rig.adapter(), kId, rig.desired());
  CHECK_TRUE(settle(rig.adapter(), kId, rig.other()) > 0);
  LONGS_EQUAL(0, UNWRAP(services::reconcile(rig.adapter(), kId, rig.other())));
  LONGS_EQUAL(1, rig.count(kId));
  check_quiet(rig);
}

void what_shall_not_be_goes_when_it_can(AdapterRig& rig) {
  settle(rig.adapter(), kId, rig.desired());
  if ((rig.adapter().abilities() & services::kCanRemove) == 0) {
    CHECK_ERROR(Code::unsupported, "ability_missing",
                services::reconcile(rig.adapter(), kId, Json()));
    return;
  }
  CHECK_TRUE(settle(rig.adapter(), kId, Json()) > 0);
  LONGS_EQUAL(0, rig.count(kId));
  LONGS_EQUAL(0, UNWRAP(services::reconcile(rig.adapter(), kId, Json())));
  check_quiet(rig);
}

void two_ids_are_two_things(AdapterRig& rig) {
  const std::string second = "7c1d2e60-1111-4222-8333-944445555666";
  settle(rig.adapter(), kId, rig.desired());
  settle(rig.adapter(), second, rig.desired());
  LONGS_EQUAL(1, rig.count(kId));
  LONGS_EQUAL(1, rig.count(second));
  LONGS_EQUAL(0, UNWRAP(services::reconcile(rig.adapter(), kId, rig.desired())));
  check_quiet(rig);
}

}  // namespace contract

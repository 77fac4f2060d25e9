// SPDX-License-Identifier: Apache-2.0
// What every adapter must do. An adapter's test file makes a group that has an `engine` of its own
// kind of AdapterRig and says ADAPTER_CONTRACT_TESTS(group, CONTRACT_TEST).
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "services/framework/adapter.h"
#include "tests/contract/contract.h"
#include "tests/support/check_result.h"

namespace contract {

class AdapterRig {
 public:
  virtual ~AdapterRig() = default;
  virtual services::Adapter& adapter() = 0;
  virtual base::Json desired() const = 0;
  virtual base::Json other() const = 0;  // of the same thing, when it can be updated
  // A wish that cannot be, and where the error points at.
  virtual std::pair<base::Json, std::string> invalid() const = 0;
  virtual void set_away(bool away) = 0;
  // What stands for `id` in the foreign system; more than one is a defect.
  virtual std::size_t count(const std::string& id) = 0;
  // What the foreign system did not like.
  virtual std::vector<std::string> complaints() const = 0;
};

#define ADAPTER_CONTRACT_TESTS(group, X)                     \
  X(group, a_wish_that_cannot_be_is_refused_with_its_place)  \
  X(group, it_says_what_it_reaches_and_when_it_cannot)       \
  X(group, what_is_absent_is_observed_as_absent)             \
  X(group, what_was_applied_is_observed_and_nothing_is_left) \
  X(group, a_step_that_is_applied_twice_is_applied_once)     \
  X(group, a_difference_is_planned_and_then_gone)            \
  X(group, what_shall_not_be_goes_when_it_can)               \
  X(group, two_ids_are_two_things)

#define DECLARE_CONTRACT_TEST(group, name) void name(AdapterRig& rig);
ADAPTER_CONTRACT_TESTS(none, DECLARE_CONTRACT_TEST)
#undef DECLARE_CONTRACT_TEST

}  // namespace contract

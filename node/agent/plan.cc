// SPDX-License-Identifier: Apache-2.0
#include "node/agent/plan.h"

#include <algorithm>
#include <set>
#include <unordered_map>

namespace node::agent {

namespace {

using api::Assignment;
using api::Goal;
using api::InstanceId;
using api::InstanceState;

using WishesById = std::unordered_map<InstanceId, const Assignment*>;

bool is_wanted(const WishesById& wishes, const InstanceId& id, std::int64_t epoch) {
  const auto at = wishes.find(id);
  return at != wishes.end() && at->second->epoch == epoch;
}

void plan_instance(const WishesById& wishes, const ObservedInstance& instance,
                   std::vector<Step>& out) {
  const bool wanted = is_wanted(wishes, instance.id, instance.epoch);
  const bool runs = wanted && wishes.at(instance.id)->goal == Goal::running;
  if (api::is_terminal(instance.state)) {
    if (!wanted && instance.cleaned)
      out.push_back({Step::Kind::forget, instance.id, instance.epoch});
    return;
  }
  if (!runs && instance.state != InstanceState::killing) {
    out.push_back({Step::Kind::stop, instance.id, instance.epoch});
  }
  if (runs && instance.state == InstanceState::running && !instance.spec.empty() &&
      instance.spec != wishes.at(instance.id)->spec) {
    out.push_back({Step::Kind::update, instance.id, instance.epoch});
  }
}

void plan_unit(const WishesById& wishes, const std::string& unit, std::vector<Step>& out) {
  const auto owner = api::parse_unit_name(unit);
  if (!owner) return;  // not an instance: one of our own services
  const bool wanted =
      is_wanted(wishes, owner->id, owner->epoch) && wishes.at(owner->id)->goal == Goal::running;
  out.push_back(
      {wanted ? Step::Kind::adopt : Step::Kind::stop_unit, owner->id, owner->epoch, unit});
}

void plan_starts(const PlanInput& input, std::vector<Step>& out) {
  std::set<InstanceId> known;
  std::set<std::uint16_t> ports_in_use;
  std::size_t under_way = 0;
  for (const ObservedInstance& instance : input.instances) {
    known.insert(instance.id);
    if (api::is_terminal(instance.state)) continue;
    ports_in_use.insert(instance.ports.begin(), instance.ports.end());
    // One that waits for its image takes no turn: a slow registry must not hold up the others.
    if (instance.state == InstanceState::starting) ++under_way;
  }
  for (const ObservedInstance& instance : input.instances) {
    if (instance.state != InstanceState::staging || !instance.image_ready) continue;
    const auto wish = std::find_if(input.desired->instances.begin(), input.desired->instances.end(),
                                   [&](const Assignment& each) { return each.id == instance.id; });
    const bool wanted = wish != input.desired->instances.end() && wish->epoch == instance.epoch &&
                        wish->goal == Goal::running;
    if (!wanted) continue;
    if (under_way >= input.starts_max) return;
    out.push_back({Step::Kind::proceed, instance.id, instance.epoch});
    ++under_way;
  }
  // A unit without a record may still hold its ports; it is dealt with first.
  for (const Step& step : out) {
    if (step.kind == Step::Kind::adopt || step.kind == Step::Kind::stop_unit) known.insert(step.id);
  }
  for (const Assignment& wish : input.desired->instances) {
    if (under_way >= input.starts_max) return;
    if (wish.goal != Goal::running || known.contains(wish.id)) continue;
    bool free = true;
    for (const std::uint16_t port : wish.ports) free = free && !ports_in_use.contains(port);
    if (!free) continue;
    ports_in_use.insert(wish.ports.begin(), wish.ports.end());
    out.push_back({Step::Kind::start, wish.id, wish.epoch});
    ++under_way;
  }
}

}  // namespace

std::vector<Step> plan(const PlanInput& input) {
  std::vector<Step> out;
  if (input.desired == nullptr) return out;
  WishesById wishes;
  for (const Assignment& wish : input.desired->instances) wishes.emplace(wish.id, &wish);
  for (const std::string& unit : input.units) plan_unit(wishes, unit, out);
  for (const ObservedInstance& instance : input.instances) plan_instance(wishes, instance, out);
  plan_starts(input, out);
  return out;
}

}  // namespace node::agent

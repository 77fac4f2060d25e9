// SPDX-License-Identifier: Apache-2.0
#include "node/agent/plan.h"

#include "tests/support/check_result.h"

using node::agent::ObservedInstance;
using node::agent::plan;
using node::agent::PlanInput;
using node::agent::Step;
using node::api::Assignments;
using node::api::Goal;
using node::api::InstanceId;
using node::api::InstanceState;

TEST_GROUP(Plan) {
  Assignments desired;
  PlanInput input;

  void setup() override {
    input.desired = &desired;
    input.starts_max = 2;
  }
  void wish(const char* id, std::int64_t epoch = 1, std::vector<std::uint16_t> ports = {},
            Goal goal = Goal::running) {
    desired.instances.push_back({InstanceId(id), std::string(64, 'a'), epoch, ports, goal});
  }
  void observe(const char* id, InstanceState state, std::int64_t epoch = 1,
               std::vector<std::uint16_t> ports = {}, bool cleaned = false) {
    input.instances.push_back({InstanceId(id), epoch, state, ports, cleaned, false});
  }
  void expect(std::initializer_list<std::pair<Step::Kind, const char*>> steps) {
    const auto planned = plan(input);
    LONGS_EQUAL(steps.size(), planned.size());
    std::size_t i = 0;
    for (const auto& [kind, id] : steps) {
      CHECK(planned[i].kind == kind);
      STRCMP_EQUAL(id, planned[i].id.text().c_str());
      ++i;
    }
  }
};

TEST(Plan, without_a_known_wish_nothing_is_touched) {
  input.desired = nullptr;
  input.units = {"gst-a-1.service"};
  observe("b", InstanceState::running);
  expect({});
}

TEST(Plan, what_is_wanted_and_absent_is_started_once) {
  wish("a");
  expect({{Step::Kind::start, "a"}});
  observe("a", InstanceState::staging);
  expect({});
}

TEST(Plan, a_running_instance_is_brought_to_a_changed_specification) {
  wish("a");
  observe("a", InstanceState::running);
  input.instances[0].spec = std::string(64, 'a');
  expect({});
  input.instances[0].spec = std::string(64, 'b');
  expect({{Step::Kind::update, "a"}});
  input.instances[0].state = InstanceState::starting;
  expect({});
  input.instances[0].state = InstanceState::running;
  input.instances[0].epoch = 2;
  expect({{Step::Kind::stop, "a"}});
}

TEST(Plan, what_is_not_wanted_is_stopped_once_and_forgotten_when_it_is_clean) {
  observe("a", InstanceState::running);
  expect({{Step::Kind::stop, "a"}});
  input.instances[0].state = InstanceState::killing;
  expect({});
  input.instances[0].state = InstanceState::killed;
  expect({});
  input.instances[0].cleaned = true;
  expect({{Step::Kind::forget, "a"}});
}

TEST(Plan, an_ended_instance_that_is_still_wanted_stays_for_masterd_to_see) {
  wish("a");
  observe("a", InstanceState::failed, 1, {}, true);
  expect({});
}

TEST(Plan, a_goal_of_stopped_stops_and_never_starts) {
  wish("a", 1, {}, Goal::stopped);
  expect({});
  observe("a", InstanceState::running);
  expect({{Step::Kind::stop, "a"}});
}

TEST(Plan, a_new_epoch_replaces_the_old_instance_step_by_step) {
  wish("a", 2);
  observe("a", InstanceState::running, 1);
  expect({{Step::Kind::stop, "a"}});
  input.instances[0].state = InstanceState::killed;
  input.instances[0].cleaned = true;
  expect({{Step::Kind::forget, "a"}});
  input.instances.clear();
  expect({{Step::Kind::start, "a"}});
}

TEST(Plan, a_port_is_not_given_away_before_its_holder_has_ended) {
  wish("b", 1, {3001});
  observe("a", InstanceState::running, 1, {3001});
  expect({{Step::Kind::stop, "a"}});
  input.instances[0].state = InstanceState::killing;
  expect({});
  input.instances[0].state = InstanceState::killed;
  expect({{Step::Kind::start, "b"}});
}

TEST(Plan, two_wishes_for_one_port_are_not_both_started) {
  wish("a", 1, {3001});
  wish("b", 1, {3001});
  expect({{Step::Kind::start, "a"}});
}

TEST(Plan, no_more_than_the_allowed_number_starts_at_the_same_time) {
  wish("a");
  wish("b");
  wish("c");
  expect({{Step::Kind::start, "a"}, {Step::Kind::start, "b"}});
  observe("a", InstanceState::starting);
  expect({{Step::Kind::start, "b"}});
  observe("b", InstanceState::starting);
  expect({});
  input.instances[0].state = InstanceState::running;
  expect({{Step::Kind::start, "c"}});
}

TEST(Plan, an_instance_that_waits_for_its_image_does_not_hold_up_others) {
  wish("a");
  wish("b");
  wish("c");
  observe("a", InstanceState::staging);
  expect({{Step::Kind::start, "b"}, {Step::Kind::start, "c"}});
}

TEST(Plan, an_instance_whose_image_has_come_takes_the_next_turn) {
  input.starts_max = 1;
  wish("a");
  wish("b");
  observe("a", InstanceState::staging);
  input.instances[0].image_ready = true;
  expect({{Step::Kind::proceed, "a"}});
  observe("x", InstanceState::starting);
  wish("x");
  expect({});
}

TEST(Plan, an_instance_whose_image_has_come_but_that_is_unwanted_by_now_is_stopped) {
  observe("a", InstanceState::staging);
  input.instances[0].image_ready = true;
  expect({{Step::Kind::stop, "a"}});
}

TEST(Plan, units_without_a_record_are_adopted_when_wanted_and_stopped_otherwise) {
  wish("a", 3);
  input.units = {"gst-a-3.service", "gst-a-2.service", "gst-b-1.service", "gst-lease.service"};
  expect({{Step::Kind::adopt, "a"}, {Step::Kind::stop_unit, "a"}, {Step::Kind::stop_unit, "b"}});
}

TEST(Plan, stops_come_before_starts) {
  wish("z");
  observe("a", InstanceState::running);
  expect({{Step::Kind::stop, "a"}, {Step::Kind::start, "z"}});
}

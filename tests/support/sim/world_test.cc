// SPDX-License-Identifier: Apache-2.0
#include "tests/support/sim/world.h"

#include <set>
#include <string>

#include "tests/support/check_result.h"

using namespace std::chrono_literals;
using sim::World;

TEST_GROUP(SimWorld){// Ten events at one instant, in the order in which they happened.
                     static std::string order(std::uint64_t seed){World world(seed);
std::string seen;
for (char name = 'a'; name < 'k'; ++name) world.schedule_after(1s, [&seen, name] { seen += name; });
world.run_for(1s);
return seen;
}
}
;

TEST(SimWorld, time_jumps_from_event_to_event) {
  World world(1);
  const base::Instant start = world.clock().now();
  std::string seen;
  world.schedule_after(2h, [&] { seen += 'b'; });
  world.schedule_after(1h, [&] {
    seen += 'a';
    world.schedule_after(30min, [&] { seen += '+'; });
  });
  CHECK_TRUE(world.run_until([&] { return seen.size() == 3; }, 3h));
  STRCMP_EQUAL("a+b", seen.c_str());
  CHECK_TRUE(world.clock().now() == start + 2h);
  CHECK_FALSE(world.step());
}

TEST(SimWorld, a_timer_that_was_let_go_does_not_fire) {
  World world(1);
  int fired = 0;
  const base::TimerHandle kept = world.after(1s, [&] { ++fired; });
  base::TimerHandle dropped = world.after(1s, [&] { fired += 100; });
  dropped.reset();
  world.run_for(2s);
  LONGS_EQUAL(1, fired);
}

TEST(SimWorld, a_timer_may_be_let_go_inside_its_callback) {
  World world(1);
  base::TimerHandle timer;
  bool fired = false;
  timer = world.after(1s, [&] {
    timer.reset();
    fired = true;
  });
  world.run_for(2s);
  CHECK_TRUE(fired);
}

TEST(SimWorld, the_seed_decides_the_order_of_simultaneous_events) {
  STRCMP_EQUAL(order(1).c_str(), order(1).c_str());
  std::set<std::string> orders;
  for (std::uint64_t seed = 0; seed < 20; ++seed) orders.insert(order(seed));
  CHECK_TRUE(orders.size() > 15);
}

TEST(SimWorld, waiting_has_an_end) {
  World world(1);
  std::function<void()> again = [&] { world.schedule_after(1s, again); };
  again();
  CHECK_FALSE(world.run_until([] { return false; }, 1min));
}

TEST(SimWorld, a_step_of_the_wall_clock_leaves_boot_time_alone) {
  World world(1);
  const base::Instant now = world.clock().now();
  const base::WallTime wall = world.clock().wall();
  world.step_wall(-1h);
  CHECK_TRUE(world.clock().now() == now);
  CHECK_TRUE(world.clock().wall() == wall - 1h);
}

TEST(SimWorld, chance_repeats_with_its_seed) {
  World one(7), same(7), other(8);
  const std::string token = one.rng().token(16);
  STRCMP_EQUAL(token.c_str(), same.rng().token(16).c_str());
  CHECK_TRUE(token != other.rng().token(16));
  CHECK_FALSE(one.happens(0));
  CHECK_TRUE(one.happens(1));
}

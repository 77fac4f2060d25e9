// SPDX-License-Identifier: Apache-2.0
#include "tests/support/sim/world.h"

#include <algorithm>

namespace sim {
namespace {

struct SimTimer final : base::Timer {
  explicit SimTimer(std::shared_ptr<bool> flag) : cancelled(std::move(flag)) {}
  ~SimTimer() override { *cancelled = true; }
  std::shared_ptr<bool> cancelled;  // shared with the event
};

}  // namespace

base::WallTime World::SimClock::wall() const {
  return base::WallTime(std::chrono::duration_cast<std::chrono::milliseconds>(
      world_.now_.since_boot + world_.wall_offset_));
}

void World::SimRng::fill(std::span<std::uint8_t> out) {
  for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(world_.random_());
}

base::TimerHandle World::at(base::Instant when, std::function<void()> fire) {
  auto cancelled = std::make_shared<bool>(false);
  schedule(when, [cancelled, fire = std::move(fire)] {
    if (!*cancelled) fire();
  });
  return std::make_unique<SimTimer>(std::move(cancelled));
}

void World::schedule(base::Instant when, std::function<void()> happen) {
  events_.emplace(std::tuple(std::max(when, now_), random_(), next_number_++), std::move(happen));
}

bool World::happens(double probability) {
  return std::uniform_real_distribution<double>(0, 1)(random_) < probability;
}

base::Duration World::between(base::Duration least, base::Duration most) {
  if (most <= least) return least;
  return least + base::Duration(static_cast<std::int64_t>(
                     random_() % static_cast<std::uint64_t>((most - least).count() + 1)));
}

bool World::step() {
  if (events_.empty()) return false;
  auto event = events_.extract(events_.begin());
  now_ = std::get<0>(event.key());
  event.mapped()();
  return true;
}

void World::run_for(base::Duration duration) {
  const base::Instant end = now_ + duration;
  while (!events_.empty() && std::get<0>(events_.begin()->first) <= end) step();
  now_ = end;
}

bool World::run_until(const std::function<bool()>& done, base::Duration longest) {
  const base::Instant end = now_ + longest;
  while (!done()) {
    if (events_.empty() || std::get<0>(events_.begin()->first) > end) return false;
    step();
  }
  return true;
}

}  // namespace sim

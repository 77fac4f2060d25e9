// SPDX-License-Identifier: Apache-2.0
// Power cuts in the simulator: what append() and commit() acknowledged is there after each, in
// order, once, and nothing that nobody wrote is. GESTALT_SIM_SEEDS=10000 for a longer run; a
// failure names the seed.
#include <cstdlib>
#include <map>

#include "common/base/log.h"
#include "services/event/segment_engine.h"
#include "tests/support/check_result.h"
#include "tests/support/sim/sim_disk.h"

using services::event::Chosen;
using services::event::Event;
using services::event::GroupOffset;
using services::event::Offset;
using services::event::SegmentEngine;
using services::event::StoredEvent;

namespace {

std::uint64_t seeds() {
  const char* set = std::getenv("GESTALT_SIM_SEEDS");  // NOLINT(concurrency-mt-unsafe)
  return set != nullptr ? std::strtoull(set, nullptr, 10) : 200;
}

class Run {
 public:
  explicit Run(std::uint64_t seed) : seed_(seed), world_(seed), disk_(world_) {}

  void go() {
    for (int life = 0; life < 6; ++life) {
      if (open()) {
        check();
        // The power fails within the changes that the load makes.
        disk_.cut_power_at_change(1 + world_.random()() % 120);
        load();
      }
      if (disk_.has_power()) disk_.cut_power();
      engine_.reset();
      disk_.power_on();
    }
    CHECK_TEXT(open(0), "the log opens with the power on");
    check();
  }

 private:
  std::string where() const { return "seed " + std::to_string(seed_); }

  bool open(double cut = 0.3) {
    if (world_.happens(cut)) disk_.cut_power_at_change(1 + world_.random()() % 8);
    services::event::SegmentEngineOptions options;
    options.log = {.segment_bytes = 6 << 10, .index_every_bytes = 1024, .dedupe_ids = 64};
    auto opened = SegmentEngine::open(disk_, world_.clock(), world_.rng(), options);
    disk_.cut_power_at_change(0);
    if (!opened) {
      CHECK_TEXT(!disk_.has_power(), where().c_str());
      return false;
    }
    engine_ = *std::move(opened);
    const services::event::ChannelOptions channel{.partitions = 2, .retention_bytes = UINT64_MAX};
    auto made = engine_->create_channel("c", channel);
    if (!made && made.error().reason == "channel_exists") made = {};
    return made && disk_.has_power();
  }

  void load() {
    while (disk_.has_power()) {
      const std::uint64_t dice = world_.random()() % 10;
      if (dice == 0) engine_->tick();
      if (dice == 1) commit();
      if (dice > 1) append();
      world_.run_for(std::chrono::milliseconds(1));
    }
  }

  void append() {
    std::vector<Chosen> events;
    const std::uint64_t count = 1 + world_.random()() % 4;
    for (std::uint64_t i = 0; i < count; ++i) {
      // Now and then one that is there already, as a sender repeats what was not answered.
      const bool again = !sent_.empty() && world_.happens(0.2);
      const std::uint64_t id =
          again ? sent_.size() - 1 - world_.random()() % std::min<std::size_t>(sent_.size(), 20)
                : sent_.size();
      Event event{"id" + std::to_string(id), "n", std::nullopt,
                  std::string(id * 37 % 900, static_cast<char>('a' + id % 26))};
      if (!again) sent_.push_back(event);
      events.push_back({std::move(event), static_cast<std::uint32_t>(id % 2)});
    }
    const auto placed = engine_->append("c", events);
    if (!placed) return;
    for (std::size_t i = 0; i < events.size(); ++i)
      acknowledged_[events[i].event.id] = {(*placed)[i].partition, (*placed)[i].offset};
  }

  void commit() {
    const GroupOffset one{"c", 0, sent_.size()};
    attempted_ = one.offset;
    if (engine_->commit("g", std::span(&one, 1))) committed_ = one.offset;
  }

  void check() {
    std::map<std::string, std::pair<std::uint32_t, Offset>> found;
    for (std::uint32_t partition = 0; partition < 2; ++partition) {
      Offset at = 0;
      for (;;) {
        const auto events = engine_->read("c", partition, at, {});
        if (!events) FAIL((where() + " " + base::to_string(events.error())).c_str());
        if (events->empty()) break;
        for (const StoredEvent& stored : *events) {
          CHECK_TEXT(stored.offset == at, where().c_str());
          ++at;
          const auto id = std::strtoull(stored.event.id.c_str() + 2, nullptr, 10);
          CHECK_TEXT(id < sent_.size() && sent_[id] == stored.event, where().c_str());
          CHECK_TEXT(found.emplace(stored.event.id, std::pair(partition, stored.offset)).second,
                     (where() + ": stored twice: " + stored.event.id).c_str());
        }
      }
    }
    for (const auto& [id, place] : acknowledged_) {
      CHECK_TEXT(found.contains(id), (where() + ": lost " + id).c_str());
      CHECK_TEXT(found[id] == place, (where() + ": moved " + id).c_str());
    }
    const auto offset = UNWRAP(engine_->committed("g", "c", 0));
    CHECK_TEXT(offset.value_or(0) == committed_ || offset.value_or(0) == attempted_,
               (where() + ": another commit").c_str());
    committed_ = offset.value_or(0);
    attempted_ = committed_;
  }

  const std::uint64_t seed_;
  sim::World world_;
  sim::SimDisk disk_;
  std::unique_ptr<SegmentEngine> engine_;
  std::vector<Event> sent_;
  std::map<std::string, std::pair<std::uint32_t, Offset>> acknowledged_;
  Offset committed_ = 0;
  Offset attempted_ = 0;
};

}  // namespace

// The log says each failed write; hundreds of cuts would bury everything else.
TEST_GROUP(EventPowerCuts){void setup()
                               override{base::log::set_threshold(base::log::Level::critical);
}
void teardown() override { base::log::set_threshold(base::log::Level::info); }
}
;

TEST(EventPowerCuts, what_was_acknowledged_is_there_after_each) {
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed) Run(seed).go();
}

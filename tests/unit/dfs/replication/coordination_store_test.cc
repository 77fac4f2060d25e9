// SPDX-License-Identifier: Apache-2.0
#include "dfs/replication/coordination_store.h"

#include "common/sys/loop_timers.h"
#include "dfs/replication/loop_disk_queue.h"
#include "tests/support/check_result.h"
#include "tests/support/temp_folder.h"

using namespace dfs::replication;
using namespace std::chrono_literals;

namespace {

Configuration first() {
  Configuration configuration;
  configuration.epoch = 1;
  configuration.primary = NodeId("a");
  configuration.in_sync = {NodeId("a"), NodeId("b")};
  return configuration;
}

}  // namespace

TEST_GROUP(CoordinationStore) {
  TempFolder folder;
  std::unique_ptr<sys::EventLoop> loop = *sys::EventLoop::make();
  sys::LoopTimers timers{*loop};
  std::unique_ptr<DiskQueue> worker = make_loop_disk_queue(*loop);
  bool fails_to_open = false;

  std::unique_ptr<ConfigurationStore> make() {
    CoordinationStoreOptions options;
    options.path = "/gestalt/dfs/groups/meta";
    options.first = first();
    options.open = [this]() -> base::Result<std::unique_ptr<coordination::Coordination>> {
      if (fails_to_open) return base::Error{base::Code::unavailable, "away", "coordination_lost"};
      return coordination::open_local({.folder = folder.path().string()});
    };
    options.post = [this](std::function<void()> work) { loop->post(std::move(work)); };
    return make_coordination_store(std::move(options), *worker, timers);
  }

  void run_until(const std::function<bool()>& done) {
    bool late = false;
    const auto deadline = loop->after(10s, [&] {
      late = true;
      loop->stop();
    });
    const auto poll = loop->every(5ms, [&] {
      if (done()) loop->stop();
    });
    CHECK_OK(loop->run());
    CHECK_FALSE(late);
  }
};

TEST(CoordinationStore,
     a_new_group_begins_with_its_first_configuration_and_changes_are_seen_by_all) {
  const auto one = make(), other = make();
  Configuration seen_by_one, seen_by_other;
  one->watch([&](const Configuration& now) { seen_by_one = now; });
  other->watch([&](const Configuration& now) { seen_by_other = now; });
  run_until([&] { return seen_by_one == first() && seen_by_other == first(); });
  Configuration next = first();
  next.epoch = 2;
  next.primary = NodeId("b");
  next.in_sync = {NodeId("b")};
  next.asked_by = UINT64_MAX;
  next.asked_count = 5;
  Configuration answer;
  one->change(next, [&](base::Result<Configuration> now) { answer = UNWRAP(std::move(now)); });
  run_until([&] { return answer == next && seen_by_one == next && seen_by_other == next; });
}

TEST(CoordinationStore, of_two_changes_one_wins_and_both_hear_which) {
  const auto one = make(), other = make();
  std::vector<Configuration> answers;
  for (const auto* store : {&one, &other}) {
    Configuration next = first();
    next.epoch = 2;
    next.asked_by = store == &one ? 1 : 2;
    (*store)->change(
        next, [&](base::Result<Configuration> now) { answers.push_back(UNWRAP(std::move(now))); });
  }
  run_until([&] { return answers.size() == 2; });
  CHECK_TRUE(answers[0] == answers[1]);
  CHECK_TRUE(answers[0].epoch == 2);
}

TEST(CoordinationStore,
     without_the_tree_changes_are_answered_with_errors_and_the_look_is_repeated) {
  fails_to_open = true;
  const auto store = make();
  Configuration seen;
  store->watch([&](const Configuration& now) { seen = now; });
  std::optional<base::Error> error;
  store->change(first(), [&](base::Result<Configuration> now) { error = now.error(); });
  run_until([&] { return error.has_value(); });
  STRCMP_EQUAL("coordination_lost", std::string(error->reason).c_str());
  worker->submit([this] { fails_to_open = false; }, [] {});
  run_until([&] { return seen == first(); });
}

TEST(CoordinationStore, a_record_is_read_as_it_was_written_and_a_damaged_one_is_refused) {
  const std::string record = configuration_record(first());
  CHECK_TRUE(UNWRAP(parse_configuration(record)) == first());
  for (std::size_t at = 0; at < record.size(); ++at) {
    std::string damaged = record;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    CHECK_FALSE(parse_configuration(damaged).has_value());
    CHECK_FALSE(parse_configuration(std::string_view(record).substr(0, at)).has_value());
  }
}

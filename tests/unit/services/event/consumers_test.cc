// SPDX-License-Identifier: Apache-2.0
#include "services/event/consumers.h"

#include <set>

#include "tests/support/check_result.h"

using namespace services::event;
using base::Code;

TEST_GROUP(EventConsumers) {
  Consumers consumers;
  base::Instant now{std::chrono::hours(1)};

  Instance* join(const std::string& id, std::vector<std::string> channels) {
    Instance instance;
    instance.id = id;
    instance.account_id = "alice";
    Instance* made = UNWRAP(consumers.create("g", instance, now));
    made->subscription = std::move(channels);
    return made;
  }
  std::vector<TopicPartition> assigned(const std::string& id) {
    return consumers.assignment("g", id, {{"a", 5}, {"b", 2}});
  }
};

TEST(EventConsumers, partitions_are_dealt_to_each_exactly_once) {
  for (int members = 1; members <= 7; ++members) {
    join("m" + std::to_string(members), {"a", "b"});
    std::multiset<TopicPartition> all;
    std::size_t least = 99;
    std::size_t most = 0;
    for (int i = 1; i <= members; ++i) {
      const auto its = assigned("m" + std::to_string(i));
      all.insert(its.begin(), its.end());
      const auto of_a = static_cast<std::size_t>(
          std::count_if(its.begin(), its.end(), [](const auto& one) { return one.first == "a"; }));
      least = std::min(least, of_a);
      most = std::max(most, of_a);
    }
    LONGS_EQUAL(7, all.size());
    LONGS_EQUAL(7, std::set<TopicPartition>(all.begin(), all.end()).size());
    CHECK_TRUE(most - least <= 1);
  }
}

TEST(EventConsumers, only_who_subscribed_takes_part) {
  join("m1", {"a"});
  join("m2", {"b"});
  LONGS_EQUAL(5, assigned("m1").size());
  LONGS_EQUAL(2, assigned("m2").size());
}

TEST(EventConsumers, a_member_that_leaves_or_is_silent_hands_its_partitions_on) {
  join("m1", {"a"});
  join("m2", {"a"});
  LONGS_EQUAL(3, assigned("m1").size());
  now = now + (kInstanceIdle - std::chrono::seconds(1));
  CHECK_OK(consumers.find("g", "m1", "alice", now));
  now = now + std::chrono::seconds(1);
  CHECK_OK(consumers.find("g", "m1", "alice", now));
  CHECK_ERROR(Code::not_found, "consumer_unknown", consumers.find("g", "m2", "alice", now));
  LONGS_EQUAL(5, assigned("m1").size());
  LONGS_EQUAL(1, consumers.size());
  consumers.remove("g", "m1");
  LONGS_EQUAL(0, consumers.size());
  CHECK_TRUE(assigned("m1").empty());
}

TEST(EventConsumers, positions_of_what_is_read_no_more_are_dropped) {
  Instance* first = join("m1", {"a"});
  for (std::uint32_t i = 0; i < 5; ++i) first->positions[{"a", i}] = 7;
  join("m2", {"a"});
  LONGS_EQUAL(3, assigned("m1").size());
  LONGS_EQUAL(3, first->positions.size());
}

TEST(EventConsumers, names_are_taken_once_and_belong_to_their_account) {
  join("m1", {});
  Instance same;
  same.id = "m1";
  CHECK_ERROR(Code::already_exists, "consumer_exists", consumers.create("g", same, now));
  CHECK_ERROR(Code::not_found, "consumer_unknown", consumers.find("g", "m1", "mallory", now));
  CHECK_ERROR(Code::not_found, "consumer_unknown", consumers.find("h", "m1", "alice", now));
}

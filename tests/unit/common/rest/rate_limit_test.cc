// SPDX-License-Identifier: Apache-2.0
#include "common/rest/rate_limit.h"

#include "tests/support/check_result.h"

using namespace std::chrono_literals;

TEST_GROUP(RateLimiter) {
  rest::RateLimiter limiter{{.per_second = 10, .burst = 5}, 100};
  base::Instant now{1000s};

  int allowed(std::string_view key, int asked) {
    int count = 0;
    for (int i = 0; i < asked; ++i) count += limiter.take(key, now).is_allowed ? 1 : 0;
    return count;
  }
};

TEST(RateLimiter, a_burst_passes_and_then_the_rate_holds) {
  LONGS_EQUAL(5, allowed("a", 20));
  now = now + 1s;
  LONGS_EQUAL(5, allowed("a", 20));
  now = now + 300ms;
  LONGS_EQUAL(3, allowed("a", 20));
}

TEST(RateLimiter, who_is_refused_learns_how_long_to_wait) {
  allowed("a", 5);
  const auto verdict = limiter.take("a", now);
  CHECK_FALSE(verdict.is_allowed);
  CHECK_TRUE(verdict.wait > 90ms && verdict.wait <= 100ms);
  now = now + verdict.wait + 1us;
  CHECK_TRUE(limiter.take("a", now).is_allowed);
}

TEST(RateLimiter, asking_on_and_on_does_not_make_the_wait_longer) {
  int count = 0;
  for (int i = 0; i < 1000; ++i) {
    now = now + 10ms;
    count += allowed("a", 1);
  }
  CHECK_TRUE(count >= 100 && count <= 106);
}

TEST(RateLimiter, one_caller_takes_nothing_from_another) {
  LONGS_EQUAL(5, allowed("a", 20));
  LONGS_EQUAL(5, allowed("b", 20));
}

TEST(RateLimiter, the_first_refusal_is_told_apart) {
  allowed("a", 5);
  CHECK_TRUE(limiter.take("a", now).is_first_refusal);
  CHECK_FALSE(limiter.take("a", now).is_first_refusal);
}

TEST(RateLimiter, newcomers_beyond_the_keys_share_and_the_known_keep_theirs) {
  LONGS_EQUAL(2, allowed("known", 2));
  for (int i = 0; i < 99; ++i) LONGS_EQUAL(1, allowed("k" + std::to_string(i), 1));
  int count = 0;
  for (int i = 0; i < 1000; ++i) count += allowed("new" + std::to_string(i), 1);
  LONGS_EQUAL(5, count);
  LONGS_EQUAL(3, allowed("known", 20));
  LONGS_EQUAL(100, limiter.keys());
}

TEST(RateLimiter, buckets_that_are_full_again_are_forgotten_and_others_are_not) {
  for (int i = 0; i < 50; ++i) allowed("k" + std::to_string(i), 1);
  for (int i = 0; i < 4; ++i) {
    now = now + 400ms;
    LONGS_EQUAL(i == 0 ? 5 : 4, allowed("busy", 20));
  }
  LONGS_EQUAL(1, limiter.keys());
}

TEST(RateLimiter, a_rate_of_zero_is_none) {
  rest::RateLimiter open{rest::Rate{}};
  for (int i = 0; i < 10000; ++i) CHECK_TRUE(open.take("a", now).is_allowed);
  LONGS_EQUAL(0, open.keys());
}

TEST(RateLimiter, a_clock_that_stands_still_gives_nothing) {
  LONGS_EQUAL(5, allowed("a", 100));
  LONGS_EQUAL(0, allowed("a", 100));
}

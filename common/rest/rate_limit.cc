// SPDX-License-Identifier: Apache-2.0
#include "common/rest/rate_limit.h"

#include <algorithm>

namespace rest {

namespace {

base::Duration seconds(double count) {
  return std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(count));
}

}  // namespace

RateLimiter::RateLimiter(Rate rate, std::size_t keys_max)
    : rate_(rate),
      keys_max_(keys_max),
      time_to_fill_(rate.per_second > 0 ? seconds(rate.burst / rate.per_second)
                                        : base::Duration(0)),
      shared_{rate.burst, {}} {}

RateLimiter::Bucket& RateLimiter::bucket(std::string_view key, base::Instant now) {
  if (now - generation_ > time_to_fill_) {
    older_ = std::exchange(recent_, {});
    generation_ = now;
  }
  const auto known = recent_.find(key);
  if (known != recent_.end()) return known->second;
  const auto old = older_.find(key);
  if (old != older_.end()) {
    auto node = older_.extract(old);
    return recent_.insert(std::move(node)).position->second;
  }
  if (keys() >= keys_max_) return shared_;
  return recent_.emplace(std::string(key), Bucket{rate_.burst, now}).first->second;
}

RateLimiter::Verdict RateLimiter::take(std::string_view key, base::Instant now) {
  if (rate_.per_second <= 0) return {};
  Bucket& found = bucket(key, now);
  const double passed = std::chrono::duration<double>(now - found.filled).count();
  found.tokens = std::min(rate_.burst, found.tokens + std::max(0.0, passed) * rate_.per_second);
  found.filled = now;
  if (found.tokens >= 1) {
    found.tokens -= 1;
    return {};
  }
  return {false, !std::exchange(found.was_refused, true),
          seconds((1 - found.tokens) / rate_.per_second)};
}

}  // namespace rest

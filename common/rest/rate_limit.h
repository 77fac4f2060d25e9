// SPDX-License-Identifier: Apache-2.0
// How often somebody may ask: a token bucket for each principal and for each address, used by the
// HTTP server.
//
// 1. Memory is bounded: a bucket that nobody used for as long as it takes to fill is forgotten,
// which changes nothing, and beyond `keys_max` newcomers share one bucket.
// 2. A refused request takes nothing, so that a caller that goes on asking is served at its rate.
// Threads: one at a time. Cost: O(1) on average.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace rest {

struct Rate {
  double per_second = 0;  // 0: no limit
  double burst = 0;       // requests at once, when there were none before
};

class RateLimiter {
 public:
  explicit RateLimiter(Rate rate, std::size_t keys_max = 10'000);

  struct Verdict {
    bool is_allowed = true;
    bool is_first_refusal =
        false;               // of this key since it was last forgotten; worth a line in the log
    base::Duration wait{0};  // until the next request is allowed
  };
  Verdict take(std::string_view key, base::Instant now);
  std::size_t keys() const { return recent_.size() + older_.size(); }

 private:
  struct Bucket {
    double tokens;
    base::Instant filled;
    bool was_refused = false;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  using Buckets = std::unordered_map<std::string, Bucket, Hash, std::equal_to<>>;
  Bucket& bucket(std::string_view key, base::Instant now);

  Rate rate_;
  std::size_t keys_max_;
  base::Duration time_to_fill_;
  // Two generations: what is in `older_` when the next one begins was not used for a whole one.
  Buckets recent_;
  Buckets older_;
  base::Instant generation_;
  Bucket shared_;
};

}  // namespace rest

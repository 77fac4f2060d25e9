// SPDX-License-Identifier: Apache-2.0
// Waiting times that double from a first to a longest one, for the agent's links.
// Threads: plain value.
#pragma once

#include <algorithm>

#include "common/base/clock.h"

namespace node::agent {

class Backoff {
 public:
  Backoff(base::Duration first, base::Duration longest)
      : first_(first), longest_(longest), next_(first) {}
  base::Duration next() {
    const base::Duration out = next_;
    next_ = std::min(next_ * 2, longest_);
    return out;
  }
  void reset() { next_ = first_; }

 private:
  base::Duration first_;
  base::Duration longest_;
  base::Duration next_;
};

}  // namespace node::agent

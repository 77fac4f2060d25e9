// SPDX-License-Identifier: Apache-2.0
// Runs an event loop until something has happened, for tests of what lives on one.
#pragma once

#include <chrono>
#include <functional>

#include "common/sys/event_loop.h"
#include "tests/support/check_result.h"
#include "tests/support/sanitizers.h"

namespace test_support {

// A sanitizer's build may take ten times as long.
inline constexpr std::chrono::seconds kRunPatience{kSanitized ? 60 : 5};

// Fails the test when it does not happen in time.
inline void run_until(sys::EventLoop& loop, const std::function<bool()>& done) {
  bool in_time = true;
  // The test has no event of its own to wait for: it looks after every millisecond.
  const auto look = loop.every(std::chrono::milliseconds(1), [&] {
    if (done()) loop.stop();
  });
  const auto end = loop.after(kRunPatience, [&] {
    in_time = false;
    loop.stop();
  });
  CHECK_OK(loop.run());
  CHECK_TEXT(in_time, "what was waited for did not come");
}

// Runs the loop for a while, for what must not happen.
inline void run_for(sys::EventLoop& loop, std::chrono::milliseconds time) {
  const auto end = loop.after(time, [&] { loop.stop(); });
  CHECK_OK(loop.run());
}

}  // namespace test_support

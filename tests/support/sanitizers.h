// SPDX-License-Identifier: Apache-2.0
// What tests do otherwise in a build with a sanitizer, and why. Everything else runs there as it
// is.
//
// 1. Simulations go through a twentieth of their seeds (share_of_seeds): instrumented, a seed takes
//    twenty times as long, and what a sanitizer finds does not hide in rare seeds.
// 2. Mistakes planted in rules are not searched for: that judges the simulator by its number of
//    seeds, and the plain build does.
// 3. Limits of resident memory are not compared: the address sanitizer's shadow and its quarantine
//    of freed memory count as resident.
// 4. What a test waits for on its loop may take a minute (run_loop.h).
#pragma once

#include <cstdint>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

inline constexpr std::uint64_t share_of_seeds(std::uint64_t seeds) {
  return kSanitized ? seeds / 20 : seeds;
}

// SPDX-License-Identifier: Apache-2.0
// Time and chance as interfaces, so that everything that decides or stores also runs in a
// simulator.
//
// 1. Deadlines, leases and back-off use `now()`, which counts while the machine sleeps and never
// steps (CLOCK_BOOTTIME).
// 2. `wall()` is for people, logs and certificates only; nothing is decided by it.
// Threads: the system implementations may be called from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>

namespace base {

using Duration = std::chrono::nanoseconds;
// A point on the boot-time clock of one machine. Means nothing on another machine or after a
// reboot.
struct Instant {
  Duration since_boot{0};
  friend auto operator<=>(const Instant&, const Instant&) = default;
  Instant operator+(Duration d) const { return {since_boot + d}; }
  Instant operator-(Duration d) const { return {since_boot - d}; }
  Duration operator-(Instant other) const { return since_boot - other.since_boot; }
};
using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
  virtual WallTime wall() const = 0;
};

class Rng {
 public:
  virtual ~Rng() = default;
  // Fills `out` with bytes. The system implementation is the kernel's generator and fit for
  // secrets; the simulator's is not.
  virtual void fill(std::span<std::uint8_t> out) = 0;
  std::uint64_t next();
  // Uniform in [0, bound). Requires: bound > 0.
  std::uint64_t below(std::uint64_t bound);
  // A random (version 4) UUID, RFC 9562, lower case.
  std::string uuid();
  // One of version 7: it begins with the time in milliseconds. Made one after another they are
  // neighbours in an ordered store, whose commits then touch few pages; random ones touch one each.
  std::string uuid_at(WallTime time);
  // `bytes` random bytes as base64url without padding.
  std::string token(std::size_t bytes);
};

// The kernel's clocks and random numbers. One of each lives for the whole process.
Clock& system_clock();
Rng& system_rng();

// RFC 3339 in UTC with milliseconds: 2026-01-31T08:00:00.123Z.
std::string format_time(WallTime time);

}  // namespace base

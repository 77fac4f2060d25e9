// SPDX-License-Identifier: Apache-2.0
#include "common/base/clock.h"

#include <sys/random.h>
#include <time.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "common/base/check.h"
#include "common/base/text.h"

namespace base {

std::uint64_t Rng::next() {
  std::array<std::uint8_t, 8> bytes{};
  fill(bytes);
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

std::uint64_t Rng::below(std::uint64_t bound) {
  CHECK_THAT(bound > 0);
  // Values past the last whole multiple of `bound` are drawn again, so that every result is equally
  // likely.
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  std::uint64_t value = next();
  while (value >= limit) value = next();
  return value % bound;
}

namespace {

std::string uuid_text(std::array<std::uint8_t, 16> bytes, std::uint8_t version) {
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | (version << 4));
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
  const std::string hex = to_hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) + "-" +
         hex.substr(16, 4) + "-" + hex.substr(20);
}

}  // namespace

std::string Rng::uuid() {
  std::array<std::uint8_t, 16> bytes{};
  fill(bytes);
  return uuid_text(bytes, 4);
}

std::string Rng::uuid_at(WallTime time) {
  std::array<std::uint8_t, 16> bytes{};
  fill(bytes);
  const auto milliseconds = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count());
  for (int i = 0; i < 6; ++i) bytes[i] = static_cast<std::uint8_t>(milliseconds >> (40 - 8 * i));
  return uuid_text(bytes, 7);
}

std::string Rng::token(std::size_t bytes) {
  std::string raw(bytes, '\0');
  fill({reinterpret_cast<std::uint8_t*>(raw.data()), raw.size()});
  return to_base64url(raw);
}

namespace {

Duration read_clock(clockid_t id) {
  timespec ts{};
  CHECK_THAT(clock_gettime(id, &ts) == 0);
  return std::chrono::seconds(ts.tv_sec) + std::chrono::nanoseconds(ts.tv_nsec);
}

class KernelClock final : public Clock {
 public:
  Instant now() const override { return {read_clock(CLOCK_BOOTTIME)}; }
  WallTime wall() const override {
    return WallTime(
        std::chrono::duration_cast<std::chrono::milliseconds>(read_clock(CLOCK_REALTIME)));
  }
};

class KernelRng final : public Rng {
 public:
  void fill(std::span<std::uint8_t> out) override {
    while (!out.empty()) {
      const ssize_t got = getrandom(out.data(), out.size(), 0);
      if (got < 0 && errno == EINTR) continue;
      CHECK_THAT(got > 0);
      out = out.subspan(static_cast<std::size_t>(got));
    }
  }
};

}  // namespace

Clock& system_clock() {
  static KernelClock clock;  // stateless
  return clock;
}

Rng& system_rng() {
  static KernelRng rng;  // stateless
  return rng;
}

std::string format_time(WallTime time) {
  const auto ms = time.time_since_epoch().count();
  const time_t seconds = static_cast<time_t>(ms / 1000 - (ms % 1000 < 0 ? 1 : 0));
  const int millis = static_cast<int>(ms - static_cast<long long>(seconds) * 1000);
  tm parts{};
  gmtime_r(&seconds, &parts);
  char buffer[80];
  std::snprintf(buffer, sizeof buffer, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
                parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, millis);
  return buffer;
}

}  // namespace base

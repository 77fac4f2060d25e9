// SPDX-License-Identifier: Apache-2.0
// What the programs here share: times, percentiles, the row they print and the state of the
// machine.
#pragma once

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace bench {

inline double to_us(std::chrono::nanoseconds time) {
  return static_cast<double>(time.count()) / 1000.0;
}

class Stopwatch {
 public:
  double us() const { return to_us(std::chrono::steady_clock::now() - begin_); }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

// The value that `share` of all are at or below; 0 without values.
inline double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  const auto at = std::min(values.size() - 1,
                           static_cast<std::size_t>(share * static_cast<double>(values.size())));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

// One-minute load and resident memory of this process, for beside the figures.
inline double load() {
  double averages[1] = {0};
  return getloadavg(averages, 1) == 1 ? averages[0] : -1;
}
inline long rss_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

// A row of the table in README.md.
inline void row(const std::string& what, const std::string& figure) {
  std::printf("| %s | %s |\n", what.c_str(), figure.c_str());
}
inline std::string number(double value, int digits = 1) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

}  // namespace bench

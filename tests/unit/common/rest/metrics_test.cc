// SPDX-License-Identifier: Apache-2.0
#include "common/rest/metrics.h"

#include <thread>

#include "tests/support/check_result.h"

TEST_GROUP(Metrics) {
  rest::Metrics metrics;

  void check_has(const std::string& text, const char* line) {
    CHECK_TEXT(text.find(line) != std::string::npos,
               (std::string(line) + " is not in\n" + text).c_str());
  }
};

TEST(Metrics, the_same_name_and_labels_are_the_same_counter) {
  metrics.counter("a_total", "A.", {{"x", "1"}}).add();
  metrics.counter("a_total", "A.", {{"x", "1"}}).add(2);
  metrics.counter("a_total", "A.", {{"x", "2"}}).add();
  const std::string text = metrics.render();
  check_has(text,
            "# HELP a_total A.\n# TYPE a_total counter\na_total{x=\"1\"} 3\na_total{x=\"2\"} 1\n");
}

TEST(Metrics, labels_and_help_cannot_break_the_format) {
  metrics.gauge("g", "two\nlines \\ \"q\"", {{"l", "a\"b\\c\nd"}}).set(1.5);
  const std::string text = metrics.render();
  check_has(text, "# HELP g two\\nlines \\\\ \"q\"\n");
  check_has(text, "g{l=\"a\\\"b\\\\c\\nd\"} 1.5\n");
}

TEST(Metrics, a_histogram_counts_up_to_infinity) {
  rest::Histogram& histogram = metrics.histogram("h_seconds", "H.", {{"r", "x"}}, {0.005, 1});
  for (const double value : {0.001, 0.005, 0.5, 7.0}) histogram.observe(value);
  const std::string text = metrics.render();
  check_has(text,
            "h_seconds_bucket{r=\"x\",le=\"0.005\"} 2\nh_seconds_bucket{r=\"x\",le=\"1\"} 3\n"
            "h_seconds_bucket{r=\"x\",le=\"+Inf\"} 4\nh_seconds_sum{r=\"x\"} 7.5");
  check_has(text, "h_seconds_count{r=\"x\"} 4\n");
}

TEST(Metrics, gauges_can_be_set_at_the_time_of_rendering) {
  metrics.on_render([this] { metrics.gauge("late", "Late.").set(9); });
  check_has(metrics.render(), "late 9\n");
}

TEST(Metrics, the_process_shows_its_memory_descriptors_and_start) {
  const std::string text = metrics.render();
  const auto value_of = [&text](const std::string& name) {
    const std::size_t at = text.find("\n" + name + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size() + 2));
  };
  CHECK_TRUE(value_of("process_resident_memory_bytes") > 100000);
  CHECK_TRUE(value_of("process_open_fds") >= 3);
  const double now = static_cast<double>(::time(nullptr));
  CHECK_TRUE(value_of("process_start_time_seconds") > now - 1000);
  CHECK_TRUE(value_of("process_start_time_seconds") < now + 5);
}

TEST(Metrics, no_observation_is_lost_between_threads) {
  rest::Counter& counter = metrics.counter("c_total", "C.");
  rest::Histogram& histogram = metrics.histogram("c_seconds", "C.");
  const auto work = [&] {
    for (int i = 0; i < 10000; ++i) {
      counter.add();
      histogram.observe(0.25);
    }
  };
  std::thread other(work);
  work();
  other.join();
  DOUBLES_EQUAL(20000, counter.value(), 0);
  LONGS_EQUAL(20000, histogram.count());
  DOUBLES_EQUAL(5000, histogram.sum(), 0);
}

// SPDX-License-Identifier: Apache-2.0
// Counters, gauges and histograms in Prometheus' text format 0.0.4.
// Threads: add, set and observe from any thread; registration and render on the loop thread.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace rest {

class Counter {
 public:
  void add(double amount = 1) { value_.fetch_add(amount, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

class Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  void add(double amount) { value_.fetch_add(amount, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds);
  void observe(double value);
  // Upper bound, cumulative count.
  std::vector<std::pair<double, std::uint64_t>> buckets() const;
  double sum() const;
  std::uint64_t count() const;

 private:
  std::vector<double> bounds_;
  std::vector<std::atomic<std::uint64_t>> counts_;
  std::atomic<double> sum_{0};
};

using Labels = std::map<std::string, std::string>;

class Metrics {
 public:
  // The same name and labels give the same object. References live as long as the registry.
  Counter& counter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge& gauge(const std::string& name, const std::string& help, const Labels& labels = {});
  // Bounds in seconds by default, from 1 ms to 60 s.
  Histogram& histogram(const std::string& name, const std::string& help, const Labels& labels = {},
                       std::vector<double> bounds = {});
  // Called before each render, to set gauges that are cheap to read only then.
  void on_render(std::function<void()> refresh);
  std::string render();

 private:
  struct Family;
  struct FamilyDeleter {
    void operator()(Family* family) const noexcept;
  };
  Family& family(const std::string& name, const std::string& help, std::string_view type);
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Family, FamilyDeleter>> families_;
  std::vector<std::function<void()>> refreshers_;
};

}  // namespace rest

// SPDX-License-Identifier: Apache-2.0
// The scheduler alone, in memory: how long its decisions take with many apps, instances and nodes.
//
// Claim: 1,000 apps of 10 instances on 100 nodes are placed in under a second, and no single event
// (a report, a scale, a lost node) takes time that grows with the square of anything.
// Usage: placement-bench [APPS [INSTANCES [NODES]]]
#include <cstring>
#include <nlohmann/json.hpp>

#include "bench/figures.h"
#include "node/master/edits.h"

namespace {

using base::Json;
using bench::number;
using bench::row;
using bench::Stopwatch;
using namespace node::master;  // NOLINT: a program about this one namespace
namespace api = node::api;

class SteppedClock final : public base::Clock {
 public:
  base::Instant now() const override { return {time_}; }
  base::WallTime wall() const override {
    return base::WallTime(std::chrono::duration_cast<std::chrono::milliseconds>(time_));
  }
  void advance(base::Duration by) { time_ += by; }

 private:
  base::Duration time_ = std::chrono::hours(500'000);
};

class CountingRng final : public base::Rng {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& byte : out) {
      state_ = state_ * 6364136223846793005U + 1442695040888963407U;
      byte = static_cast<std::uint8_t>(state_ >> 56U);
    }
  }

 private:
  std::uint64_t state_ = 1;
};

std::string digest(std::string_view text) {
  char out[65];
  std::snprintf(out, sizeof out, "%064zx", std::hash<std::string_view>{}(text));
  return out;
}

App make(int number, int instances) {
  Problems problems;
  auto app =
      make_app({{"id", "/team" + std::to_string(number % 20) + "/app" + std::to_string(number)},
                {"cmd", "run"},
                {"cpus", 0.1},
                {"mem", 64},
                {"instances", instances},
                {"labels", {{"HAPROXY_GROUP", "external"}}}},
               "/", "", problems);
  if (!app) std::abort();
  return std::move(*app);
}

class Bench {
 public:
  Bench(int apps, int instances, int nodes) : apps_(apps), instances_(instances), nodes_(nodes) {
    for (int i = 0; i < nodes; ++i) {
      api::Node node;
      node.name = name_of(i);
      node.address = "10.0.0." + std::to_string(i);
      node.resources = {64, std::int64_t{256} << 30, std::int64_t{1} << 40};
      node.attributes["rack"] = "r" + std::to_string(i % 10);
      scheduler_.node_info(node);
      scheduler_.node_live(node.name, true);
    }
  }

  void run() {
    place();
    report();
    scale();
    lose_a_node();
    wait_for_room();
  }

 private:
  static std::string name_of(int node) { return "n" + std::to_string(node); }
  std::size_t total() const { return scheduler_.instances().size(); }

  void place() {
    Change change;
    for (int i = 0; i < apps_; ++i) change.put.push_back(make(i, instances_));
    const Stopwatch watch;
    Problems problems;
    check_whole(scheduler_, change, problems);
    scheduler_.deploy(std::move(change));
    const double us = watch.us();
    row("placed in one pass", std::to_string(total()) + " instances in " + number(us / 1000) +
                                  " ms, " + number(static_cast<double>(total()) / us * 1e6, 0) +
                                  " decisions/s");
  }

  // Each agent reports its instances one by one, as they come up.
  void report() {
    std::vector<double> times;
    const Stopwatch watch;
    for (int i = 0; i < nodes_; ++i) {
      std::int64_t sequence = 0;
      must(scheduler_.report(name_of(i), {"boot", ++sequence, true, {}}));
      for (const api::Assignment& wanted : scheduler_.assignments(name_of(i)).instances) {
        api::InstanceStatus status;
        status.id = wanted.id;
        status.state = api::InstanceState::running;
        status.ready = true;
        const Stopwatch one;
        must(scheduler_.report(name_of(i), {"boot", ++sequence, false, {status}}));
        times.push_back(one.us());
      }
    }
    row("a report of one instance", "p50 " + number(bench::percentile(times, 0.5)) + " µs, p99 " +
                                        number(bench::percentile(times, 0.99)) + " µs");
    row("all reports until the deployment ends",
        number(watch.us() / 1000) + " ms, " + std::to_string(scheduler_.deployments().size()) +
            " deployments left");
  }

  // One app after the other gets one more: check, deploy, place.
  void scale() {
    std::vector<double> times;
    for (int i = 0; i < std::min(apps_, 500); ++i) {
      const App app = make(i, instances_ + 1);
      const Stopwatch watch;
      Change change;
      change.put.push_back(app);
      Problems problems;
      check_whole(scheduler_, change, problems);
      scheduler_.deploy(std::move(change));
      times.push_back(watch.us());
    }
    row("a scheduling pass for one app", "p50 " + number(bench::percentile(times, 0.5)) +
                                             " µs, p99 " + number(bench::percentile(times, 0.99)) +
                                             " µs");
  }

  void lose_a_node() {
    const std::size_t lost = scheduler_.assignments(name_of(0)).instances.size();
    const Stopwatch watch;
    scheduler_.node_live(name_of(0), false);
    row("a lost node",
        std::to_string(lost) + " instances placed anew in " + number(watch.us() / 1000, 2) + " ms");
  }

  // As many apps as there are wait for room; a report of any instance's end makes each of them
  // look.
  void wait_for_room() {
    Change change;
    for (int i = 0; i < apps_; ++i) {
      App app = make(apps_ + i, 1);
      app.cpus = 1000;
      change.put.push_back(std::move(app));
    }
    scheduler_.deploy(std::move(change));
    std::vector<double> times;
    std::int64_t sequence = 100'000;
    must(scheduler_.report(name_of(1), {"again", ++sequence, true, {}}));
    for (const api::Assignment& wanted : scheduler_.assignments(name_of(1)).instances) {
      if (times.size() >= 50) break;
      api::InstanceStatus status;
      status.id = wanted.id;
      status.state = api::InstanceState::killed;
      const Stopwatch one;
      must(scheduler_.report(name_of(1), {"again", ++sequence, false, {status}}));
      times.push_back(one.us());
    }
    row("an instance ends while " + std::to_string(apps_) + " apps wait for room",
        "p50 " + number(bench::percentile(times, 0.5)) + " µs, p99 " +
            number(bench::percentile(times, 0.99)) + " µs");
    row("load, resident memory",
        number(bench::load(), 2) + ", " + std::to_string(bench::rss_mib()) + " MiB");
  }

  static void must(const base::Result<std::int64_t>& result) {
    if (!result) std::abort();
  }

  int apps_;
  int instances_;
  int nodes_;
  SteppedClock clock_;
  CountingRng rng_;
  Scheduler scheduler_{clock_, rng_, {.digest = digest}};
};

int argument(int argc, char** argv, int index, int fallback) {
  return argc > index ? std::atoi(argv[index]) : fallback;
}

}  // namespace

int main(int argc, char** argv) {
  const int apps = argument(argc, argv, 1, 1000);
  const int instances = argument(argc, argv, 2, 10);
  const int nodes = argument(argc, argv, 3, 100);
  std::printf("placement-bench: %d apps of %d instances on %d nodes\n", apps, instances, nodes);
  Bench(apps, instances, nodes).run();
}

// SPDX-License-Identifier: Apache-2.0
// All services in this process, on a store on disk, called through the whole pipeline without HTTP:
// what `./dev show services-speed` puts beside the figures over a socket, where the client takes
// half of the machine.
//
//   services-calls FOLDER SECONDS RESOURCES
//
// Claims: 20,000 token inspections and 15,000 reads by id per second, 3,000 creates by 32 callers.
// Queries are measured with one caller, which is what the daemon's loop is, and with one per
// processor. Output: JSON.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "bench/figures.h"
#include "common/sys/event_loop.h"
#include "common/sys/loop_timers.h"
#include "common/sys/shared_file.h"
#include "services/daemon.h"
#include "services/framework/running_host.h"

namespace {

using namespace services;
using base::Json;

constexpr std::size_t kCreators = 32;
constexpr std::size_t kFillers = 64;

std::string base64(std::string_view text) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 3) {
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      bits = bits << 8 | (i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out += i + k <= text.size() ? kDigits[bits >> (18 - 6 * k) & 63] : '=';
    }
  }
  return out;
}

struct World {
  explicit World(const std::string& folder) {
    std::vector<std::unique_ptr<Service>> all;
    for (const ServiceMaker& maker : makers()) {
      Json config = Json::object();
      if (maker.name == "security") config["credentialsFile"] = folder + "/admin.json";
      all.push_back(*maker.make(config));
    }
    loop = *sys::EventLoop::make();
    timers = std::make_unique<sys::LoopTimers>(*loop);
    store = *store::open_lmdb(folder + "/store",
                              {.collections = collections_of(all), .changes_kept = 10'000});
    workers = std::make_unique<sys::WorkerPool>(sys::WorkerPool::Limits{.threads = 8});
    host = *RunningHost::make(
        {*store, base::system_clock(), base::system_rng(), *timers, *workers, metrics, folder,
         [this](std::function<void()> work) { loop->post(std::move(work)); }},
        std::move(all), {});
    const auto started = host->start();
    CHECK_THAT(started.has_value());
    Json key;
    std::ifstream(folder + "/admin.json") >> key;
    authorization = "Basic " + base64(key["apiKey"].get<std::string>() + ":" +
                                      key["apiSecret"].get<std::string>());
    turning = std::thread([this] { static_cast<void>(loop->run()); });
  }
  ~World() {
    loop->stop();
    turning.join();
    workers.reset();
    host->stop();
  }
  rest::Response send(rest::Method method, std::string path, std::string body, int expected) {
    rest::Request request;
    request.method = method;
    request.path = std::move(path);
    request.headers["authorization"] = authorization;
    request.headers["content-type"] =
        body.starts_with('{') ? "application/json" : "application/x-www-form-urlencoded";
    request.body = std::move(body);
    rest::Response reply = host->handle(request);
    if (reply.status != expected) {
      std::fprintf(stderr, "%s: %d %s\n", request.path.c_str(), reply.status, reply.body.c_str());
      std::abort();
    }
    return reply;
  }

  std::string authorization;
  std::unique_ptr<sys::EventLoop> loop;
  std::unique_ptr<sys::LoopTimers> timers;
  rest::Metrics metrics;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<sys::WorkerPool> workers;
  std::unique_ptr<RunningHost> host;
  std::thread turning;
};

double cpu_us() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto us = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

// `most`: calls after which it ends, whatever the time.
Json measure(std::size_t threads, double seconds, const std::function<void()>& once,
             std::size_t most = SIZE_MAX) {
  std::vector<std::vector<double>> took(threads);
  std::vector<std::thread> running;
  std::atomic<std::size_t> begun{0};
  const double cpu_before = cpu_us();
  const bench::Stopwatch watch;
  for (std::size_t i = 0; i < threads; ++i) {
    running.emplace_back([&, i] {
      for (double now = watch.us(); now < seconds * 1e6 && begun++ < most;) {
        once();
        const double after = watch.us();
        took[i].push_back(after - now);
        now = after;
      }
    });
  }
  for (std::thread& thread : running) thread.join();
  const double wall = watch.us();
  std::vector<double> all;
  for (const auto& each : took) all.insert(all.end(), each.begin(), each.end());
  const auto count = static_cast<double>(all.size());
  return {{"per_second", count / wall * 1e6},
          {"p50_us", bench::percentile(all, 0.5)},
          {"p99_us", bench::percentile(all, 0.99)},
          {"cpu_us", (cpu_us() - cpu_before) / count}};
}

int run(const std::string& folder, double seconds, std::size_t resources) {
  World world(folder);
  static_cast<void>(world.send(rest::Method::post, "/meta/sync", "{}", 200));
  const Json token = Json::parse(world
                                     .send(rest::Method::post, "/security/root/oauth/issue",
                                           "grant_type=client_credentials", 200)
                                     .body);
  const std::string inspected = "token=" + token["access_token"].get<std::string>();
  world.authorization = "Bearer " + token["access_token"].get<std::string>();
  const Json workspace = Json::parse(
      world.send(rest::Method::post, "/meta/root/workspaces", R"({"name":"speed"})", 201).body);
  const std::string place =
      "/meta/root/workspaces/" + workspace["id"].get<std::string>() + "/environments";
  std::atomic<std::size_t> number{0};
  const auto body = [&](const std::string& id) {
    return R"({"name":"e)" + std::to_string(number++) +
           R"(","properties":{"environment_type":"development"})" + id + "}";
  };
  std::vector<std::string> ids(resources);
  for (std::string& id : ids) id = base::system_rng().uuid();
  std::atomic<std::size_t> filled{0};
  const Json filling = measure(
      kFillers, 1e9,
      [&] { world.send(rest::Method::post, place, body(R"(,"id":")" + ids[filled++] + '"'), 201); },
      resources);
  std::atomic<std::size_t> next{0};
  const auto inspect = [&] {
    world.send(rest::Method::post, "/security/root/oauth/inspect", inspected, 200);
  };
  const auto who = [&] { world.send(rest::Method::get, "/security/accounts/self", "", 200); };
  const auto get = [&] {
    world.send(rest::Method::get, "/meta/root/environments/" + ids[next++ * 7919 % ids.size()], "",
               200);
  };
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  Json out = {{"resources", resources}, {"filling", filling}};
  for (const std::size_t threads : {std::size_t{1}, cores}) {
    const std::string suffix = "_" + std::to_string(threads);
    out["inspect" + suffix] = measure(threads, seconds, inspect);
    out["authenticated" + suffix] = measure(threads, seconds, who);
    out["get" + suffix] = measure(threads, seconds, get);
  }
  out["create"] =
      measure(kCreators, seconds, [&] { world.send(rest::Method::post, place, body(""), 201); });
  std::printf("%s\n", out.dump().c_str());
  std::fflush(stdout);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "services-calls FOLDER SECONDS RESOURCES\n");
    return 2;
  }
  CHECK_THAT(sys::make_synced_folder(argv[1], 0700).has_value());
  return run(argv[1], std::atof(argv[2]), static_cast<std::size_t>(std::atoi(argv[3])));
}

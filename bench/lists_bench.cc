// SPDX-License-Identifier: Apache-2.0
// masterd with many apps: how long a small request takes beside clients that list everything, and
// how long the lists take.
//
// Claim: beside GET /v2/apps with 1,000 apps the p99 of a small request stays under 10 ms.
// A child serves masterd's own routes from a coordination folder of its own; agents are not needed.
// Usage: lists-bench [APPS [SECONDS]]
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "bench/figures.h"
#include "bench/http_client.h"
#include "common/rest/server.h"
#include "node/master/routes.h"

namespace {

using base::Json;
using bench::Connection;
using bench::number;
using node::master::MasterService;

void deploy(Connection& connection, int apps) {
  Json list = Json::array();
  for (int i = 0; i < apps; ++i)
    list.push_back({{"id", "app" + std::to_string(i)},
                    {"cmd", "run --with some --more arguments"},
                    {"instances", 10},
                    {"env", {{"A", "1"}, {"B", "2"}}},
                    {"labels", {{"HAPROXY_GROUP", "external"}, {"HAPROXY_0_VHOST", "a.example"}}}});
  const std::string body = base::dump_json({{"id", "/many"}, {"apps", std::move(list)}});
  connection.get("PUT /v2/groups HTTP/1.1\r\nHost: bench\r\nContent-Length: " +
                 std::to_string(body.size()) + "\r\n\r\n" + body);
}

void add(const base::Result<coordination::Outcome>& made) { CHECK_THAT(made.has_value()); }

void serve(const std::string& folder, int ready) {
  auto loop = sys::EventLoop::make();
  CHECK_THAT(loop.has_value());
  sys::WorkerPool workers({.threads = 16});
  auto tree = coordination::open_local({.folder = folder});
  CHECK_THAT(tree.has_value());
  rest::TokenFile tokens({.file = folder + "/tokens.json"});
  rest::Metrics metrics;
  for (const auto path : {node::api::kNodesPath, node::api::kLivePath})
    CHECK_THAT(coordination::ensure_path(**tree, std::string(path)).has_value());
  for (int i = 0; i < 10; ++i) {
    node::api::Node node;
    node.name = "n" + std::to_string(i);
    node.address = "10.0.0." + std::to_string(i);
    node.resources = {1e6, std::int64_t{1} << 50, std::int64_t{1} << 50};
    node.port_last = 4999;
    add((*tree)->create(
        {node::api::place(node::api::kNodesPath, node.name), node::api::encode(node)}));
    add((*tree)->create(
        {node::api::place(node::api::kLivePath, node.name), "", coordination::Kind::ephemeral}));
  }
  auto service = MasterService::start(
      {**loop, **tree, base::system_clock(), base::system_rng(), metrics}, {.netfw_socket = ""});
  CHECK_THAT(service.has_value());
  rest::RouteTable table;
  node::master::add_routes(table, service->get());
  auto server = rest::Server::make({**loop, workers, tokens, metrics}, table,
                                   {{.unix_path = folder + "/socket"}});
  CHECK_THAT(server.has_value());
  CHECK_THAT(::write(ready, "r", 1) == 1);
  CHECK_THAT((*loop)->run().has_value());
}

// Small requests for `seconds`, one every two milliseconds, beside clients that ask for `list`.
void measure(const std::string& socket, const char* list, double seconds) {
  std::atomic<bool> stop = false;
  std::vector<double> lists;
  std::size_t bytes = 0;
  std::thread heavy([&] {
    if (list == nullptr) return;
    Connection connection = Connection::to_unix(socket);
    const std::string request = Connection::request(list, "");
    while (!stop) {
      const bench::Stopwatch one;
      connection.get(request);
      lists.push_back(one.us());
      bytes = connection.answer_bytes;
    }
  });
  Connection connection = Connection::to_unix(socket);
  const std::string request = Connection::request("/ping", "");
  std::vector<double> times;
  const bench::Stopwatch watch;
  while (watch.us() < seconds * 1e6) {
    const bench::Stopwatch one;
    connection.get(request);
    times.push_back(one.us());
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // the rate of the client
  }
  stop = true;
  heavy.join();
  std::string figure = "GET /ping p50 " + number(bench::percentile(times, 0.5) / 1000, 2) +
                       " ms, p99 " + number(bench::percentile(times, 0.99) / 1000, 2) +
                       " ms, max " + number(bench::percentile(times, 1) / 1000, 2) + " ms";
  if (list != nullptr)
    figure += "; the list p50 " + number(bench::percentile(lists, 0.5) / 1000) + " ms, " +
              number(static_cast<double>(bytes) / 1e6) + " MB";
  bench::row(list == nullptr ? "alone" : "beside GET " + std::string(list), figure);
}

}  // namespace

int main(int argc, char** argv) {
  const int apps = argc > 1 ? std::atoi(argv[1]) : 1000;
  const double seconds = argc > 2 ? std::atof(argv[2]) : 5;
  char folder[] = "/tmp/lists-bench-XXXXXX";
  CHECK_THAT(::mkdtemp(folder) != nullptr);
  int ready[2];
  CHECK_THAT(::pipe(ready) == 0);
  const pid_t child = ::fork();
  CHECK_THAT(child >= 0);
  if (child == 0) {
    serve(folder, ready[1]);
    ::_exit(0);
  }
  char byte = 0;
  CHECK_THAT(::read(ready[0], &byte, 1) == 1);
  const std::string socket = std::string(folder) + "/socket";
  std::printf("lists-bench: %d apps, %.0f s each\n", apps, seconds);
  Connection connection = Connection::to_unix(socket);
  deploy(connection, apps);
  for (const char* list : {static_cast<const char*>(nullptr), "/v2/apps",
                           "/v2/apps?embed=apps.tasks", "/v2/groups", "/v2/tasks", "/master/state"})
    measure(socket, list, seconds);
  bench::row("load", number(bench::load(), 2));
  CHECK_THAT(::kill(child, SIGKILL) == 0);
  int status = 0;
  rusage usage{};
  CHECK_THAT(::wait4(child, &status, 0, &usage) == child);
  bench::row("resident memory of masterd, at most",
             std::to_string(usage.ru_maxrss / 1024) + " MiB");
  std::filesystem::remove_all(folder);
}

// SPDX-License-Identifier: Apache-2.0
// The REST layer alone: small GETs of a route that costs nothing, with credentials checked,
// routing, request id and metrics as in every daemon.
//
// Claim: at least 20,000 small GETs per second and daemon, on the unix socket and on loopback TCP.
// 32 keep-alive connections each have one request under way. The client shares the machine; the
// CPU time per request is the server's alone.
// Usage: rest-bench [SECONDS]
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "bench/figures.h"
#include "bench/http_client.h"
#include "common/rest/server.h"

namespace {

using bench::Connection;
using bench::number;

constexpr int kConnections = 32;
// Requests are counted as in every daemon, but none is refused.
constexpr rest::Rate kRate = {.per_second = 1e6, .burst = 1e6};

// Runs in a child: serves until it is told to end. Its port goes to `ready`.
void serve(const std::string& folder, int ready) {
  auto loop = sys::EventLoop::make();
  CHECK_THAT(loop.has_value());
  sys::WorkerPool workers({.threads = 2});
  rest::TokenFile tokens({.file = folder + "/tokens.json"});
  rest::Metrics metrics;
  rest::RouteTable table;
  rest::add_standard_routes(table, metrics, "bench", [] { return base::Json{{"status", "ok"}}; });
  auto server = rest::Server::make(
      {**loop, workers, tokens, metrics}, table, {{.unix_path = folder + "/socket"}, {.port = 0}},
      {.per_principal = kRate, .per_address = kRate, .health_per_address = kRate});
  CHECK_THAT(server.has_value());
  const std::uint16_t port = (*server)->port(1);
  CHECK_THAT(::write(ready, &port, sizeof port) == sizeof port);
  CHECK_THAT((*loop)->run().has_value());
}

double child_cpu_us(const rusage& usage) {
  const auto us = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

enum class Transport { unix_socket, tcp };

void measure(const std::string& folder, Transport transport, const std::string& token,
             double seconds) {
  int ready[2];
  CHECK_THAT(::pipe(ready) == 0);
  const pid_t child = ::fork();
  CHECK_THAT(child >= 0);
  if (child == 0) {
    serve(folder, ready[1]);
    ::_exit(0);
  }
  std::uint16_t port = 0;
  CHECK_THAT(::read(ready[0], &port, sizeof port) == sizeof port);
  std::vector<Connection> connections;
  for (int i = 0; i < kConnections; ++i)
    connections.push_back(transport == Transport::tcp ? Connection::to_port(port)
                                                      : Connection::to_unix(folder + "/socket"));
  const std::string request = Connection::request("/health", token);
  const bench::Figures figures = bench::drive(
      connections, [&]() -> const std::string& { return request; }, seconds);
  CHECK_THAT(::kill(child, SIGKILL) == 0);
  rusage usage{};
  int status = 0;
  CHECK_THAT(::wait4(child, &status, 0, &usage) == child);
  const char* name = transport == Transport::tcp ? "loopback TCP, token" : "unix socket, peer uid";
  bench::row(name, number(figures.per_second, 0) + " GET/s, p50 " + number(figures.p50_us, 0) +
                       " µs, p99 " + number(figures.p99_us, 0) + " µs, " +
                       number(child_cpu_us(usage) / static_cast<double>(figures.requests), 1) +
                       " CPU µs per request");
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 5;
  char folder[] = "/tmp/rest-bench-XXXXXX";
  CHECK_THAT(::mkdtemp(folder) != nullptr);
  const auto token = rest::TokenFile::mint(std::string(folder) + "/tokens.json", "bench", {"*"},
                                           base::system_rng());
  CHECK_THAT(token.has_value());
  std::printf("rest-bench: %d connections, %.0f s each\n", kConnections, seconds);
  measure(folder, Transport::unix_socket, "", seconds);
  measure(folder, Transport::tcp, std::string(token->reveal()), seconds);
  bench::row("load", number(bench::load(), 2));
  std::filesystem::remove_all(folder);
}

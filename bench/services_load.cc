// SPDX-License-Identifier: Apache-2.0
// Load for `./dev show services-speed`: requests from a file, again and again, over a unix socket
// or loopback TCP.
//
//   services-load --to SOCKET|PORT --requests FILE [--pid PID] [--connections N] [--seconds S]
//                 [--count N] [--from N] [--status CODE] [--authorization TEXT]
//
// FILE has a line per request, {"method", "path", "body"?, "type"?}; they are sent in turn. `@N@`
// in a path or body is a number that no other request of this run has, and none of a run with
// another
// --from. It ends after so many seconds or requests. Output: JSON with rate, percentiles and, of
// the process --pid, the processor time per request: the client shares the machine, so the rate
// alone says too little about the server.
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "bench/http_client.h"
#include "common/base/json.h"

namespace {

using base::Json;
using bench::Connection;

constexpr std::string_view kNumber = "@N@";

std::map<std::string, std::string> read_arguments(int argc, char** argv) {
  std::map<std::string, std::string> given = {{"--connections", "32"}, {"--seconds", "5"},
                                              {"--status", "200"},     {"--count", "0"},
                                              {"--from", "0"},         {"--pid", "0"}};
  for (int i = 1; i + 1 < argc; i += 2) given[argv[i]] = argv[i + 1];
  CHECK_THAT(given.contains("--to") && given.contains("--requests"));
  return given;
}

std::string with_number(std::string text, std::size_t number) {
  for (std::size_t at = text.find(kNumber); at != std::string::npos; at = text.find(kNumber, at)) {
    text.replace(at, kNumber.size(), std::to_string(number));
  }
  return text;
}

// Requests as bytes; those with a number in them are put together when they are sent.
class Requests {
 public:
  Requests(const std::string& file, const std::string& authorization, std::size_t first)
      : number_(first) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) add(Json::parse(line), authorization);
    CHECK_THAT(!all_.empty());
  }
  const std::string& next() {
    const Request& request = all_[at_++ % all_.size()];
    if (!request.is_numbered) return request.head;
    const std::string body = with_number(request.body, number_);
    made_ = with_number(request.head, number_++) + length(body) + body;
    return made_;
  }

 private:
  struct Request {
    std::string head;  // the whole request when it is not numbered
    std::string body;
    bool is_numbered;
  };
  static std::string length(const std::string& body) {
    return "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  }
  void add(const Json& json, const std::string& authorization) {
    const std::string path = json.at("path");
    const std::string body = json.value("body", "");
    std::string head =
        json.at("method").get<std::string>() + " " + path + " HTTP/1.1\r\nHost: bench\r\n";
    if (!authorization.empty()) head += "Authorization: " + authorization + "\r\n";
    if (!body.empty()) {
      head += "Content-Type: " + json.value("type", "application/json") + "\r\n";
    }
    const bool is_numbered = (path + body).find(kNumber) != std::string::npos;
    if (!is_numbered) head += body.empty() ? "\r\n" : length(body) + body;
    all_.push_back({std::move(head), body, is_numbered});
  }

  std::vector<Request> all_;
  std::string made_;
  std::size_t at_ = 0;
  std::size_t number_;
};

// Processor time of a process so far; 0 when there is none.
double cpu_us(const std::string& pid) {
  std::ifstream in("/proc/" + pid + "/stat");
  std::stringstream text;
  text << in.rdbuf();
  const std::string stat = text.str();
  if (stat.empty()) return 0;
  std::istringstream fields(stat.substr(stat.rfind(')') + 2));
  std::string skipped;
  for (int i = 3; i < 14; ++i) fields >> skipped;  // proc(5): utime is field 14
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) * 1e6 / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double own_cpu_us() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto us = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

}  // namespace

int main(int argc, char** argv) {
  auto given = read_arguments(argc, argv);
  Requests requests(given["--requests"], given["--authorization"],
                    std::strtoull(given["--from"].c_str(), nullptr, 10));
  std::vector<Connection> connections;
  for (int i = std::atoi(given["--connections"].c_str()); i > 0; --i) {
    const std::string& to = given["--to"];
    connections.push_back(to.starts_with('/')
                              ? Connection::to_unix(to)
                              : Connection::to_port(static_cast<std::uint16_t>(std::stoi(to))));
    connections.back().expected_status = given["--status"];
  }
  const std::size_t count = std::strtoull(given["--count"].c_str(), nullptr, 10);
  const double server = cpu_us(given["--pid"]);
  const double client = own_cpu_us();
  const bench::Figures figures = bench::drive(
      connections, [&]() -> const std::string& { return requests.next(); },
      std::atof(given["--seconds"].c_str()), count > 0 ? count : SIZE_MAX);
  const auto requested = static_cast<double>(figures.requests);
  std::printf("%s\n", Json{{"requests", figures.requests},
                           {"per_second", figures.per_second},
                           {"p50_us", figures.p50_us},
                           {"p99_us", figures.p99_us},
                           {"server_cpu_us", (cpu_us(given["--pid"]) - server) / requested},
                           {"client_cpu_us", (own_cpu_us() - client) / requested}}
                          .dump()
                          .c_str());
}

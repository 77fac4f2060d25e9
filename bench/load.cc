// SPDX-License-Identifier: Apache-2.0
// Keep-alive HTTP load: N connections send GETs at a steady rate and every answer is accounted for.
// Prints one JSON object.
//
// 1. A request that was sent and got no whole 200 answer within the deadline is a failure, with its
// reason and time; there is no
//    retry.
// 2. A connection that the other side closes between two requests is opened again and counted as
// reconnected, not as failed. Ends after --seconds, or at SIGINT or SIGTERM when the requests under
// way have their answers. Threads: one. Source: epoll(7), RFC 9112.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kLatenciesMax = 5'000'000;
constexpr std::size_t kFailuresShownMax = 50;
constexpr std::size_t kBodiesMax = 500;
constexpr std::size_t kAnswerMax = 1 << 20;
constexpr std::chrono::milliseconds kTick{1};

struct Options {
  std::string address = "127.0.0.1";
  int port = 80;
  std::string host = "localhost";
  std::string path = "/";
  std::size_t connections = 16;
  double rate = 500;   // requests per second over all connections
  double seconds = 0;  // 0: until a signal
  int deadline_ms = 5000;
  bool bodies = false;  // count the distinct bodies
};

struct Failure {
  long long at_ms;  // wall clock
  std::string reason;
};

struct Totals {
  unsigned long long ok = 0;
  unsigned long long failed = 0;
  unsigned long long reconnected = 0;
  std::map<std::string, unsigned long long> reasons;
  std::vector<Failure> failures;
  std::vector<float> latencies_ms;
  std::map<std::string, unsigned long long> bodies;
  std::optional<Clock::time_point> last_ok;
  double gap_max_ms = 0;
};

long long wall_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

double ms_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

// The end of the first whole answer in `text`: its status and body, or nothing yet.
struct Answer {
  int status = 0;
  std::string_view body;
  std::size_t size = 0;
  bool close = false;
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& byte : out) byte = static_cast<char>(std::tolower(static_cast<unsigned char>(byte)));
  return out;
}

// Answers of HAProxy and of the sample carry a Content-Length or end with the connection.
std::optional<Answer> read_answer(std::string_view text, bool ended) {
  const std::size_t head_end = text.find("\r\n\r\n");
  if (head_end == std::string_view::npos || text.size() < 12) return std::nullopt;
  Answer answer;
  std::from_chars(text.data() + 9, text.data() + 12, answer.status);
  const std::string head = lower(text.substr(0, head_end + 2));
  answer.close = head.find("\r\nconnection: close") != std::string::npos;
  const std::string_view rest = text.substr(head_end + 4);
  const std::size_t field = head.find("\r\ncontent-length:");
  if (field == std::string::npos) {
    if (!ended) return std::nullopt;
    answer.body = rest;
    answer.size = text.size();
    answer.close = true;
    return answer;
  }
  std::size_t begin = field + 17;
  while (begin < head.size() && head[begin] == ' ') ++begin;
  std::size_t length = 0;
  std::from_chars(head.data() + begin, head.data() + head.size(), length);
  if (rest.size() < length) return std::nullopt;
  answer.body = rest.substr(0, length);
  answer.size = head_end + 4 + length;
  return answer;
}

class Load {
 public:
  explicit Load(Options options) : options_(std::move(options)) {
    request_ = "GET " + options_.path + " HTTP/1.1\r\nHost: " + options_.host +
               "\r\nUser-Agent: gestalt-load\r\nAccept: */*\r\n\r\n";
  }
  bool prepare();
  void run();
  void print() const;

 private:
  enum class State { closed, connecting, idle, waiting };
  struct Connection {
    int fd = -1;
    State state = State::closed;
    std::string in;
    std::size_t unsent = 0;
    Clock::time_point begin;
  };
  void tick();
  void open(std::size_t index);
  void send_request(std::size_t index);
  void serve(std::size_t index, unsigned events);
  void flush(std::size_t index);
  void receive(std::size_t index);
  void finish(std::size_t index, const Answer& answer);
  void fail(std::size_t index, const std::string& reason);
  void close_connection(std::size_t index);
  void watch(std::size_t index, unsigned events, bool add);
  bool all_quiet() const;

  Options options_;
  std::string request_;
  sockaddr_storage target_{};
  socklen_t target_size_ = 0;
  int epoll_ = -1;
  int timer_ = -1;
  int signals_ = -1;
  bool ending_ = false;
  double credit_ = 0;
  Clock::time_point begin_;
  Clock::time_point last_tick_;
  std::vector<Connection> connections_;
  std::size_t next_ = 0;
  Totals totals_;
};

constexpr std::uint64_t kTimerTag = ~0ULL;
constexpr std::uint64_t kSignalTag = ~1ULL;

bool Load::prepare() {
  auto* v4 = reinterpret_cast<sockaddr_in*>(&target_);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&target_);
  if (::inet_pton(AF_INET, options_.address.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<in_port_t>(options_.port));
    target_size_ = sizeof *v4;
  } else if (::inet_pton(AF_INET6, options_.address.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(static_cast<in_port_t>(options_.port));
    target_size_ = sizeof *v6;
  } else {
    std::fprintf(stderr, "load: \"%s\" is not an address\n", options_.address.c_str());
    return false;
  }
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &ends, nullptr);
  signals_ = ::signalfd(-1, &ends, SFD_CLOEXEC);
  timer_ = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (signals_ < 0 || timer_ < 0 || epoll_ < 0) return false;
  itimerspec period{};
  period.it_interval.tv_nsec = period.it_value.tv_nsec = std::chrono::nanoseconds(kTick).count();
  ::timerfd_settime(timer_, 0, &period, nullptr);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kTimerTag;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, timer_, &event);
  event.data.u64 = kSignalTag;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, signals_, &event);
  connections_.resize(options_.connections);
  return true;
}

bool Load::all_quiet() const {
  return std::all_of(connections_.begin(), connections_.end(), [](const Connection& each) {
    return each.state == State::closed || each.state == State::idle;
  });
}

void Load::run() {
  begin_ = last_tick_ = Clock::now();
  std::array<epoll_event, 128> events{};
  while (!(ending_ && all_quiet())) {
    const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.u64 == kTimerTag) {
        std::uint64_t ignored = 0;
        if (::read(timer_, &ignored, sizeof ignored) == sizeof ignored) tick();
      } else if (event.data.u64 == kSignalTag) {
        ending_ = true;
      } else {
        serve(event.data.u64, event.events);
      }
    }
  }
}

// Spends the requests that the rate allows by now, and ends what is overdue.
void Load::tick() {
  const Clock::time_point now = Clock::now();
  if (options_.seconds > 0 && ms_between(begin_, now) >= options_.seconds * 1000) ending_ = true;
  credit_ += options_.rate * ms_between(last_tick_, now) / 1000;
  // What could not be sent because all connections wait is not made up for later.
  credit_ = std::min(credit_, std::max(1.0, options_.rate * 0.02));
  last_tick_ = now;
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    const Connection& each = connections_[i];
    const bool busy = each.state == State::waiting || each.state == State::connecting;
    if (busy && ms_between(each.begin, now) > options_.deadline_ms) fail(i, "deadline");
  }
  for (std::size_t tried = 0; tried < connections_.size() && credit_ >= 1 && !ending_; ++tried) {
    const std::size_t index = next_++ % connections_.size();
    const State state = connections_[index].state;
    if (state == State::closed) open(index);
    if (state == State::idle) {
      credit_ -= 1;
      send_request(index);
    }
  }
}

void Load::watch(std::size_t index, unsigned events, bool add) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = index;
  ::epoll_ctl(epoll_, add ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, connections_[index].fd, &event);
}

void Load::open(std::size_t index) {
  Connection& each = connections_[index];
  each = {};
  each.begin = Clock::now();
  each.fd = ::socket(target_.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (each.fd < 0) return fail(index, "socket: " + std::string(::strerror(errno)));
  const int on = 1;
  ::setsockopt(each.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  each.state = State::connecting;
  if (::connect(each.fd, reinterpret_cast<sockaddr*>(&target_), target_size_) != 0 &&
      errno != EINPROGRESS) {
    return fail(index, "connect: " + std::string(::strerror(errno)));
  }
  watch(index, EPOLLOUT, true);
}

void Load::send_request(std::size_t index) {
  Connection& each = connections_[index];
  each.begin = Clock::now();
  each.state = State::waiting;
  each.unsent = request_.size();
  flush(index);
}

void Load::flush(std::size_t index) {
  Connection& each = connections_[index];
  while (each.unsent > 0) {
    const char* from = request_.data() + (request_.size() - each.unsent);
    const ssize_t sent = ::send(each.fd, from, each.unsent, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) return watch(index, EPOLLIN | EPOLLOUT, false);
    if (sent < 0) return fail(index, "send: " + std::string(::strerror(errno)));
    each.unsent -= static_cast<std::size_t>(sent);
  }
  watch(index, EPOLLIN, false);
}

void Load::serve(std::size_t index, unsigned events) {
  Connection& each = connections_[index];
  if (each.state == State::closed) return;
  if (each.state == State::connecting) {
    int problem = 0;
    socklen_t size = sizeof problem;
    ::getsockopt(each.fd, SOL_SOCKET, SO_ERROR, &problem, &size);
    if (problem != 0) return fail(index, "connect: " + std::string(::strerror(problem)));
    each.state = State::idle;
    return watch(index, EPOLLIN, false);
  }
  if ((events & EPOLLOUT) != 0 && each.unsent > 0) flush(index);
  if (each.state != State::closed && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
    receive(index);
  }
}

void Load::receive(std::size_t index) {
  Connection& each = connections_[index];
  std::array<char, 16 << 10> room{};
  bool ended = false;
  std::string problem;
  while (!ended && problem.empty() && each.in.size() < kAnswerMax) {
    const ssize_t got = ::recv(each.fd, room.data(), room.size(), 0);
    if (got > 0) each.in.append(room.data(), static_cast<std::size_t>(got));
    if (got == 0) ended = true;
    if (got < 0 && errno == EAGAIN) break;
    if (got < 0) problem = "receive: " + std::string(::strerror(errno));
  }
  if (each.state == State::idle) {
    if (!ended && problem.empty()) return fail(index, "answer without request");
    totals_.reconnected += 1;
    return close_connection(index);
  }
  const std::optional<Answer> answer = read_answer(each.in, ended);
  if (answer) return finish(index, *answer);
  if (!problem.empty()) return fail(index, problem);
  if (ended)
    return fail(index, each.in.empty() ? "closed before the answer" : "closed within the answer");
  if (each.in.size() >= kAnswerMax) fail(index, "answer too large");
}

void Load::finish(std::size_t index, const Answer& answer) {
  Connection& each = connections_[index];
  if (answer.status != 200) return fail(index, "status " + std::to_string(answer.status));
  const Clock::time_point now = Clock::now();
  totals_.ok += 1;
  if (totals_.last_ok) {
    totals_.gap_max_ms = std::max(totals_.gap_max_ms, ms_between(*totals_.last_ok, now));
  }
  totals_.last_ok = now;
  if (totals_.latencies_ms.size() < kLatenciesMax) {
    totals_.latencies_ms.push_back(static_cast<float>(ms_between(each.begin, now)));
  }
  const std::string body(answer.body.substr(0, answer.body.find('\n')));
  if (options_.bodies && (totals_.bodies.size() < kBodiesMax || totals_.bodies.count(body) != 0)) {
    totals_.bodies[body] += 1;
  }
  if (answer.close) {
    totals_.reconnected += 1;
    return close_connection(index);
  }
  each.in.erase(0, answer.size);
  each.state = State::idle;
}

void Load::fail(std::size_t index, const std::string& reason) {
  // A connection that does not come about is a request that was due.
  if (connections_[index].state != State::waiting) credit_ -= 1;
  totals_.failed += 1;
  totals_.reasons[reason] += 1;
  if (totals_.failures.size() < kFailuresShownMax) totals_.failures.push_back({wall_ms(), reason});
  close_connection(index);
}

void Load::close_connection(std::size_t index) {
  Connection& each = connections_[index];
  if (each.fd >= 0) ::close(each.fd);
  each = {};
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char byte : text) {
    if (byte == '"' || byte == '\\') out += '\\';
    out += static_cast<unsigned char>(byte) < 0x20 ? ' ' : byte;
  }
  return out + "\"";
}

std::string counts(const std::map<std::string, unsigned long long>& values) {
  std::string out = "{";
  for (const auto& [name, count] : values) {
    out += (out.size() > 1 ? ", " : "") + quoted(name) + ": " + std::to_string(count);
  }
  return out + "}";
}

void Load::print() const {
  std::vector<float> sorted = totals_.latencies_ms;
  std::sort(sorted.begin(), sorted.end());
  const auto at = [&](double part) {
    if (sorted.empty()) return 0.0;
    const double place = part * static_cast<double>(sorted.size() - 1);
    return static_cast<double>(sorted[static_cast<std::size_t>(place)]);
  };
  const double seconds = ms_between(begin_, Clock::now()) / 1000;
  std::string failures = "[";
  for (const Failure& each : totals_.failures) {
    failures += std::string(failures.size() > 1 ? ", " : "") +
                "{\"at_ms\": " + std::to_string(each.at_ms) +
                ", \"reason\": " + quoted(each.reason) + "}";
  }
  std::printf(
      "{\"ok\": %llu, \"failed\": %llu, \"reconnected\": %llu, \"seconds\": %.3f, \"per_second\": "
      "%.1f, "
      "\"latency_ms\": {\"p50\": %.3f, \"p90\": %.3f, \"p99\": %.3f, \"max\": %.3f}, "
      "\"gap_max_ms\": %.1f, \"reasons\": %s, \"failures\": %s], \"bodies\": %s}\n",
      totals_.ok, totals_.failed, totals_.reconnected, seconds,
      static_cast<double>(totals_.ok) / std::max(seconds, 0.001), at(0.5), at(0.9), at(0.99), at(1),
      totals_.gap_max_ms, counts(totals_.reasons).c_str(), failures.c_str(),
      counts(totals_.bodies).c_str());
}

constexpr const char* kHelp =
    "Usage: gestalt-load [OPTION]...\nKeep-alive GETs at a steady rate; prints JSON when it "
    "ends.\n\n"
    "  --address A       IPv4 or IPv6 (127.0.0.1)\n  --port P          (80)\n"
    "  --host H          Host header (localhost)\n  --path P          (/)\n"
    "  --connections N   (16)\n  --rate R          requests per second in all (500)\n"
    "  --seconds S       0: until SIGINT (0)\n  --deadline-ms D   for one request (5000)\n"
    "  --bodies          count the distinct first lines of the bodies\n";

std::optional<Options> parse(int argc, char** argv) {
  static constexpr option kOptions[] = {{"address", required_argument, nullptr, 'a'},
                                        {"port", required_argument, nullptr, 'p'},
                                        {"host", required_argument, nullptr, 'h'},
                                        {"path", required_argument, nullptr, 'u'},
                                        {"connections", required_argument, nullptr, 'c'},
                                        {"rate", required_argument, nullptr, 'r'},
                                        {"seconds", required_argument, nullptr, 's'},
                                        {"deadline-ms", required_argument, nullptr, 'd'},
                                        {"bodies", no_argument, nullptr, 'b'},
                                        {"help", no_argument, nullptr, '?'},
                                        {nullptr, 0, nullptr, 0}};
  Options options;
  for (int found; (found = ::getopt_long(argc, argv, "", kOptions, nullptr)) != -1;) {
    switch (found) {
      case 'a': options.address = optarg; break;
      case 'p': options.port = std::atoi(optarg); break;
      case 'h': options.host = optarg; break;
      case 'u': options.path = optarg; break;
      case 'c': options.connections = static_cast<std::size_t>(std::atoi(optarg)); break;
      case 'r': options.rate = std::atof(optarg); break;
      case 's': options.seconds = std::atof(optarg); break;
      case 'd': options.deadline_ms = std::atoi(optarg); break;
      case 'b': options.bodies = true; break;
      default: return std::nullopt;
    }
  }
  const bool usable = options.port > 0 && options.port < 65536 && options.connections > 0 &&
                      options.connections <= 10000 && options.rate > 0;
  return usable ? std::optional(options) : std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
  const std::optional<Options> options = parse(argc, argv);
  if (!options) {
    std::fputs(kHelp, stderr);
    return 2;
  }
  Load load(*options);
  if (!load.prepare()) return 1;
  load.run();
  load.print();
  return 0;
}

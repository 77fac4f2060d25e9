// SPDX-License-Identifier: Apache-2.0
// Steady UDP traffic with numbered packets, to see what a firewall change loses or lets through.
//
//   gestalt-flood receive PORT...
//       counts what arrives by port, over IPv4 and IPv6, and prints JSON at SIGINT or SIGTERM
//   gestalt-flood send ADDRESS RATE SECONDS PORT...
//       RATE packets a second to an address of either family, the ports in turn; prints JSON with
//       the seconds that it took
//
// Each packet carries its number for its port. The receiver tells distinct numbers from repeated
// ones. Threads: one. Source: udp(7), ipv6(7).
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

constexpr int kReceiveBuffer = 32 << 20;
constexpr std::uint64_t kNumbersMax = 50'000'000;
// A sender that was not scheduled for a while must not overrun the kernel's queue of 1,000 packets.
constexpr std::uint64_t kBurstMax = 200;

struct Port {
  int number = 0;
  int fd = -1;
  std::uint64_t sent = 0;
  std::uint64_t distinct = 0;
  std::uint64_t repeated = 0;
  std::vector<bool> seen;
};

void print_received(const std::vector<Port>& ports) {
  std::printf("{");
  for (std::size_t i = 0; i < ports.size(); ++i) {
    std::printf("%s\"%d\": {\"distinct\": %llu, \"repeated\": %llu}", i == 0 ? "" : ", ",
                ports[i].number, static_cast<unsigned long long>(ports[i].distinct),
                static_cast<unsigned long long>(ports[i].repeated));
  }
  std::printf("}\n");
}

void print_sent(const std::vector<Port>& ports, double seconds) {
  std::printf("{");
  for (const Port& port : ports) {
    std::printf("\"%d\": %llu, ", port.number, static_cast<unsigned long long>(port.sent));
  }
  std::printf("\"seconds\": %.3f}\n", seconds);
}

bool open_ports(std::vector<Port>& ports) {
  for (Port& port : ports) {
    port.fd = ::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(static_cast<in_port_t>(port.number));
    // Root may go above the system's limit; others get what the limit leaves.
    if (::setsockopt(port.fd, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer) !=
        0) {
      ::setsockopt(port.fd, SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer);
    }
    if (::bind(port.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      std::fprintf(stderr, "flood: port %d: %s\n", port.number, ::strerror(errno));
      return false;
    }
  }
  return true;
}

void drain(Port& port) {
  std::uint64_t number = 0;
  while (::recv(port.fd, &number, sizeof number, 0) == sizeof number) {
    if (number >= kNumbersMax) continue;
    if (port.seen.size() <= number) port.seen.resize(number + 1'000'000);
    if (port.seen[number]) {
      port.repeated += 1;
    } else {
      port.seen[number] = true;
      port.distinct += 1;
    }
  }
}

int receive(std::vector<Port> ports) {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &ends, nullptr);
  const int signals = ::signalfd(-1, &ends, SFD_CLOEXEC);
  if (!open_ports(ports)) return 1;
  std::printf("ready\n");
  std::fflush(stdout);
  std::vector<pollfd> waits{{signals, POLLIN, 0}};
  for (const Port& port : ports) waits.push_back({port.fd, POLLIN, 0});
  while (true) {
    ::poll(waits.data(), waits.size(), -1);
    for (Port& port : ports) drain(port);
    if ((waits[0].revents & POLLIN) != 0) break;
  }
  print_received(ports);
  return 0;
}

std::uint64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

// An IPv4 address has a place among those of IPv6: what is sent to ::ffff:a.b.c.d leaves as IPv4.
bool parse_target(const char* address, sockaddr_in6& target) {
  target.sin6_family = AF_INET6;
  const std::string mapped = std::string("::ffff:") + address;
  return ::inet_pton(AF_INET6, address, &target.sin6_addr) == 1 ||
         ::inet_pton(AF_INET6, mapped.c_str(), &target.sin6_addr) == 1;
}

int send(const char* address, double rate, double seconds, std::vector<Port> ports) {
  const int fd = ::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in6 target{};
  if (!parse_target(address, target)) {
    std::fprintf(stderr, "flood: \"%s\" is neither an IPv4 nor an IPv6 address\n", address);
    return 2;
  }
  const std::uint64_t begin = now_ns();
  const auto elapsed = [begin] { return static_cast<double>(now_ns() - begin) / 1e9; };
  const auto total = static_cast<std::uint64_t>(rate * seconds);
  for (std::uint64_t i = 0; i < total;) {
    const auto due = std::min({total, i + kBurstMax, static_cast<std::uint64_t>(elapsed() * rate)});
    for (; i < due; ++i) {
      Port& port = ports[i % ports.size()];
      target.sin6_port = htons(static_cast<in_port_t>(port.number));
      const std::uint64_t number = port.sent;
      if (::sendto(fd, &number, sizeof number, 0, reinterpret_cast<sockaddr*>(&target),
                   sizeof target) == sizeof number) {
        port.sent += 1;
      }
    }
    const timespec pause{0, 500'000};
    ::nanosleep(&pause, nullptr);
  }
  ::close(fd);
  print_sent(ports, elapsed());
  return 0;
}

std::vector<Port> ports_of(int first, int argc, char** argv) {
  std::vector<Port> ports;
  for (int i = first; i < argc; ++i) {
    Port port;
    port.number = std::atoi(argv[i]);
    ports.push_back(std::move(port));
  }
  return ports;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  if (verb == "receive" && argc > 2) return receive(ports_of(2, argc, argv));
  if (verb == "send" && argc > 5) {
    return send(argv[2], std::atof(argv[3]), std::atof(argv[4]), ports_of(5, argc, argv));
  }
  std::fputs(
      "Usage: gestalt-flood receive PORT...\n       gestalt-flood send ADDRESS RATE SECONDS "
      "PORT...\n",
      stderr);
  return 2;
}

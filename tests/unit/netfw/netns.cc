// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/netfw/netns.h"

#include <CppUTest/TestHarness.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>

namespace netfw_test {
namespace {

constexpr std::chrono::milliseconds kSilence{150};

sys::Fd open_here() { return sys::Fd(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)); }

void write_setting(const char* path, const char* value) { std::ofstream(path) << value; }

// Fixed neighbours, so that no probe waits for a resolution whose queue may drop it.
constexpr const char* kNodeMac = "02:00:00:00:00:01";
constexpr const char* kClientMac = "02:00:00:00:00:02";

void configure(const char* link, bool is_node) {
  run_tool({"/sbin/ip", "link", "set", "lo", "up"});
  run_tool({"/sbin/ip", "link", "set", link, "address", is_node ? kNodeMac : kClientMac});
  run_tool({"/sbin/ip", "link", "set", link, "up"});
  for (const Zone zone : {Zone::management, Zone::cluster, Zone::outside}) {
    for (const netfw::Family family : netfw::kFamilies) {
      const auto address = is_node ? node_address(zone, family) : client_address(zone, family);
      std::vector<std::string> argv = {
          "/sbin/ip", "addr", "add", address.text() + (family == netfw::Family::v4 ? "/24" : "/64"),
          "dev",      link};
      if (family == netfw::Family::v6) argv.push_back("nodad");
      run_tool(argv);
      const auto peer = is_node ? client_address(zone, family) : node_address(zone, family);
      run_tool({"/sbin/ip", "neigh", "replace", peer.text(), "lladdr",
                is_node ? kClientMac : kNodeMac, "nud", "permanent", "dev", link});
    }
  }
  write_setting("/proc/sys/net/ipv4/icmp_ratelimit", "0");
  write_setting("/proc/sys/net/ipv6/icmp/ratelimit", "0");
}

netfw::IpAddress address_of(Zone zone, netfw::Family family, int host) {
  const std::string number = std::to_string(static_cast<int>(zone));
  const std::string text = family == netfw::Family::v4
                               ? "10." + number + ".0." + std::to_string(host)
                               : "fd00:" + number + "::" + std::to_string(host);
  return *netfw::IpAddress::parse(text);
}

socklen_t fill(sockaddr_storage& out, const netfw::IpAddress& address, std::uint16_t port) {
  memset(&out, 0, sizeof out);
  if (address.family == netfw::Family::v4) {
    auto& in = reinterpret_cast<sockaddr_in&>(out);
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    memcpy(&in.sin_addr, address.bytes.data(), 4);
    return sizeof in;
  }
  auto& in = reinterpret_cast<sockaddr_in6&>(out);
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(port);
  memcpy(&in.sin6_addr, address.bytes.data(), 16);
  return sizeof in;
}

sys::Fd start_probe(const Probe& probe) {
  sockaddr_storage source;
  sockaddr_storage destination;
  const socklen_t size = fill(source, probe.source, 0);
  fill(destination, probe.destination, probe.port);
  const int type = probe.transport == netfw::Transport::tcp ? SOCK_STREAM : SOCK_DGRAM;
  sys::Fd out(socket(source.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  CHECK_TRUE(out.is_open());
  CHECK_EQUAL(0, bind(out.get(), reinterpret_cast<sockaddr*>(&source), size));
  const int done = connect(out.get(), reinterpret_cast<sockaddr*>(&destination), size);
  CHECK_TRUE(done == 0 || errno == EINPROGRESS || errno == ECONNREFUSED);
  if (type == SOCK_DGRAM) CHECK_EQUAL(1, send(out.get(), "x", 1, 0));
  return out;
}

}  // namespace

std::string run_tool(const std::vector<std::string>& argv) {
  int pair[2];
  CHECK_EQUAL(0, pipe2(pair, O_CLOEXEC));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pair[1], 1);
  posix_spawn_file_actions_adddup2(&actions, pair[1], 2);
  std::vector<char*> raw;
  for (const std::string& word : argv) raw.push_back(const_cast<char*>(word.c_str()));
  raw.push_back(nullptr);
  pid_t pid = -1;
  CHECK_EQUAL(0, posix_spawn(&pid, raw[0], &actions, nullptr, raw.data(), environ));
  posix_spawn_file_actions_destroy(&actions);
  close(pair[1]);
  std::string out;
  char buffer[4096];
  for (ssize_t n = 0; (n = read(pair[0], buffer, sizeof buffer)) > 0;) {
    out.append(buffer, static_cast<std::size_t>(n));
  }
  close(pair[0]);
  int status = -1;
  waitpid(pid, &status, 0);
  if (status != 0) {
    std::string line;
    for (const std::string& word : argv) line += word + " ";
    FAIL((line + ": " + out).c_str());
  }
  return out;
}

TwoNodes::TwoNodes() : home_(open_here()) {
  CHECK_EQUAL(0, unshare(CLONE_NEWNET));
  client_ = open_here();
  CHECK_EQUAL(0, unshare(CLONE_NEWNET));
  node_ = open_here();
  const std::string client =
      "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(client_.get());
  run_tool({"/sbin/ip", "link", "add", "node0", "type", "veth", "peer", "name", "client0", "netns",
            client});
  configure("node0", true);
  enter_client();
  configure("client0", false);
  enter_node();
}

TwoNodes::~TwoNodes() { setns(home_.get(), CLONE_NEWNET); }

void TwoNodes::enter_client() const { CHECK_EQUAL(0, setns(client_.get(), CLONE_NEWNET)); }
void TwoNodes::enter_node() const { CHECK_EQUAL(0, setns(node_.get(), CLONE_NEWNET)); }

netfw::IpAddress client_address(Zone zone, netfw::Family family) {
  return address_of(zone, family, 2);
}
netfw::IpAddress node_address(Zone zone, netfw::Family family) {
  return address_of(zone, family, 1);
}
netfw::IpNet zone_net(Zone zone, netfw::Family family) {
  netfw::IpAddress base = address_of(zone, family, 0);
  return {base, family == netfw::Family::v4 ? 24U : 64U};
}

namespace {

// One round for the probes without an answer yet.
void probe_round(const TwoNodes& nodes, const std::vector<Probe>& probes, std::vector<bool>& out) {
  nodes.enter_client();
  std::vector<sys::Fd> sockets;
  std::vector<pollfd> waits;
  for (std::size_t i = 0; i < probes.size(); ++i) {
    sockets.push_back(out[i] ? sys::Fd() : start_probe(probes[i]));
    waits.push_back({sockets.back().get(), static_cast<short>(POLLERR), 0});
  }
  nodes.enter_node();
  const auto end = std::chrono::steady_clock::now() + kSilence;
  for (;;) {
    const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    if (rest.count() <= 0 ||
        poll(waits.data(), waits.size(), static_cast<int>(rest.count())) <= 0) {
      break;
    }
    for (std::size_t i = 0; i < waits.size(); ++i) {
      if (waits[i].fd < 0 || waits[i].revents == 0) continue;
      out[i] = true;
      waits[i].fd = -1;
    }
  }
}

}  // namespace

std::vector<bool> send_probes(const TwoNodes& nodes, const std::vector<Probe>& probes) {
  std::vector<bool> out(probes.size(), false);
  // On a loaded machine an answer may come late; a second round tells silence from slowness.
  for (int round = 0; round < 2; ++round) probe_round(nodes, probes, out);
  return out;
}

}  // namespace netfw_test

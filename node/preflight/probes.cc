// SPDX-License-Identifier: Apache-2.0
#include "node/preflight/probes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netlink.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/timex.h>

#include <array>
#include <cstring>

#include "common/sys/handle.h"

namespace node::preflight {

namespace {

class LiveProbes final : public Probes {
 public:
  std::optional<TableState> iptables_table(const std::string& name) override {
    const sys::Fd socket(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
    if (!socket.is_open()) {
      return errno == EPERM ? TableState::not_permitted : TableState::missing;
    }
    ipt_getinfo info{};
    name.copy(info.name, sizeof(info.name) - 1);
    socklen_t size = sizeof(info);
    if (::getsockopt(socket.get(), IPPROTO_IP, IPT_SO_GET_INFO, &info, &size) == 0) {
      return TableState::usable;
    }
    return errno == EPERM ? TableState::not_permitted : TableState::missing;
  }

  std::optional<TableState> nf_tables() override {
    const sys::Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
    if (socket.is_open()) return TableState::usable;
    return errno == EPERM ? TableState::not_permitted : TableState::missing;
  }

  std::optional<bool> clock_synchronised() override {
    timex state{};  // modes 0: only reads
    const int answer = ::adjtimex(&state);
    if (answer < 0) return std::nullopt;
    return answer != TIME_ERROR && (state.status & STA_UNSYNC) == 0;
  }

  std::optional<std::vector<std::string>> resolve(const std::string& host) override {
    addrinfo wanted{};
    wanted.ai_family = AF_INET;
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host.c_str(), nullptr, &wanted, &found) != 0) {
      return std::vector<std::string>{};
    }
    const sys::Handle<addrinfo, ::freeaddrinfo> owner(found);
    std::vector<std::string> addresses;
    for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
      sockaddr_in address{};
      std::memcpy(&address, each->ai_addr, sizeof(address));
      std::array<char, INET_ADDRSTRLEN> text{};
      ::inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size());
      addresses.emplace_back(text.data());
    }
    return addresses;
  }

  std::optional<std::uint64_t> filesystem_bytes(const std::string& path) override {
    struct statvfs facts {};
    if (::statvfs(path.c_str(), &facts) != 0) return std::nullopt;
    return static_cast<std::uint64_t>(facts.f_blocks) * facts.f_frsize;
  }

  std::optional<std::string> open_fuse() override {
    const sys::Fd device(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
    if (device.is_open()) return std::string();
    return std::string(std::strerror(errno));  // NOLINT: one thread
  }

  std::optional<PeerAnswer> ask_peer(const std::string& host) override {
    return preflight::ask_peer(host);
  }
};

class NoProbes final : public Probes {
 public:
  std::optional<TableState> iptables_table(const std::string&) override { return std::nullopt; }
  std::optional<TableState> nf_tables() override { return std::nullopt; }
  std::optional<bool> clock_synchronised() override { return std::nullopt; }
  std::optional<std::vector<std::string>> resolve(const std::string&) override {
    return std::nullopt;
  }
  std::optional<std::uint64_t> filesystem_bytes(const std::string&) override {
    return std::nullopt;
  }
  std::optional<std::string> open_fuse() override { return std::nullopt; }
  std::optional<PeerAnswer> ask_peer(const std::string&) override { return std::nullopt; }
};

}  // namespace

std::unique_ptr<Probes> live_probes() { return std::make_unique<LiveProbes>(); }
std::unique_ptr<Probes> no_probes() { return std::make_unique<NoProbes>(); }

}  // namespace node::preflight

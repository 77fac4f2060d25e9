// SPDX-License-Identifier: Apache-2.0
// Checks of the firewall's kernel side, addresses, names, time and ports.
#include <algorithm>
#include <array>
#include <set>

#include "common/base/text.h"
#include "node/preflight/checks.h"
#include "node/preflight/listeners.h"

namespace node::preflight {

namespace {

struct PortRange {
  std::uint16_t first;
  std::uint16_t last;
  bool on_dmz;
};

// docs/reference/ports.md. 22 is absent: sshd is expected there.
constexpr PortRange kPorts[] = {
    {80, 80, true},      {443, 443, true},    {2181, 2181, false}, {3000, 4000, false},
    {5050, 5050, false}, {5051, 5051, true},  {7860, 7863, false}, {8080, 8080, false},
    {9000, 9000, false}, {9092, 9092, false}, {9095, 9095, false},
};

bool is_documented(std::uint16_t port, Role role) {
  return std::any_of(std::begin(kPorts), std::end(kPorts), [&](const PortRange& range) {
    return port >= range.first && port <= range.last && (role != Role::dmz || range.on_dmz);
  });
}

std::string owner_of(const Listener& listener) {
  if (listener.pid == 0) return "an unknown process";
  std::string text = listener.process + " (pid " + std::to_string(listener.pid);
  if (!listener.unit.empty()) text += ", " + listener.unit;
  return text + ")";
}

// The IPv4 addresses of this machine, without loopback, from the kernel's routing trie: a line
// "|-- ADDRESS" followed by "/32 host LOCAL".
std::vector<std::string> own_addresses(const Tree& tree) {
  std::vector<std::string> found;
  const std::string text = tree.text("/proc/net/fib_trie").value_or("");
  std::string last;
  for (const std::string_view line : base::split(text, '\n')) {
    const std::size_t leaf = line.find("|-- ");
    if (leaf != std::string_view::npos) last = std::string(base::trim(line.substr(leaf + 4)));
    const bool local = line.find("/32 host LOCAL") != std::string_view::npos;
    if (local && !last.starts_with("127.") &&
        std::find(found.begin(), found.end(), last) == found.end()) {
      found.push_back(last);
    }
  }
  return found;
}

// Addresses of `host` in /etc/hosts.
std::vector<std::string> hosts_entry(const Tree& tree, const std::string& host) {
  std::vector<std::string> addresses;
  const std::string text = tree.text("/etc/hosts").value_or("");
  for (std::string_view line : base::split(text, '\n')) {
    std::string words(line.substr(0, line.find('#')));
    std::replace(words.begin(), words.end(), '\t', ' ');
    const auto parts = base::split(words, ' ');
    if (std::find(parts.begin() + 1, parts.end(), host) != parts.end()) {
      addresses.emplace_back(parts.front());
    }
  }
  return addresses;
}

}  // namespace

Finding check_fw_iptables(const Machine& machine) {
  Finding finding{Verdict::skipped, "not looked at", "iptables tables filter and nat, or nf_tables",
                  "", "getsockopt IPT_SO_GET_INFO"};
  std::vector<std::string> missing;
  for (const std::string name : {"filter", "nat"}) {
    const auto state = machine.probes.iptables_table(name);
    if (!state) return finding;
    if (*state == TableState::not_permitted) {
      finding.found = "may not ask the kernel";
      finding.fix = "run as root";
      return finding;
    }
    if (*state == TableState::missing) missing.push_back(name);
  }
  if (missing.empty()) {
    finding.verdict = Verdict::pass;
    finding.found = "filter and nat are there";
    return finding;
  }
  // netfwd takes either.
  const auto nft = machine.probes.nf_tables();
  if (nft && *nft == TableState::usable) {
    finding.verdict = Verdict::pass;
    finding.found = "nf_tables";
    return finding;
  }
  finding.verdict = Verdict::fail;
  finding.found = "no legacy table " + base::join(missing, ", ") + ", no nf_tables";
  finding.fix = "modprobe nf_tables, or modprobe ip_tables iptable_filter iptable_nat";
  return finding;
}

Finding check_fw_conflict(const Machine& machine) {
  Finding finding{Verdict::pass, "no other firewall manager", "nobody else edits the firewall", "",
                  "/run"};
  for (const std::string_view path : {"/run/firewalld.pid", "/var/run/firewalld.pid"}) {
    if (!machine.tree.exists(path)) continue;
    finding.verdict = Verdict::fail;
    finding.found = "firewalld runs";
    finding.fix = "systemctl disable --now firewalld";
    finding.evidence = path;
  }
  return finding;
}

Finding check_net_address(const Machine& machine) {
  const std::vector<std::string> addresses = own_addresses(machine.tree);
  const std::string needed = "an IPv4 address besides loopback";
  if (addresses.empty()) {
    return {Verdict::fail, "only loopback", needed, "configure a network interface",
            "/proc/net/fib_trie"};
  }
  return {Verdict::pass, base::join(addresses, ", "), needed, "", "/proc/net/fib_trie"};
}

Finding check_net_name(const Machine& machine) {
  const std::string name = machine.tree.text("/proc/sys/kernel/hostname").value_or("");
  Finding finding{Verdict::fail, name.empty() ? "no host name" : name,
                  "a host name that resolves to this machine", "hostnamectl set-hostname NAME",
                  "/proc/sys/kernel/hostname"};
  if (name.empty() || name == "localhost" || name == "localhost.localdomain" || name == "(none)") {
    return finding;
  }
  std::vector<std::string> resolved = hosts_entry(machine.tree, name);
  if (resolved.empty()) {
    const auto answer = machine.probes.resolve(name);
    if (!answer) {
      finding.verdict = Verdict::skipped;
      finding.found = name + ", not in /etc/hosts";
      finding.fix.clear();
      return finding;
    }
    resolved = *answer;
  }
  const std::vector<std::string> own = own_addresses(machine.tree);
  finding.fix = "add a line \"ADDRESS " + name + "\" to /etc/hosts";
  if (resolved.empty()) {
    finding.found = name + " does not resolve";
    return finding;
  }
  for (const std::string& address : resolved) {
    if (std::find(own.begin(), own.end(), address) == own.end()) continue;
    finding.verdict = Verdict::pass;
    finding.found = name + " is " + address;
    finding.fix.clear();
    return finding;
  }
  // 127.0.1.1 is how Debian's installer writes it: fine alone, wrong for peers.
  finding.verdict = Verdict::warn;
  finding.found = name + " is " + resolved.front() + ", which peers cannot reach";
  return finding;
}

Finding check_time_sync(const Machine& machine) {
  Finding finding{Verdict::pass, "the clock is disciplined", "a time service", "", "adjtimex"};
  if (machine.tree.exists("/run/systemd/timesync/synchronized")) {
    finding.evidence = "/run/systemd/timesync/synchronized";
    return finding;
  }
  const auto synchronised = machine.probes.clock_synchronised();
  if (!synchronised) {
    finding.verdict = Verdict::skipped;
    finding.found = "not looked at";
  } else if (!*synchronised) {
    finding.verdict = Verdict::fail;
    finding.found = "nothing disciplines the clock";
    finding.fix = "install and enable chrony: systemctl enable --now chronyd";
  }
  return finding;
}

Finding check_time_source(const Machine& machine) {
  // As /proc/PID/comm cuts them off.
  constexpr std::array<std::string_view, 5> kServices = {"chronyd", "systemd-timesyn", "ntpd",
                                                         "ntpsec", "openntpd"};
  std::set<std::string> running;
  for (const std::string& pid : machine.tree.names("/proc")) {
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string name = machine.tree.text("/proc/" + pid + "/comm").value_or("");
    if (std::find(kServices.begin(), kServices.end(), name) != kServices.end()) {
      running.insert(name == "systemd-timesyn" ? "systemd-timesyncd" : name);
    }
  }
  Finding finding{Verdict::pass, "", "one time service", "", "/proc/*/comm"};
  const std::vector<std::string> names(running.begin(), running.end());
  finding.found = base::join(names, " and ");
  if (names.empty()) {
    finding.verdict = Verdict::fail;
    finding.found = "no time service runs";
    finding.fix = "install and enable chrony: systemctl enable --now chronyd";
  } else if (names.size() > 1) {
    finding.verdict = Verdict::fail;
    finding.found += " both run";
    finding.fix = "keep one: systemctl disable --now " + names.back();
  }
  return finding;
}

Finding check_net_peers(const Machine& machine) {
  constexpr std::chrono::milliseconds kRoundTripMost{10};
  Finding finding{Verdict::pass, "", "each peer within 10 ms, packets of 1500 bytes whole", "",
                  "ICMP echo"};
  if (machine.peers.empty()) {
    finding.verdict = Verdict::skipped;
    finding.found = "no peers named (--peer HOST)";
    return finding;
  }
  std::vector<std::string> found;
  for (const std::string& host : machine.peers) {
    const auto answer = machine.probes.ask_peer(host);
    if (!answer) {
      finding.verdict = Verdict::skipped;
      finding.found = "may not send echo requests";
      finding.fix = "run as root";
      return finding;
    }
    if (!answer->round_trip) {
      found.push_back(host + (answer->address.empty() ? " does not resolve" : " does not answer"));
      finding.verdict = Verdict::fail;
      finding.fix = "check its name, cable, VLAN and firewall, which must let ICMP echo through";
      continue;
    }
    const auto us = answer->round_trip->count();
    std::string text =
        host + " " + std::to_string(us / 1000) + "." + std::to_string(us / 100 % 10) + " ms";
    const bool small = answer->mtu < kMtuWanted;
    if (small) {
      text += answer->mtu == 0 ? ", loses large packets" : ", MTU " + std::to_string(answer->mtu);
    }
    found.push_back(std::move(text));
    if (finding.verdict == Verdict::pass && (small || *answer->round_trip > kRoundTripMost)) {
      finding.verdict = Verdict::warn;
      finding.fix = small ? "give each interface on the way an MTU of 1500 or more"
                          : "place the nodes of a cluster in one data centre";
    }
  }
  finding.found = base::join(found, "; ");
  return finding;
}

Finding check_ports_local(const Machine& machine) {
  Finding finding{Verdict::pass, "", "the documented ports free or ours", "",
                  "/proc/net/tcp, /proc/net/tcp6"};
  std::vector<std::string> foreign;
  std::size_t ours = 0;
  for (const Listener& listener : list_listeners(machine.tree)) {
    if (!is_documented(listener.port, machine.role)) continue;
    if (is_ours(listener)) {
      ++ours;
    } else {
      foreign.push_back(std::to_string(listener.port) + " is held by " + owner_of(listener));
    }
  }
  if (!foreign.empty()) {
    finding.verdict = Verdict::fail;
    finding.found = base::join(foreign, "; ");
    finding.fix = "stop what holds them, or let it listen elsewhere";
  } else {
    finding.found = ours == 0 ? "all free" : std::to_string(ours) + " held by Gestalt, others free";
  }
  return finding;
}

}  // namespace node::preflight

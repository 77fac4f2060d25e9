// SPDX-License-Identifier: Apache-2.0
// Claim: a policy for 10,000 endpoints is in the kernel in less than 20 ms, and one endpoint more
// in less than 100 µs, where iptables-restore needs about 90 ms for the same rules one by one.
//
//   unshare -n build/release/bench/netfw-commit HELPER [ENDPOINTS]
//
// HELPER is gestalt-netfw-iptc. Both ways run by turns in the same namespace; the table that
// iptables-restore fills is another chain. Prints the least and the median of kRounds.
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "common/sys/process.h"
#include "netfw/iptables/backend.h"

namespace {

using namespace netfw;
using Micros = std::chrono::duration<double, std::micro>;
constexpr int kRounds = 7;

double measure(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return Micros(std::chrono::steady_clock::now() - start).count();
}

void report(const char* what, std::vector<double> micros) {
  std::sort(micros.begin(), micros.end());
  printf("%-52s %10.1f %10.1f\n", what, micros.front(), micros[micros.size() / 2]);
}

template <class T>
T need(base::Result<T> result) {
  if (!result) {
    fprintf(stderr, "%s\n", base::to_string(result.error()).c_str());
    exit(1);
  }
  return *std::move(result);
}
void need(const base::Result<void>& result) {
  if (!result) {
    fprintf(stderr, "%s\n", base::to_string(result.error()).c_str());
    exit(1);
  }
}

std::set<Endpoint> endpoints(unsigned count, unsigned shift) {
  std::set<Endpoint> out;
  for (unsigned i = 0; i < count; ++i) {
    const unsigned host = i / 1000 + shift * 64;
    IpAddress address;
    address.bytes = {10, 9, static_cast<std::uint8_t>(host / 256),
                     static_cast<std::uint8_t>(host % 256)};
    out.insert({Transport::tcp, address, static_cast<std::uint16_t>(3000 + i % 1000)});
  }
  return out;
}

std::string restore_text(const std::set<Endpoint>& members) {
  std::string out = "*filter\n:ANCHOR - [0:0]\n-F ANCHOR\n";
  for (const Endpoint& member : members) {
    out += "-A ANCHOR -p tcp -d " + member.address.text() + " --dport " +
           std::to_string(member.port) + " -j ACCEPT\n";
  }
  return out + "COMMIT\n";
}

void run(const std::string& helper, unsigned count) {
  auto backend = need(IptablesBackend::make({helper, "/tmp/netfw-commit.lock"}));
  std::vector<double> whole;
  std::vector<double> same;
  std::vector<double> one;
  std::vector<double> restore;
  for (unsigned round = 0; round < kRounds; ++round) {
    FirewallIr ir = compile_policy(default_policy());
    ir.sets.instances = endpoints(count, round % 2);
    const auto apply = [&] { need(backend->apply(ir, Scope::all_sets, std::chrono::seconds(10))); };
    whole.push_back(measure(apply));
    same.push_back(measure(apply));
    const FirewallSets before = ir.sets;
    ir.sets.instances.insert({Transport::tcp, {Family::v4, {10, 10}}, 3000});
    const auto changes = difference(before, ir.sets);
    one.push_back(measure([&] { need(backend->change(changes)); }));
    const std::string text = restore_text(before.instances);
    restore.push_back(measure([&] {
      need(sys::run_checked({.argv = {"/usr/sbin/iptables-legacy-restore", "--noflush"},
                             .environment = {},
                             .input = text}));
    }));
  }
  printf("%-52s %10s %10s\n", "microseconds", "least", "median");
  report("replace all endpoints, read back included (netfw)", whole);
  report("apply again, nothing to write (netfw)", same);
  report("add one endpoint (netfw)", one);
  report("the same endpoints by iptables-legacy-restore", restore);
  need(backend->remove());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: unshare -n %s HELPER [ENDPOINTS]\n", argv[0]);
    return 2;
  }
  const unsigned count = argc > 2 ? static_cast<unsigned>(atoi(argv[2])) : 10000;
  printf("%u endpoints, %d rounds\n", count, kRounds);
  run(argv[1], count);
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Claim: one endpoint more or less costs the same few microseconds however many there are (less
// than 100), and to replace 10,000 endpoints by 10,000 others is no dearer than the whole table of
// iptables-restore, which has to be written again for each single change.
//
//   unshare -n build/release/bench/netfw-commit HELPER [ENDPOINTS]
//
// HELPER is gestalt-netfw-iptc. Both ways run by turns in the same namespace; the table that
// iptables-restore fills is another chain. Prints the least and the median of kRounds, and the
// median of processor time, which a loaded machine disturbs less.
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "common/sys/process.h"
#include "netfw/iptables/backend.h"
#include "netfw/nftables/backend.h"

namespace {

using namespace netfw;
using Micros = std::chrono::duration<double, std::micro>;
constexpr int kRounds = 7;

double processor_micros() {
  double out = 0;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage = {};
    getrusage(static_cast<__rusage_who>(who), &usage);
    for (const timeval& time : {usage.ru_utime, usage.ru_stime}) {
      out += static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
    }
  }
  return out;
}

struct Samples {
  std::vector<double> wall;
  std::vector<double> processor;
};

void measure(Samples& samples, const std::function<void()>& work) {
  const double processor = processor_micros();
  const auto start = std::chrono::steady_clock::now();
  work();
  samples.wall.push_back(Micros(std::chrono::steady_clock::now() - start).count());
  samples.processor.push_back(processor_micros() - processor);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void report(const char* what, const Samples& samples) {
  printf("%-52s %10.1f %10.1f %10.1f\n", what,
         *std::min_element(samples.wall.begin(), samples.wall.end()), median(samples.wall),
         median(samples.processor));
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

void run(FwBackend& backend, unsigned count) {
  Samples whole;
  Samples same;
  Samples one;
  Samples restore;
  for (unsigned round = 0; round < kRounds; ++round) {
    FirewallIr ir = compile_policy(default_policy());
    ir.sets.instances = endpoints(count, round % 2);
    const auto apply = [&] { need(backend.apply(ir, Scope::all_sets, std::chrono::seconds(10))); };
    measure(whole, apply);
    measure(same, apply);
    const FirewallSets before = ir.sets;
    ir.sets.instances.insert({Transport::tcp, {Family::v4, {10, 10}}, 3000});
    const auto changes = difference(before, ir.sets);
    measure(one, [&] { need(backend.change(changes)); });
    const std::string text = restore_text(before.instances);
    measure(restore, [&] {
      need(sys::run_checked({.argv = {"/usr/sbin/iptables-legacy-restore", "--noflush"},
                             .environment = {},
                             .input = text}));
    });
  }
  printf("%-52s %10s %10s %10s\n", "microseconds", "least", "median", "processor");
  report("replace all endpoints, read back included (netfw)", whole);
  report("apply again, nothing to write (netfw)", same);
  report("add one endpoint (netfw)", one);
  report("the same endpoints by iptables-legacy-restore", restore);
  need(backend.remove());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: unshare -n %s HELPER [ENDPOINTS]\n", argv[0]);
    return 2;
  }
  const unsigned count = argc > 2 ? static_cast<unsigned>(atoi(argv[2])) : 10000;
  const auto iptables = need(IptablesBackend::make({argv[1], "/tmp/netfw-commit.lock"}));
  const auto nftables = need(NftablesBackend::make());
  for (FwBackend* const backend : {iptables.get(), nftables.get()}) {
    printf("%s, %u endpoints, %d rounds\n", backend->name().c_str(), count, kRounds);
    run(*backend, count);
  }
  return 0;
}

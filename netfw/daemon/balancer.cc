// SPDX-License-Identifier: Apache-2.0
#include "netfw/daemon/balancer.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "common/sys/files.h"

namespace netfw {
namespace {

constexpr std::chrono::milliseconds kReloadDeadline{5000};
constexpr std::chrono::seconds kRefusedPause{30};

bool is_free(std::uint16_t port) {
  const sys::Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  return bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

Balancer::Balancer(Options options)
    : options_(std::move(options)), runtime_(options_.skeleton, options_.master_socket) {}

LbSkeleton Balancer::wanted_skeleton(const LbDesired& desired, base::Instant now) {
  LbSkeleton out = runtime_.skeleton();
  // Slots only grow: taking some away would need a reload and save little.
  for (const auto& [kind, count] : count_pools(desired.assignments)) {
    unsigned& have = out.pools[kind];
    have = std::max(have, count);
  }
  if (now - taken_at_ > kRefusedPause) taken_.clear();
  std::set<std::uint16_t> ports;
  for (const std::uint16_t port : desired.extra_ports) {
    const bool ours = out.extra_ports.contains(port);
    if (!ours && !taken_.contains(port) && !is_free(port)) {
      taken_.insert(port);
      taken_at_ = now;
    }
    if (ours || !taken_.contains(port)) ports.insert(port);
  }
  out.extra_ports = std::move(ports);
  return out;
}

base::Result<void> Balancer::connect() {
  auto done = runtime_.connect();
  if (done || runtime_.skeleton().extra_ports.empty()) return done;
  // While it is down, a port that somebody else took would keep it from starting.
  LbSkeleton without = runtime_.skeleton();
  std::erase_if(without.extra_ports, [&](std::uint16_t port) {
    const bool is_taken = !is_free(port);
    if (is_taken) taken_.insert(port);
    return is_taken;
  });
  if (without == runtime_.skeleton()) return done;
  // Either HAProxy has begun to listen meanwhile, or the file must do without those ports.
  if (runtime_.connect()) return {};
  taken_at_ = base::system_clock().now();
  TRY(write_config(without, wanted_));
  runtime_ = LbRuntime(without, options_.master_socket);
  return done;
}

base::Result<void> Balancer::prepare(const LbDesired& desired, base::Instant now) {
  const LbSkeleton checked = wanted_skeleton(desired, now);
  LbSkeleton all = checked;
  all.extra_ports = desired.extra_ports;
  runtime_ = LbRuntime(all, options_.master_socket);
  // The ports that a HAProxy of an earlier life holds are not somebody else's.
  const bool runs = runtime_.connect().has_value();
  if (runs) taken_.clear();
  const LbSkeleton skeleton = runs ? all : checked;
  TRY(sys::make_folder(skeleton.folder, 0700));
  TRY(write_config(skeleton, desired.state));
  runtime_ = LbRuntime(skeleton, options_.master_socket);
  wanted_ = desired.state;
  return {};
}

base::Result<void> Balancer::grow(const LbDesired& desired, base::Instant now) {
  const LbSkeleton skeleton = wanted_skeleton(desired, now);
  if (skeleton == runtime_.skeleton() && !runtime_.is_stale()) return {};
  if (refused_ == skeleton && now - refused_at_ < kRefusedPause) {
    return base::Error{.code = base::Code::failed_precondition,
                       .detail = "HAProxy refused this configuration before",
                       .reason = "haproxy_config_refused"};
  }
  const LbSkeleton before = runtime_.skeleton();
  TRY(write_config(skeleton, desired.state));
  auto done = runtime_.reload(skeleton, options_.binary, kReloadDeadline);
  if (done) {
    ++reloads_;
    refused_.reset();
    dirty_ = false;
    return {};
  }
  refused_ = skeleton;
  refused_at_ = now;
  // What is on disk must be what runs, or a restart would fail for good.
  TRY(write_config(before, wanted_));
  runtime_ = LbRuntime(before, options_.master_socket);
  if (const auto again = runtime_.connect(); !again) return again;
  return done;
}

Balancer::Outcome Balancer::converge(const LbDesired& desired, base::Instant now) {
  Outcome out;
  dirty_ = dirty_ || !(wanted_ == desired.state);
  wanted_ = desired.state;
  if (!runtime_.is_connected()) return out;
  const std::uint64_t reloads = reloads_;
  if (const auto grown = grow(desired, now); !grown) out.error = grown.error();
  out.reloaded = reloads_ != reloads;
  if (!runtime_.is_connected()) return out;
  for (const Step& step : plan_balance(desired.state, runtime_.seen())) {
    const auto done = runtime_.execute(step);
    ++out.steps;
    if (done) continue;
    if (done.error().reason == "haproxy_member_busy") {
      out.busy = true;
      continue;
    }
    if (!out.error) out.error = done.error();
    // A pool that a refused skeleton would have brought is no reason to give up the session.
    const bool missing =
        refused_ && done.error().detail.find("No such backend") != std::string::npos;
    if (missing) continue;
    runtime_.disconnect();
    return out;
  }
  return out;
}

base::Result<unsigned> Balancer::sessions(
    const std::vector<std::pair<PoolName, ServerName>>& members) {
  unsigned out = 0;
  for (const auto& [pool, name] : members) {
    const auto counts = TRY(runtime_.sessions(pool));
    const auto found = counts.find(name);
    if (found != counts.end()) out += found->second;
  }
  return out;
}

Balancer::Files Balancer::take_files() {
  dirty_ = false;
  return {runtime_.skeleton(), wanted_};
}

}  // namespace netfw

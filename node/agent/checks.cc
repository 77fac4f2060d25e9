// SPDX-License-Identifier: Apache-2.0
#include "node/agent/checks.h"

#include <algorithm>

#include "node/agent/tcp_probe.h"

namespace node::agent {

namespace {

using std::chrono::milliseconds;

// Enough for any answer whose status is what counts.
constexpr std::size_t kBodyMax = 1 << 20;
constexpr base::Duration kBusyRetry = milliseconds(200);
constexpr base::Duration kReadinessFirst = milliseconds(50);

std::string now_text() { return base::format_time(base::system_clock().wall()); }

std::string authority(const std::string& address, std::uint16_t port) {
  const bool v6 = address.find(':') != std::string::npos;
  return (v6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

std::uint16_t port_of(const api::HealthCheck& check, const std::vector<std::uint16_t>& ports) {
  if (check.port != 0) return static_cast<std::uint16_t>(check.port);
  const auto index = static_cast<std::size_t>(check.port_index);
  return index < ports.size() ? ports[index] : 0;
}

std::uint16_t port_of(const api::ReadinessCheck& check, const Record& record) {
  const auto& ports = record.status.ports;
  const auto& specs = record.spec->ports;
  for (std::size_t i = 0; i < ports.size() && i < specs.size(); ++i) {
    if (specs[i].name == check.port_name) return ports[i];
  }
  return ports.empty() ? 0 : ports[0];
}

}  // namespace

struct Checks::Health {
  api::HealthCheck spec;
  std::uint16_t port;
  CheckState state;
  sys::WatchHandle timer;
  sys::WatchHandle probe;
};

struct Checks::Readiness {
  api::ReadinessCheck spec;
  std::uint16_t port;
  bool ready;
  base::Duration delay;
  sys::WatchHandle timer;
  sys::WatchHandle probe;
};

Checks::Checks(Parts parts, const Record& record, base::Instant started, bool was_healthy)
    : parts_(std::move(parts)), address_(record.status.address) {
  for (const api::HealthCheck& spec : record.spec->health_checks) {
    const CheckState state(CheckState::rules_of(spec), started,
                           was_healthy ? Verdict::healthy : Verdict::undecided);
    auto check = std::make_unique<Health>(
        Health{spec, port_of(spec, record.status.ports), state, nullptr, nullptr});
    check->timer = parts_.loop.after(base::Duration(0), [this, at = check.get()] { look(*at); });
    health_.push_back(std::move(check));
  }
  for (const api::ReadinessCheck& spec : record.spec->readiness_checks) {
    auto check = std::make_unique<Readiness>(Readiness{
        spec, port_of(spec, record), record.status.ready, kReadinessFirst, nullptr, nullptr});
    if (!check->ready) {
      check->timer = parts_.loop.after(base::Duration(0), [this, at = check.get()] { look(*at); });
    }
    readiness_.push_back(std::move(check));
  }
}

Checks::~Checks() { *alive_ = false; }

std::optional<bool> Checks::healthy() const {
  if (health_.empty()) return std::nullopt;
  bool all = true;
  for (const auto& check : health_) {
    if (check->state.verdict() == Verdict::unhealthy) return false;
    all = all && check->state.verdict() == Verdict::healthy;
  }
  return all ? std::optional(true) : std::nullopt;
}

bool Checks::ready() const {
  return std::all_of(readiness_.begin(), readiness_.end(),
                     [](const auto& check) { return check->ready; });
}

std::vector<api::HealthResult> Checks::results() const {
  std::vector<api::HealthResult> out;
  for (const auto& check : health_) out.push_back(check->state.result());
  return out;
}

sys::WatchHandle Checks::probe_http(bool tls, std::uint16_t port, const std::string& path,
                                    milliseconds timeout,
                                    std::function<void(base::Result<int>)> done) {
  sys::HttpCall call;
  call.url = (tls ? "https://" : "http://") + authority(address_, port) + path;
  call.headers = {{"User-Agent", "gestalt-agentd"}, {"Connection", "close"}, {"Accept", "*/*"}};
  // Marathon does not verify what an instance shows either.
  call.tls_peer = sys::TlsPeer::any;
  call.connect_timeout = timeout;
  call.timeout = timeout;
  call.response_max = kBodyMax;
  return parts_.http.send(std::move(call),
                          [done = std::move(done)](base::Result<sys::HttpReply> reply) {
                            if (!reply) return done(reply.error());
                            done(reply->status);
                          });
}

void Checks::look(Health& check) {
  check.timer.reset();
  const auto timeout = std::chrono::duration_cast<milliseconds>(check.spec.timeout);
  auto done = [this, &check](std::string failure) { finish(check, failure); };
  switch (check.spec.protocol) {
    case api::CheckProtocol::tcp:
      check.probe = probe_tcp(parts_.loop, address_, check.port, timeout, std::move(done));
      return;
    case api::CheckProtocol::command:
      parts_.run_command(check.spec.argv, timeout,
                         [alive = alive_, done = std::move(done)](std::string failure) {
                           if (*alive) done(std::move(failure));
                         });
      return;
    case api::CheckProtocol::http:
    case api::CheckProtocol::https: break;
  }
  const bool tls = check.spec.protocol == api::CheckProtocol::https;
  check.probe = probe_http(tls, check.port, check.spec.path, timeout,
                           [this, &check, done = std::move(done)](base::Result<int> status) {
                             // Too many calls of ours are under way: that says nothing about it.
                             if (!status && status.error().code == base::Code::throttled) {
                               check.timer =
                                   parts_.loop.after(kBusyRetry, [this, &check] { look(check); });
                               return;
                             }
                             if (!status) return done(status.error().detail);
                             // Marathon: 2xx and 3xx are good.
                             const bool good = *status >= 200 && *status < 400;
                             done(good ? "" : "status " + std::to_string(*status));
                           });
}

void Checks::finish(Health& check, const std::string& failure) {
  const auto before = check.state.verdict();
  const auto failures_before = check.state.result().consecutive_failures;
  const bool alive_before = check.state.result().alive;
  // A status below 200 that is to be ignored is neither good nor bad.
  if (failure.empty()) {
    check.state.succeeded(now_text());
  } else if (!(check.spec.ignore_http_1xx && failure.starts_with("status 1"))) {
    check.state.failed(base::system_clock().now(), now_text(), failure);
  }
  check.timer = parts_.loop.after(check.state.next_delay(), [this, &check] { look(check); });
  const auto& result = check.state.result();
  const bool changed = before != check.state.verdict() || alive_before != result.alive ||
                       failures_before != result.consecutive_failures;
  if (changed) parts_.on_change();  // may end this object
}

void Checks::look(Readiness& check) {
  check.timer.reset();
  const auto timeout = std::chrono::duration_cast<milliseconds>(check.spec.timeout);
  const bool tls = check.spec.protocol == api::CheckProtocol::https;
  check.probe = probe_http(
      tls, check.port, check.spec.path, timeout, [this, &check](base::Result<int> status) {
        const auto& good = check.spec.http_status_codes_ready;
        finish(check, status && std::find(good.begin(), good.end(), *status) != good.end());
      });
}

void Checks::finish(Readiness& check, bool is_ready) {
  check.ready = is_ready;
  if (is_ready) return parts_.on_change();
  check.timer = parts_.loop.after(check.delay, [this, &check] { look(check); });
  check.delay = std::min<base::Duration>(check.delay + check.delay / 5, check.spec.interval);
}

}  // namespace node::agent

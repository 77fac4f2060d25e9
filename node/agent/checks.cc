// SPDX-License-Identifier: Apache-2.0
#include "node/agent/checks.h"

#include <algorithm>

#include "common/base/text.h"
#include "node/agent/tcp_probe.h"

namespace node::agent {

namespace {

using std::chrono::milliseconds;

// Enough for any answer whose status is what counts.
constexpr std::size_t kBodyMax = 1 << 20;
constexpr base::Duration kBusyRetry = milliseconds(200);
constexpr base::Duration kReadinessFirst = milliseconds(50);
constexpr std::size_t kContentTypeMax = 100;
constexpr std::int64_t kNoAnswer = 504;

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

std::size_t body_max_of_each(const std::vector<api::ReadinessCheck>& checks) {
  const auto keeping = std::count_if(checks.begin(), checks.end(),
                                     [](const auto& each) { return each.preserve_last_response; });
  return api::kCheckBodyMax / static_cast<std::size_t>(std::max<std::ptrdiff_t>(keeping, 1));
}

// The first `most` bytes of a foreign text, with '?' for control characters and for what is not
// UTF-8.
std::string presentable(std::string_view text, std::size_t most) {
  std::string out(text.substr(0, most));
  // The cut may have gone through a character, which has at most three bytes before its last one.
  for (int i = 0; i < 3 && out.size() < text.size() && !base::is_utf8(out); ++i) out.pop_back();
  const bool readable = base::is_utf8(out);
  for (char& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    const bool control = (byte < 0x20 && c != '\n' && c != '\r' && c != '\t') || byte == 0x7f;
    if (control || (byte >= 0x80 && !readable)) c = '?';
  }
  return out;
}

api::CheckResponse response_of(const base::Result<sys::HttpReply>& reply, std::size_t body_max) {
  if (!reply) return {kNoAnswer, "text/plain", presentable(reply.error().detail, body_max)};
  const auto type = reply->headers.find("content-type");
  return {reply->status,
          type == reply->headers.end() ? "" : presentable(type->second, kContentTypeMax),
          presentable(reply->body, body_max)};
}

// Of an instance that runs already it is what an earlier agent has found.
api::ReadinessResult known_result(const api::ReadinessCheck& check, const Record& record) {
  api::ReadinessResult out{check.name, record.status.ready, std::nullopt};
  if (!check.preserve_last_response) return out;
  for (const api::ReadinessResult& each : record.status.readiness_results) {
    if (each.name == check.name) out.last_response = each.last_response;
  }
  return out;
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
  api::ReadinessResult result;
  base::Duration delay;
  sys::WatchHandle timer;
  sys::WatchHandle probe;
};

Checks::Checks(Parts parts, const Record& record, base::Instant started, bool was_healthy)
    : parts_(std::move(parts)),
      address_(record.status.address),
      kept_body_max_(body_max_of_each(record.spec->readiness_checks)) {
  for (const api::HealthCheck& spec : record.spec->health_checks) {
    const CheckState state(CheckState::rules_of(spec), started,
                           was_healthy ? Verdict::healthy : Verdict::undecided);
    auto check = std::make_unique<Health>(
        Health{spec, port_of(spec, record.status.ports), state, nullptr, nullptr});
    check->timer = parts_.loop.after(base::Duration(0), [this, at = check.get()] { look(*at); });
    health_.push_back(std::move(check));
  }
  for (const api::ReadinessCheck& spec : record.spec->readiness_checks) {
    auto check = std::make_unique<Readiness>(Readiness{spec, port_of(spec, record),
                                                       known_result(spec, record), kReadinessFirst,
                                                       nullptr, nullptr});
    if (!check->result.ready) {
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
                     [](const auto& check) { return check->result.ready; });
}

std::vector<api::HealthResult> Checks::results() const {
  std::vector<api::HealthResult> out;
  for (const auto& check : health_) out.push_back(check->state.result());
  return out;
}

std::vector<api::ReadinessResult> Checks::readiness() const {
  std::vector<api::ReadinessResult> out;
  for (const auto& check : readiness_) out.push_back(check->result);
  return out;
}

sys::WatchHandle Checks::probe_http(bool tls, std::uint16_t port, const std::string& path,
                                    milliseconds timeout, sys::AsyncHttp::Done done) {
  sys::HttpCall call;
  call.url = (tls ? "https://" : "http://") + authority(address_, port) + path;
  call.headers = {{"User-Agent", "gestalt-agentd"}, {"Connection", "close"}, {"Accept", "*/*"}};
  // Marathon does not verify what an instance shows either.
  call.tls_peer = sys::TlsPeer::any;
  call.connect_timeout = timeout;
  call.timeout = timeout;
  call.response_max = kBodyMax;
  return parts_.http.send(std::move(call), std::move(done));
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
  check.probe =
      probe_http(tls, check.port, check.spec.path, timeout,
                 [this, &check, done = std::move(done)](base::Result<sys::HttpReply> reply) {
                   // Too many calls of ours are under way: that says nothing about it.
                   if (!reply && reply.error().code == base::Code::throttled) {
                     check.timer = parts_.loop.after(kBusyRetry, [this, &check] { look(check); });
                     return;
                   }
                   if (!reply) return done(reply.error().detail);
                   // Marathon: 2xx and 3xx are good.
                   const bool good = reply->status >= 200 && reply->status < 400;
                   done(good ? "" : "status " + std::to_string(reply->status));
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
  check.probe =
      probe_http(tls, check.port, check.spec.path, timeout,
                 [this, &check](base::Result<sys::HttpReply> reply) { finish(check, reply); });
}

void Checks::finish(Readiness& check, const base::Result<sys::HttpReply>& reply) {
  // As with health: a look that could not be made is made again.
  if (!reply && reply.error().code == base::Code::throttled) {
    check.timer = parts_.loop.after(kBusyRetry, [this, &check] { look(check); });
    return;
  }
  const api::ReadinessResult before = check.result;
  const auto& good = check.spec.http_status_codes_ready;
  check.result.ready = reply && std::find(good.begin(), good.end(), reply->status) != good.end();
  if (check.spec.preserve_last_response) {
    check.result.last_response = response_of(reply, kept_body_max_);
  }
  if (!check.result.ready) {
    check.timer = parts_.loop.after(check.delay, [this, &check] { look(check); });
    check.delay = std::min<base::Duration>(check.delay + check.delay / 5, check.spec.interval);
  }
  if (check.result != before) parts_.on_change();  // may end this object
}

}  // namespace node::agent

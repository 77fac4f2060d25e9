// SPDX-License-Identifier: Apache-2.0
#include "netfw/haproxy/runtime.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/sys/files.h"
#include "common/sys/process.h"

namespace netfw {
namespace {

constexpr std::size_t kConfigMax = 64 << 20;
constexpr std::chrono::milliseconds kReloadPauseMin{5};
constexpr std::chrono::milliseconds kReloadPauseMax{50};

base::Result<bool> write_when_different(const std::filesystem::path& path,
                                        const std::string& text) {
  const auto now = base::read_file(path, kConfigMax);
  if (now && *now == text) return false;
  TRY(sys::write_file_durably(path, text, 0644));
  return true;
}

// One command to the master process, which closes the connection when it starts itself anew.
base::Result<void> ask_master(const std::filesystem::path& path, std::string_view command) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const std::string text = path.string();
  CHECK_THAT(text.size() < sizeof address.sun_path);
  memcpy(address.sun_path, text.data(), text.size());
  const sys::Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return base::os_error(errno, "socket");
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return base::Error{.code = base::Code::unavailable,
                       .detail = text + ": " + strerror(errno),
                       .reason = "haproxy_unreachable"};
  }
  const std::string line = std::string(command) + "\n";
  if (send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL) < 0) {
    return base::os_error(errno, "ask HAProxy's master");
  }
  char buffer[4096];
  pollfd wait = {fd.get(), POLLIN, 0};
  while (poll(&wait, 1, 2000) > 0 && recv(fd.get(), buffer, sizeof buffer, 0) > 0) {
  }
  return {};
}

base::Error no_session() {
  return {.code = base::Code::unavailable,
          .detail = "there is no session with HAProxy",
          .reason = "haproxy_unreachable"};
}

void pause(std::chrono::milliseconds time) {
  const timespec wait = {0, static_cast<long>(time.count()) * 1'000'000};
  nanosleep(&wait, nullptr);
}

}  // namespace

base::Result<void> LbRuntime::connect() {
  session_.reset();
  CliSession session = TRY(CliSession::open(skeleton_.admin_socket));
  const WorkerInfo info = TRY(read_info(session));
  pid_ = info.pid;
  is_stale_ = info.description != fingerprint(skeleton_);
  session_ = std::move(session);
  auto done = read_back();
  if (!done) session_.reset();
  return done;
}

base::Result<void> LbRuntime::read_back() {
  if (!session_) return no_session();
  LbSeen seen;
  seen.pools = TRY(read_servers(*session_));
  for (const MapId id : kMapIds) {
    // HAProxy does not know a map that nothing uses.
    if (is_https_map(id) && skeleton_.certificate_folder.empty()) continue;
    seen.maps[id] = TRY(read_map(*session_, map_path(skeleton_, id)));
  }
  if (!skeleton_.certificate_folder.empty()) {
    seen.certificates = TRY(read_certificates(*session_, skeleton_));
  }
  seen_ = std::move(seen);
  return {};
}

base::Result<void> LbRuntime::ask(const Command& command) {
  if (!session_) {
    return base::Error{
        .code = base::Code::unavailable, .detail = "no session", .reason = "haproxy_unreachable"};
  }
  const auto reply = session_->ask(command);
  if (reply) return {};
  if (reply.error().reason == "haproxy_unreachable") session_.reset();
  return reply.error();
}

base::Result<void> LbRuntime::add(const AddServer& step) {
  TRY(ask(
      Command::add_server(step.pool, step.name, step.server.address, step.server.port, step.id)));
  TRY(ask(Command::enable_health(step.pool, step.name)));
  if (step.server.ready) TRY(ask(Command::set_ready(step.pool, step.name, true)));
  return {};
}

base::Result<void> LbRuntime::remove(const RemoveServer& step) {
  TRY(ask(Command::shutdown_sessions(step.pool, step.name)));
  auto done = ask(Command::del_server(step.pool, step.name));
  if (done || done.error().reason != "haproxy_refused") return done;
  // Idle connections to a member that still runs hold it for as long as HAProxy believes to need
  // them; another address ends them, soon.
  TRY(ask(Command::forget_address(step.pool, step.name)));
  seen_.pools[step.pool][step.name].server.address = IpAddress{};
  done = ask(Command::del_server(step.pool, step.name));
  if (done || done.error().reason != "haproxy_refused") return done;
  return base::Error{.code = base::Code::failed_precondition,
                     .detail = done.error().detail,
                     .reason = "haproxy_member_busy"};
}

base::Result<void> LbRuntime::replace(const ReplaceMap& step) {
  if (!session_) return no_session();
  const std::filesystem::path file = map_path(skeleton_, step.map);
  const auto reply = session_->ask(Command::prepare_map(file));
  if (!reply) return reply.error();
  constexpr std::string_view kText = "New version created: ";
  const std::size_t at = reply->find(kText);
  if (at == std::string::npos) {
    return base::Error{.code = base::Code::corrupt,
                       .detail = "prepare map: " + *reply,
                       .reason = "haproxy_reply_unreadable"};
  }
  const std::string_view number = base::trim(std::string_view(*reply).substr(at + kText.size()));
  const auto version = static_cast<unsigned>(TRY(base::parse_int(number, 0, UINT32_MAX)));
  for (const auto& [key, pool] : step.entries) {
    TRY(ask(Command::add_prepared(file, version, key, pool)));
  }
  return ask(Command::commit_map(file, version));
}

base::Result<void> LbRuntime::execute(const Step& step) {
  const auto file = [&](MapId id) { return map_path(skeleton_, id); };
  base::Result<void> done;
  if (const auto* const arrival = std::get_if<AddServer>(&step)) {
    done = add(*arrival);
  } else if (const auto* const state = std::get_if<SetReady>(&step)) {
    done = ask(Command::set_ready(state->pool, state->name, state->ready));
  } else if (const auto* const route = std::get_if<SetRoute>(&step)) {
    done = ask(route->replaces ? Command::set_entry(file(route->map), route->key, route->pool)
                               : Command::add_entry(file(route->map), route->key, route->pool));
  } else if (const auto* const whole = std::get_if<ReplaceMap>(&step)) {
    done = replace(*whole);
  } else if (const auto* const drop = std::get_if<DropRoute>(&step)) {
    done = ask(Command::del_entry(file(drop->map), drop->key));
  } else if (const auto* const departure = std::get_if<RemoveServer>(&step)) {
    done = remove(*departure);
  }
  if (!done) return done;
  FirewallSets none;
  note_done(step, none, seen_);
  return {};
}

base::Result<std::size_t> LbRuntime::use_certificates(const CertificateSet& wanted) {
  if (skeleton_.certificate_folder.empty()) return std::size_t{0};
  if (!session_) return no_session();
  auto changed = sync_certificates(*session_, skeleton_, wanted, seen_.certificates);
  if (!changed && changed.error().reason == "haproxy_unreachable") session_.reset();
  return changed;
}

base::Result<std::map<ServerName, unsigned>> LbRuntime::sessions(const PoolName& pool) {
  if (!session_) {
    return base::Error{
        .code = base::Code::unavailable, .detail = "no session", .reason = "haproxy_unreachable"};
  }
  return read_sessions(*session_, pool);
}

base::Result<void> LbRuntime::reload(const LbSkeleton& skeleton,
                                     const std::filesystem::path& haproxy,
                                     std::chrono::milliseconds deadline) {
  const auto check =
      sys::run({.argv = {haproxy.string(), "-c", "-q", "-f", config_path(skeleton).string()},
                .environment = {},
                .deadline = deadline});
  if (!check) return check.error();
  if (check->status != 0) {
    return base::Error{.code = base::Code::invalid_argument,
                       .detail = check->err.substr(0, 500),
                       .reason = "haproxy_config_refused"};
  }
  const long old_pid = pid_;
  TRY(ask_master(master_socket_, "reload"));
  session_.reset();
  skeleton_ = skeleton;
  // The master gives no sign; the new worker is there once another pid answers.
  const base::Instant end = base::system_clock().now() + deadline;
  for (auto wait = kReloadPauseMin; base::system_clock().now() < end;
       wait = std::min(wait * 2, kReloadPauseMax)) {
    if (connect() && pid_ != old_pid) return {};
    session_.reset();
    pid_ = old_pid;
    pause(wait);
  }
  return base::Error{.code = base::Code::timed_out,
                     .detail = "no new worker answers after the reload",
                     .reason = "haproxy_reload_silent"};
}

base::Result<bool> write_config(const LbSkeleton& skeleton, const LbState& state) {
  bool changed = false;
  // Maps first: a HAProxy that starts between the two writes finds pools for all its routes, or
  // routes for fewer pools.
  for (const MapId id : kMapIds) {
    const auto map = state.maps.find(id);
    const std::string text = map == state.maps.end() ? "" : render_map(map->second);
    changed = TRY(write_when_different(map_path(skeleton, id), text)) || changed;
  }
  changed =
      TRY(write_when_different(config_path(skeleton), render_config(skeleton, state))) || changed;
  return changed;
}

}  // namespace netfw

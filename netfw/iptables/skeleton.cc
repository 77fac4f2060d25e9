// SPDX-License-Identifier: Apache-2.0
#include "netfw/iptables/skeleton.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

namespace netfw {
namespace {

// How much longer than the helper's own deadline we wait for its reply.
constexpr std::chrono::milliseconds kReplyGrace{2000};

void put_text(char* out, std::size_t size, std::string_view text) {
  CHECK_THAT(text.size() < size);
  memcpy(out, text.data(), text.size());
}

std::uint8_t protocol_number(Protocol protocol, Family family) {
  switch (protocol) {
    case Protocol::any: return 0;
    case Protocol::tcp: return IPPROTO_TCP;
    case Protocol::udp: return IPPROTO_UDP;
    case Protocol::icmp: return family == Family::v4 ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6};
  }
  return 0;
}

iptc::WireRule to_wire(const Rule& rule, Family family) {
  iptc::WireRule out = {};
  out.chain = static_cast<std::uint8_t>(rule.chain);
  out.verdict = static_cast<std::uint8_t>(rule.verdict);
  out.from_loopback = rule.from_loopback ? 1 : 0;
  out.states = rule.states;
  out.protocol = protocol_number(rule.protocol, family);
  out.has_icmp_type = rule.icmp_type ? 1 : 0;
  out.icmp_type = rule.icmp_type.value_or(0);
  out.port = rule.port.value_or(0);
  if (rule.source_net) {
    out.source_prefix = static_cast<std::uint8_t>(rule.source_net->prefix);
    memcpy(out.source_net, rule.source_net->base.bytes.data(), sizeof out.source_net);
  }
  const auto put_set = [&](char(&name)[32], const std::optional<SetId>& id) {
    if (id) put_text(name, sizeof name, kernel_set_name(*id, family));
  };
  put_set(out.source_set, rule.source);
  put_set(out.port_set, rule.ports);
  put_set(out.endpoint_set, rule.endpoints);
  put_text(out.comment, sizeof out.comment, "gestalt " + std::string(rule.name));
  return out;
}

base::Error to_error(const iptc::Reply& reply) {
  const std::string text(reply.text, strnlen(reply.text, sizeof reply.text));
  switch (static_cast<iptc::Stage>(reply.stage)) {
    case iptc::Stage::lock:
      if (reply.os_errno == ETIMEDOUT) {
        return {.code = base::Code::timed_out,
                .detail = "another program holds " + text,
                .reason = "firewall_lock_held"};
      }
      return base::os_error(reply.os_errno, text);
    case iptc::Stage::open:
      return {.code = base::Code::unsupported,
              .detail = text + ": " + strerror(reply.os_errno),
              .reason = "firewall_unsupported",
              .os_errno = reply.os_errno};
    case iptc::Stage::foreign_changed:
      return {.code = base::Code::conflict, .detail = text, .reason = "firewall_foreign_changed"};
    case iptc::Stage::done:
    case iptc::Stage::bad_request:
    case iptc::Stage::build:
    case iptc::Stage::commit: break;
  }
  return base::os_error(reply.os_errno, "iptables: " + text);
}

base::Result<pid_t> spawn_helper(const std::string& path, int socket) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, socket, iptc::kHelperFd);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::string name = path;
  char* argv[] = {name.data(), nullptr};
  char* environment[] = {nullptr};
  pid_t pid = -1;
  const int error = posix_spawn(&pid, path.c_str(), &actions, &attributes, argv, environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return base::os_error(error, "start " + path);
  return pid;
}

}  // namespace

std::string kernel_set_name(SetId id, Family family) {
  const std::string name(set_name(id));
  if (set_kind(id) == SetKind::ports) return "gestalt-" + name;
  return (family == Family::v4 ? "gestalt4-" : "gestalt6-") + name;
}

Skeleton::~Skeleton() { stop(); }

void Skeleton::stop() {
  socket_.reset();  // the helper ends when its other end is closed
  if (pid_ < 0) return;
  // It may hang in a system call; it holds nothing that a kill would break.
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

base::Result<void> Skeleton::start() {
  if (pid_ >= 0) return {};
  int pair[2] = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    return base::os_error(errno, "socketpair");
  }
  sys::Fd ours(pair[0]);
  const sys::Fd theirs(pair[1]);
  pid_ = TRY(spawn_helper(options_.helper.string(), theirs.get()));
  socket_ = std::move(ours);
  return {};
}

base::Result<iptc::Reply> Skeleton::exchange(const iptc::Request& request,
                                             std::chrono::milliseconds deadline) {
  const std::size_t size =
      sizeof request.header + request.header.rule_count * sizeof(iptc::WireRule);
  if (send(socket_.get(), &request, size, MSG_NOSIGNAL) != static_cast<ssize_t>(size)) {
    return base::os_error(errno, "ask the helper");
  }
  pollfd wait = {socket_.get(), POLLIN, 0};
  const int ready = poll(&wait, 1, static_cast<int>((deadline + kReplyGrace).count()));
  if (ready == 0) {
    return base::Error{.code = base::Code::timed_out,
                       .detail = "the iptables helper does not answer",
                       .reason = "firewall_helper_silent"};
  }
  iptc::Reply reply = {};
  if (ready < 0 || recv(socket_.get(), &reply, sizeof reply, 0) != sizeof reply ||
      reply.magic != iptc::kMagic) {
    return base::os_error(EIO, "the helper's reply");
  }
  return reply;
}

base::Result<Skeleton::Outcome> Skeleton::run(iptc::Operation operation, Family family,
                                              const std::vector<Rule>& rules,
                                              std::chrono::milliseconds deadline) {
  CHECK_THAT(rules.size() <= iptc::kRulesPerRequestMax);
  iptc::Request request = {};
  request.header.magic = iptc::kMagic;
  request.header.operation = static_cast<std::uint8_t>(operation);
  request.header.family = family == Family::v4 ? 4 : 6;
  request.header.rule_count = static_cast<std::uint16_t>(rules.size());
  request.header.deadline_ms = static_cast<std::uint32_t>(deadline.count());
  put_text(request.header.lock_file, sizeof request.header.lock_file, options_.lock_file.string());
  for (std::size_t i = 0; i < rules.size(); ++i) request.rules[i] = to_wire(rules[i], family);
  TRY(start());
  auto reply = exchange(request, deadline);
  if (!reply) {
    stop();  // its next reply would answer this request
    return reply.error();
  }
  if (reply->stage != static_cast<std::uint8_t>(iptc::Stage::done)) return to_error(*reply);
  return Outcome{reply->changed != 0, reply->foreign_rules};
}

}  // namespace netfw

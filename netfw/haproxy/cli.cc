// SPDX-License-Identifier: Apache-2.0
#include "netfw/haproxy/cli.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>

#include "common/base/text.h"
#include "netfw/haproxy/config.h"

namespace netfw {
namespace {

constexpr std::chrono::milliseconds kReplyDeadline{2000};
constexpr std::size_t kReplyMax = 64 << 20;
constexpr std::string_view kPrompt = "\n> ";
constexpr int kSeverityError = 3;  // warnings come with success too

std::string member(const PoolName& pool, const ServerName& name) {
  return pool.text() + "/" + name.text();
}

base::Error unreachable(std::string detail) {
  return {.code = base::Code::unavailable,
          .detail = std::move(detail),
          .reason = "haproxy_unreachable"};
}

base::Error unreadable(std::string detail) {
  return {.code = base::Code::corrupt,
          .detail = std::move(detail),
          .reason = "haproxy_reply_unreadable"};
}

std::vector<std::string_view> words(std::string_view line) {
  std::vector<std::string_view> out;
  for (const std::string_view word : base::split(line, ' ')) {
    if (!word.empty()) out.push_back(word);
  }
  return out;
}

constexpr std::array<std::string_view, 7> kServerColumns = {
    "be_name", "srv_name", "srv_id", "srv_addr", "srv_port", "srv_admin_state", "srv_op_state"};

struct Columns {
  std::vector<std::string_view> names;
  // The column's place, or the number of columns when it is absent.
  std::size_t at(std::string_view name) const {
    std::size_t i = 0;
    while (i < names.size() && names[i] != name) ++i;
    return i;
  }
};

base::Result<void> note_server(const Columns& columns, const std::vector<std::string_view>& row,
                               SeenPools& out) {
  if (row.size() < columns.names.size()) return unreadable("a short line of servers");
  const auto pool = PoolName::parse(row[columns.at("be_name")]);
  const auto name = ServerName::parse(row[columns.at("srv_name")]);
  if (!pool || !name) return {};  // not ours
  SeenServer seen;
  seen.id = static_cast<unsigned>(TRY(base::parse_int(row[columns.at("srv_id")], 0, INT32_MAX)));
  seen.server.address = TRY(IpAddress::parse(row[columns.at("srv_addr")]));
  seen.server.port =
      static_cast<std::uint16_t>(TRY(base::parse_int(row[columns.at("srv_port")], 0, 65535)));
  const auto admin = TRY(base::parse_int(row[columns.at("srv_admin_state")], 0, 255));
  const auto state = TRY(base::parse_int(row[columns.at("srv_op_state")], 0, 255));
  constexpr int kForcedMaintenance = 1;
  constexpr int kConfiguredMaintenance = 4;  // `disabled` in the file
  seen.server.ready = (admin & (kForcedMaintenance | kConfiguredMaintenance)) == 0;
  seen.up = state == 2;
  out[*pool].emplace(*name, seen);
  return {};
}

}  // namespace

Command Command::add_server(const PoolName& pool, const ServerName& name, const IpAddress& address,
                            std::uint16_t port, unsigned id) {
  return Command("add server " + member(pool, name) + " " + host_and_port(address, port) + " id " +
                 std::to_string(id) + " " + std::string(server_options()));
}
Command Command::enable_health(const PoolName& pool, const ServerName& name) {
  return Command("enable health " + member(pool, name));
}
Command Command::set_ready(const PoolName& pool, const ServerName& name, bool ready) {
  return Command("set server " + member(pool, name) + (ready ? " state ready" : " state maint"));
}
Command Command::shutdown_sessions(const PoolName& pool, const ServerName& name) {
  return Command("shutdown sessions server " + member(pool, name));
}
Command Command::forget_address(const PoolName& pool, const ServerName& name) {
  return Command("set server " + member(pool, name) + " addr 192.0.2.1 port 9");
}
Command Command::del_server(const PoolName& pool, const ServerName& name) {
  return Command("del server " + member(pool, name));
}
Command Command::show_servers() { return Command("show servers state"); }
Command Command::show_pool(const PoolName& pool) {
  return Command("show stat " + pool.text() + " 4 -1");
}
Command Command::show_info() { return Command("show info"); }
Command Command::show_map(const std::filesystem::path& file) {
  return Command("show map " + file.string());
}
Command Command::add_entry(const std::filesystem::path& file, const RouteKey& key,
                           const PoolName& pool) {
  return Command("add map " + file.string() + " " + key.text() + " " + pool.text());
}
Command Command::set_entry(const std::filesystem::path& file, const RouteKey& key,
                           const PoolName& pool) {
  return Command("set map " + file.string() + " " + key.text() + " " + pool.text());
}
Command Command::del_entry(const std::filesystem::path& file, const RouteKey& key) {
  return Command("del map " + file.string() + " " + key.text());
}
Command Command::prepare_map(const std::filesystem::path& file) {
  return Command("prepare map " + file.string());
}
Command Command::add_prepared(const std::filesystem::path& file, unsigned version,
                              const RouteKey& key, const PoolName& pool) {
  return Command("add map @" + std::to_string(version) + " " + file.string() + " " + key.text() +
                 " " + pool.text());
}
Command Command::commit_map(const std::filesystem::path& file, unsigned version) {
  return Command("commit map @" + std::to_string(version) + " " + file.string());
}

Command Command::new_certificate(const std::filesystem::path& file) {
  return Command("new ssl cert " + file.string());
}
Command Command::set_certificate(const std::filesystem::path& file, const base::Secret& pem) {
  CHECK_THAT(pem.reveal().find("\n\n") == std::string_view::npos);
  return Command("set ssl cert " + file.string(), pem);
}
Command Command::commit_certificate(const std::filesystem::path& file) {
  return Command("commit ssl cert " + file.string());
}
Command Command::abort_certificate(const std::filesystem::path& file) {
  return Command("abort ssl cert " + file.string());
}
Command Command::del_certificate(const std::filesystem::path& file) {
  return Command("del ssl cert " + file.string());
}
Command Command::show_certificate(const std::filesystem::path& file) {
  return Command("show ssl cert " + file.string());
}
Command Command::list_certificate(const std::filesystem::path& list,
                                  const std::filesystem::path& file) {
  return Command("add ssl crt-list " + list.string() + " " + file.string());
}
Command Command::unlist_certificate(const std::filesystem::path& list,
                                    const std::filesystem::path& file) {
  return Command("del ssl crt-list " + list.string() + " " + file.string());
}
Command Command::show_list(const std::filesystem::path& list) {
  return Command("show ssl crt-list " + list.string());
}

base::Result<CliSession> CliSession::open(const std::filesystem::path& socket_path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const std::string text = socket_path.string();
  CHECK_THAT(text.size() < sizeof address.sun_path);
  memcpy(address.sun_path, text.data(), text.size());
  sys::Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return base::os_error(errno, "socket");
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return unreachable(text + ": " + strerror(errno));
  }
  CliSession out(std::move(fd));
  TRY(out.exchange("prompt\n"));
  TRY(out.exchange("set severity-output number\n"));
  return out;
}

base::Result<std::string> CliSession::exchange(std::string_view line) {
  const auto broken = [&](std::string detail) {
    socket_.reset();
    return unreachable(std::move(detail));
  };
  if (!socket_.is_open()) return unreachable("the session has ended");
  if (send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(line.size())) {
    return broken(std::string("send: ") + strerror(errno));
  }
  std::string out;
  char buffer[16384];
  while (!out.ends_with(kPrompt) && out != kPrompt.substr(1)) {
    pollfd wait = {socket_.get(), POLLIN, 0};
    if (poll(&wait, 1, static_cast<int>(kReplyDeadline.count())) <= 0) {
      return broken("no reply in time");
    }
    const ssize_t got = recv(socket_.get(), buffer, sizeof buffer, 0);
    if (got <= 0) return broken("HAProxy closed the session");
    out.append(buffer, static_cast<std::size_t>(got));
    if (out.size() > kReplyMax) return broken("the reply is too long");
  }
  std::string_view text = out;
  text.remove_suffix(std::min(text.size(), kPrompt.size()));
  while (text.ends_with('\n')) text.remove_suffix(1);
  return std::string(text);
}

base::Result<std::string> CliSession::ask(const Command& command) {
  std::string reply;
  if (command.payload().empty()) {
    reply = TRY(exchange(command.text() + "\n"));
  } else {
    // HAProxy takes the lines up to an empty one and prompts for each.
    const base::Secret line(command.text() + " <<\n" + std::string(command.payload().reveal()) +
                            "\n");
    reply = TRY(exchange(line.reveal()));
    while (reply.starts_with("+ ")) reply.erase(0, 2);
  }
  // "[6]: New server registered."
  if (reply.size() >= 4 && reply[0] == '[' && reply[2] == ']' && reply[3] == ':') {
    const int severity = reply[1] - '0';
    reply.erase(0, reply.size() > 4 && reply[4] == ' ' ? 5 : 4);
    const bool unknown = reply.starts_with("Unknown command");
    if (severity <= kSeverityError || unknown) {
      return base::Error{.code = base::Code::internal,
                         .detail = command.text() + ": " + reply.substr(0, 300),
                         .reason = "haproxy_refused"};
    }
  }
  return reply;
}

base::Result<SeenPools> read_servers(CliSession& session) {
  const std::string reply = TRY(session.ask(Command::show_servers()));
  SeenPools out;
  Columns columns;
  for (const std::string_view line : base::split(reply, '\n')) {
    std::vector<std::string_view> row = words(line);
    if (row.size() < 2) continue;  // the format's number
    if (row[0] == "#") {
      row.erase(row.begin());
      columns.names = row;
      for (const std::string_view name : kServerColumns) {
        if (columns.at(name) == row.size()) return unreadable("no column " + std::string(name));
      }
    } else if (columns.names.empty()) {
      return unreadable("servers without a head line");
    } else {
      TRY(note_server(columns, row, out));
    }
  }
  if (columns.names.empty()) return unreadable("servers without a head line");
  return out;
}

base::Result<RouteMap> read_map(CliSession& session, const std::filesystem::path& file) {
  const std::string reply = TRY(session.ask(Command::show_map(file)));
  RouteMap out;
  for (const std::string_view line : base::split(reply, '\n')) {
    const std::vector<std::string_view> row = words(line);
    if (row.size() != 3) continue;
    const auto key = RouteKey::parse(row[1]);
    const auto pool = PoolName::parse(row[2]);
    if (key && pool) out.emplace(*key, *pool);  // others were put there by hand
  }
  return out;
}

base::Result<WorkerInfo> read_info(CliSession& session) {
  const std::string reply = TRY(session.ask(Command::show_info()));
  constexpr std::string_view kPid = "Pid: ";
  constexpr std::string_view kDescription = "description: ";
  WorkerInfo out;
  for (const std::string_view line : base::split(reply, '\n')) {
    if (line.starts_with(kPid)) {
      out.pid = static_cast<long>(TRY(base::parse_int(line.substr(kPid.size()), 1, INT32_MAX)));
    } else if (line.starts_with(kDescription)) {
      out.description = line.substr(kDescription.size());
    }
  }
  if (out.pid == 0) return unreadable("show info has no Pid");
  return out;
}

base::Result<std::map<ServerName, unsigned>> read_sessions(CliSession& session,
                                                           const PoolName& pool) {
  const std::string reply = TRY(session.ask(Command::show_pool(pool)));
  std::map<ServerName, unsigned> out;
  constexpr std::size_t kName = 1;
  constexpr std::size_t kCurrent = 4;
  for (const std::string_view line : base::split(reply, '\n')) {
    const std::vector<std::string_view> row = base::split(line, ',');
    if (row.size() <= kCurrent) continue;
    const auto name = ServerName::parse(row[kName]);
    if (!name) continue;
    out[*name] = static_cast<unsigned>(TRY(base::parse_int(row[kCurrent], 0, INT32_MAX)));
  }
  return out;
}

}  // namespace netfw

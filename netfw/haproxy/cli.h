// SPDX-License-Identifier: Apache-2.0
// HAProxy's runtime interface: one session that stays open, and commands that cannot say anything
// but what they were built for.
//
// 1. A Command is made by the functions below only, from typed values: a ';' or a line break has no
// way in.
// 2. A reply that does not come in time, or in an order that is not ours, ends the session; what
// was asked is then unknown and is read back by the next one. Threads: one at a time; calls block
// for microseconds, or until the deadline. Source: HAProxy 2.6 management guide, section 9.3.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/secret.h"
#include "common/sys/handle.h"
#include "netfw/model/balance.h"

namespace netfw {

class Command {
 public:
  static Command add_server(const PoolName& pool, const ServerName& name, const IpAddress& address,
                            std::uint16_t port, unsigned id);
  static Command enable_health(const PoolName& pool, const ServerName& name);
  static Command set_ready(const PoolName& pool, const ServerName& name, bool ready);
  static Command shutdown_sessions(const PoolName& pool, const ServerName& name);
  // Sends a member in maintenance to an address where nothing is (RFC 5737), which ends its idle
  // connections.
  static Command forget_address(const PoolName& pool, const ServerName& name);
  static Command del_server(const PoolName& pool, const ServerName& name);
  static Command show_servers();
  static Command show_pool(const PoolName& pool);
  static Command show_info();
  static Command show_map(const std::filesystem::path& file);
  static Command add_entry(const std::filesystem::path& file, const RouteKey& key,
                           const PoolName& pool);
  static Command set_entry(const std::filesystem::path& file, const RouteKey& key,
                           const PoolName& pool);
  static Command del_entry(const std::filesystem::path& file, const RouteKey& key);
  static Command prepare_map(const std::filesystem::path& file);
  static Command add_prepared(const std::filesystem::path& file, unsigned version,
                              const RouteKey& key, const PoolName& pool);
  static Command commit_map(const std::filesystem::path& file, unsigned version);
  static Command new_certificate(const std::filesystem::path& file);
  // `pem` has no empty line. It is not part of text(), which may be logged.
  static Command set_certificate(const std::filesystem::path& file, const base::Secret& pem);
  static Command commit_certificate(const std::filesystem::path& file);
  static Command abort_certificate(const std::filesystem::path& file);
  static Command del_certificate(const std::filesystem::path& file);
  static Command show_certificate(const std::filesystem::path& file);
  static Command list_certificate(const std::filesystem::path& list,
                                  const std::filesystem::path& file);
  static Command unlist_certificate(const std::filesystem::path& list,
                                    const std::filesystem::path& file);
  static Command show_list(const std::filesystem::path& list);
  const std::string& text() const { return text_; }
  const base::Secret& payload() const { return payload_; }

 private:
  explicit Command(std::string text, base::Secret payload = {})
      : text_(std::move(text)), payload_(std::move(payload)) {}
  std::string text_;
  base::Secret payload_;
};

class CliSession {
 public:
  // Errors: unavailable haproxy_unreachable.
  static base::Result<CliSession> open(const std::filesystem::path& socket);
  // The reply without its severity. Errors: unavailable haproxy_unreachable; internal
  // haproxy_refused with HAProxy's words, at severity error or worse.
  base::Result<std::string> ask(const Command& command);
  int fd() const { return socket_.get(); }

 private:
  explicit CliSession(sys::Fd socket) : socket_(std::move(socket)) {}
  base::Result<std::string> exchange(std::string_view line);
  sys::Fd socket_;
};

// Errors: those of ask(); corrupt haproxy_reply_unreadable.
base::Result<SeenPools> read_servers(CliSession& session);
base::Result<RouteMap> read_map(CliSession& session, const std::filesystem::path& file);
struct WorkerInfo {
  long pid = 0;
  std::string description = {};  // of the configuration that runs
};
base::Result<WorkerInfo> read_info(CliSession& session);
// Sessions that are under way on each member of a pool.
base::Result<std::map<ServerName, unsigned>> read_sessions(CliSession& session,
                                                           const PoolName& pool);

}  // namespace netfw

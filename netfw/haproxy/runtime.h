// SPDX-License-Identifier: Apache-2.0
// A running HAProxy: what it has, and the steps of a plan carried out on it.
//
// Used by the daemon's engine.
// 1. `seen()` is what was read when the session began, and every step since that HAProxy confirmed.
// 2. When the session breaks, connect() reads everything back: nothing is assumed of a worker that
// may be another one.
// Threads: one at a time.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>

#include "netfw/haproxy/certificates.h"
#include "netfw/haproxy/cli.h"
#include "netfw/haproxy/config.h"
#include "netfw/plan/plan.h"

namespace netfw {

class LbRuntime {
 public:
  LbRuntime(LbSkeleton skeleton, std::filesystem::path master_socket)
      : skeleton_(std::move(skeleton)), master_socket_(std::move(master_socket)) {}

  // Opens a session and reads back. Errors: unavailable haproxy_unreachable; those of the readers.
  base::Result<void> connect();
  bool is_connected() const { return session_.has_value(); }
  void disconnect() { session_.reset(); }
  long pid() const { return pid_; }

  const LbSeen& seen() const { return seen_; }
  // One cheap question: fails when the session is dead.
  base::Result<void> check() { return ask(Command::show_info()); }
  // Reads servers and maps again.
  base::Result<void> read_back();
  // Carries out one step of plan_balance(). Errors: failed_precondition haproxy_member_busy when a
  // member still has connections: try again soon; those of CliSession::ask, after which the session
  // may be gone.
  base::Result<void> execute(const Step& step);
  // Makes the certificates in use those of the set, without a reload; returns how many changed.
  // Errors: those of CliSession::ask.
  base::Result<std::size_t> use_certificates(const CertificateSet& wanted);
  base::Result<std::map<ServerName, unsigned>> sessions(const PoolName& pool);

  const LbSkeleton& skeleton() const { return skeleton_; }
  // Whether HAProxy runs from another skeleton than ours: it was started before ours was written.
  bool is_stale() const { return is_stale_; }
  // Checks the file with `haproxy -c`, asks the master for a reload, waits for the new worker and
  // connects to it. The file has been written before.
  // Errors: invalid_argument haproxy_config_refused; timed_out haproxy_reload_silent.
  base::Result<void> reload(const LbSkeleton& skeleton, const std::filesystem::path& haproxy,
                            std::chrono::milliseconds deadline);

 private:
  base::Result<void> add(const AddServer& step);
  base::Result<void> remove(const RemoveServer& step);
  base::Result<void> replace(const ReplaceMap& step);
  base::Result<void> ask(const Command& command);

  LbSkeleton skeleton_;
  std::filesystem::path master_socket_;
  std::optional<CliSession> session_;
  LbSeen seen_;
  long pid_ = 0;
  bool is_stale_ = false;
};

// Writes the configuration and the maps durably where they differ from what is there.
base::Result<bool> write_config(const LbSkeleton& skeleton, const LbState& state);

}  // namespace netfw

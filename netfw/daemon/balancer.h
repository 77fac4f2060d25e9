// SPDX-License-Identifier: Apache-2.0
// The load balancer as the engine sees it: brought to a desired state when it can be reached, and
// written to disk so that it comes back right when it cannot.
//
// 1. A step that HAProxy refuses ends the session: what it has is then not what we believed, and
// the next connect() reads it back.
// 2. A skeleton that was refused is not tried again until something else is wanted or time has
// passed.
// 3. A service port outside the range is bound only when no other program has it: HAProxy would
// start with all its ports or not at all.
// Threads: one at a time (the engine's lock).
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>

#include "common/base/clock.h"
#include "netfw/haproxy/runtime.h"
#include "netfw/model/balance.h"

namespace netfw {

class Balancer {
 public:
  struct Options {
    LbSkeleton skeleton;
    std::filesystem::path master_socket;
    std::filesystem::path binary;
  };
  struct Outcome {
    std::size_t steps = 0;
    bool busy = false;  // a member could not be deleted yet
    bool reloaded = false;
    std::optional<base::Error> error = {};
  };

  explicit Balancer(Options options);

  // Makes the files on disk fit before HAProxy starts for the first time.
  base::Result<void> prepare(const LbDesired& desired, base::Instant now);
  // Carries out what is missing; without a session it only remembers what is wanted.
  Outcome converge(const LbDesired& desired, base::Instant now);
  base::Result<void> connect();
  void disconnect() { runtime_.disconnect(); }
  // Asks for the pid, which fails when the session is dead. Errors: those of CliSession::ask.
  base::Result<void> check() { return runtime_.check(); }
  base::Result<void> read_back() { return runtime_.read_back(); }
  // HAProxy's copies on disk have been written. The next use_certificates() tells HAProxy.
  void set_certificates(CertificateSet certificates) { certificates_ = std::move(certificates); }
  base::Result<std::size_t> use_certificates() { return runtime_.use_certificates(certificates_); }
  bool is_connected() const { return runtime_.is_connected(); }
  long pid() const { return runtime_.pid(); }
  const LbSeen& seen() const { return runtime_.seen(); }
  // Sessions on an instance's members, over all its pools.
  base::Result<unsigned> sessions(const std::vector<std::pair<PoolName, ServerName>>& members);

  // Whether the files differ from what was last wanted, and the write that mends it. The write does
  // not need the engine's lock.
  bool is_dirty() const { return dirty_; }
  struct Files {
    LbSkeleton skeleton;
    LbState state;
  };
  Files take_files();
  void note_write_failed() { dirty_ = true; }

  // Service ports that another program has.
  const std::set<std::uint16_t>& taken_ports() const { return taken_; }
  const LbSkeleton& skeleton() const { return runtime_.skeleton(); }
  std::uint64_t reloads() const { return reloads_; }

 private:
  LbSkeleton wanted_skeleton(const LbDesired& desired, base::Instant now);
  base::Result<void> grow(const LbDesired& desired, base::Instant now);

  Options options_;
  LbRuntime runtime_;
  LbState wanted_;
  CertificateSet certificates_;
  bool dirty_ = false;
  std::optional<LbSkeleton> refused_;
  base::Instant refused_at_;
  std::uint64_t reloads_ = 0;
  std::set<std::uint16_t> taken_;
  base::Instant taken_at_;
};

}  // namespace netfw

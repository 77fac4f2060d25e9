// SPDX-License-Identifier: Apache-2.0
// A process that puts the old policy back unless it is told in time that the new one is good.
//
// Used by the engine while a policy is on trial. It is another process so that it also works when
// the daemon hangs or dies: the trial's end by time, by a lost connection, or by the daemon's death
// is the same to it.
// 1. arm() returns when the guardian holds the old policy and waits. Before that nothing is
// changed.
// 2. It restores the policy's rules and sets only; what follows the instances stays.
// Threads: one at a time.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>

#include "common/base/result.h"
#include "common/sys/handle.h"
#include "netfw/api/wire.h"
#include "netfw/daemon/firewalls.h"

namespace netfw {

inline constexpr char kGuardianFlag[] = "--guardian";

class Guardian {
 public:
  // `program` is started with kGuardianFlag and must call guardian_main().
  // Errors: failed_precondition guardian_not_armed.
  static base::Result<Guardian> arm(const std::filesystem::path& program, const Policy& old,
                                    std::chrono::seconds deadline, const FirewallOptions& firewall);
  Guardian(Guardian&& other) noexcept;
  Guardian& operator=(Guardian&& other) noexcept;
  ~Guardian();

  // Ends the guardian without a restore. Errors: failed_precondition guardian_gone when it was not
  // waiting any more.
  base::Result<void> release();
  // Readable when the guardian has restored or died.
  int fd() const { return socket_.get(); }

 private:
  Guardian(sys::Fd socket, pid_t pid) : socket_(std::move(socket)), pid_(pid) {}
  void reap();
  sys::Fd socket_;
  pid_t pid_ = -1;
};

// The guardian's own main; returns its exit status.
int guardian_main();

}  // namespace netfw

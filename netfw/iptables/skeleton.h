// SPDX-License-Identifier: Apache-2.0
// The fixed rules, handed to the helper gestalt-netfw-iptc, which alone links libiptc.
//
// Used by the iptables backend. The helper is started at the first call and again when it died.
// Threads: one at a time.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <string>

#include "common/base/result.h"
#include "common/sys/handle.h"
#include "netfw/iptables/message.h"
#include "netfw/model/firewall.h"

namespace netfw {

// The kernel's name for a set; port sets serve both families.
std::string kernel_set_name(SetId id, Family family);

class Skeleton {
 public:
  struct Options {
    std::filesystem::path helper;
    std::filesystem::path lock_file = "/run/xtables.lock";
  };
  explicit Skeleton(Options options) : options_(std::move(options)) {}
  ~Skeleton();
  Skeleton(const Skeleton&) = delete;
  Skeleton& operator=(const Skeleton&) = delete;

  struct Outcome {
    bool changed = false;
    std::size_t foreign_rules = 0;
  };
  // Errors: timed_out firewall_lock_held; conflict firewall_foreign_changed; unsupported
  // firewall_unsupported; timed_out firewall_helper_silent; os errors.
  base::Result<Outcome> run(iptc::Operation operation, Family family,
                            const std::vector<Rule>& rules, std::chrono::milliseconds deadline);

 private:
  base::Result<void> start();
  void stop();
  base::Result<iptc::Reply> exchange(const iptc::Request& request,
                                     std::chrono::milliseconds deadline);

  Options options_;
  sys::Fd socket_;
  pid_t pid_ = -1;
};

}  // namespace netfw

// SPDX-License-Identifier: Apache-2.0
// The workload of the crash tests: transactions 1, 2, 3 … whose complete effect follows from the
// number of the last one, so that a look afterwards shows whether any was lost, torn or half done.
//
// 1. Transaction n adds entry n with a payload made from n, removes entry n - kKept and sets the
// last number.
// Threads: one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/base/result.h"

namespace contract {

class NumberedLog {
 public:
  static constexpr std::uint64_t kKept = 40;
  virtual ~NumberedLog() = default;
  virtual base::Result<void> append(std::uint64_t number) = 0;
  // The number of the last transaction, after everything was read and found as it must be.
  // Errors: corrupt log_damaged; those of the engine.
  virtual base::Result<std::uint64_t> verify() = 0;
};

// What verify() has found.
base::Error log_damaged(const std::string& detail);

// `kind` is "store", "coordination", "journal" or "chunks"; `name` lets several logs share a
// coordination tree.
base::Result<std::unique_ptr<NumberedLog>> open_log(const std::string& kind,
                                                    const std::string& folder,
                                                    const std::string& name = "log");

}  // namespace contract

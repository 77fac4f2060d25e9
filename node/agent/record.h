// SPDX-License-Identifier: Apache-2.0
// What the agent remembers of one instance across its own restarts.
//
// Written to the ledger before each side effect, so that after a kill -9 the agent finds every
// unit, folder and uid range that it may have made. Threads: plain values; the spec is shared and
// never changes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "node/api/run_spec.h"
#include "node/api/status.h"

namespace node::agent {

// Each container's user namespace gets 65,536 ids of its own.
inline constexpr std::uint32_t kUidsPerInstance = 65536;
inline constexpr std::uint32_t kUidFirst = 0x10000000;
inline constexpr std::uint32_t kUidRanges = 8192;

struct Record {
  api::InstanceStatus status;
  std::string spec_digest;
  std::shared_ptr<const api::RunSpec> spec;
  std::uint32_t uid_first = 0;  // 0: none
  std::string image_digest;     // empty until the image is known; pins it against collection
  std::string boot_id;          // the boot in which the unit was started
  bool stop_requested = false;  // an end from now on is `killed`
  bool cleaned = false;         // unit and folders are gone
  std::string unit() const { return api::unit_name(status.id, status.epoch); }
};

std::string encode(const Record& record);
// Errors: corrupt record_invalid.
base::Result<Record> decode_record(std::string_view text);

}  // namespace node::agent

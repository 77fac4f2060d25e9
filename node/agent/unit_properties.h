// SPDX-License-Identifier: Apache-2.0
// The transient systemd unit of an instance.
//
// 1. RemainAfterExit and the default CollectMode keep a unit that ended until the agent has read
//    how: also an end that happened while the agent was away.
// 2. systemd never restarts an instance: masterd decides.
// Threads: pure functions.
// Source: systemd.service(5), systemd.exec(5), systemd.resource-control(5), systemd >= 239.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/sys/bus.h"
#include "node/agent/environment.h"
#include "node/agent/record.h"

namespace node::agent {

struct UnitInput {
  const Record& record;
  std::string folder;      // of the instance: bundle, layer, sandbox
  std::string run_folder;  // of the instance: runtime state, pid file
  std::string tree;        // the image's, empty for a process
  int stop_signal = 15;
  std::int64_t pids_default = 4096;
  std::string oci_start;
  std::string crun;
  std::vector<std::string> network = {};  // options of the helper for bridge networking
  std::string disk = {};  // file system for the container's changes, empty without a disk limit
};

std::vector<sys::UnitProperty> container_properties(const UnitInput& input);
// Errors: unsupported volume_unsupported: a process sees the node's own files, so a volume must
// have the same path on both sides.
base::Result<std::vector<sys::UnitProperty>> process_properties(const UnitInput& input,
                                                                const Environment& environment);
std::string pid_file(const UnitInput& input);
// The limits alone, as they can be set on a unit that runs; what has none says so.
std::vector<sys::UnitProperty> limit_properties(const api::RunSpec& spec,
                                                std::int64_t pids_default);

// The CPU limit as systemd wants it: microseconds per second.
std::uint64_t cpu_quota_us(double cpus);
std::int64_t pids_max_of(const api::RunSpec& spec, std::int64_t pids_default);

}  // namespace node::agent

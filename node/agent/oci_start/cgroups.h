// SPDX-License-Identifier: Apache-2.0
// Control groups from within: joining those of another process, and the CPU limit of our own.
// Source: cgroups(7), Documentation/scheduler/sched-bwc.rst, cgroup-v2.rst.
#pragma once

namespace oci_start {

// Into every control group of process `pid`. False after one line on stderr.
bool join_cgroups_of(const char* pid);

// The CPU limit of our own group is for the container, not for the work of making it: a start of
// ten milliseconds would take a second at a limit of 0.01.
struct CpuLimit {
  char file[4608] = {};  // empty: there is none
  char text[64] = {};
};
CpuLimit lift_cpu_limit();
// Requires: before the container's program runs. False when the limit could not be set again.
bool restore_cpu_limit(const CpuLimit& limit);

}  // namespace oci_start

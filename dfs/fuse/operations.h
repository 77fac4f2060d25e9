// SPDX-License-Identifier: Apache-2.0
// The kernel's requests, one row each, and their translation to the client's calls.
//
// Source: fuse_lowlevel.h of libfuse 3.14, linux/fuse.h.
// Threads: the loop's.
#pragma once

#include "dfs/fuse/mount.h"

struct fuse_lowlevel_ops;

namespace dfs::fuse {

// The table; lives for the whole process.
const fuse_lowlevel_ops& operations();

// What the kernel is told for an error: os_errno when it is set, else by the code.
int to_errno(const base::Error& error);

}  // namespace dfs::fuse

// SPDX-License-Identifier: Apache-2.0
// base::Disk on a folder of a real file system.
//
// 1. Paths are resolved by the kernel and cannot leave the folder, also not through symbolic links.
// Threads: any; a file's calls one at a time. Source: openat2(2), fallocate(2), preadv2(2),
// Linux 5.6.
#pragma once

#include <filesystem>
#include <memory>

#include "common/base/disk.h"

namespace sys {

// `root` must exist.
base::Result<std::unique_ptr<base::Disk>> open_posix_disk(const std::filesystem::path& root);

}  // namespace sys

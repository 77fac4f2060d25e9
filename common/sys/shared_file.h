// SPDX-License-Identifier: Apache-2.0
// Files and folders that databases live in, and that processes of several users share from their
// first moment on.
//
// 1. A file gets its name only when it is filled and has its mode: nobody ever meets one that is
// half-made or closed to them, and a power cut leaves none.
// Threads: any; processes too.
#pragma once

#include <filesystem>
#include <string>

#include "common/base/result.h"

namespace sys {

// Creates `path` with exactly `mode`, whatever the umask, unless it exists. `fill` gets the path of
// a temporary file and may write to it; null leaves it empty. Errors: those of `fill`, os errors.
base::Result<void> make_shared_file(const std::filesystem::path& path, unsigned mode,
                                    base::Result<void> (*fill)(const std::string& temporary));
// Creates the folder `path`, unless it exists, in a way that a power cut does not undo. Its parent
// must exist. Errors: os errors.
base::Result<void> make_synced_folder(const std::filesystem::path& path, unsigned mode);
// Syncs a file or folder by its path.
base::Result<void> sync_path(const std::filesystem::path& path);

}  // namespace sys

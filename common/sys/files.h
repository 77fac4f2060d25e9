// SPDX-License-Identifier: Apache-2.0
// Files that must be whole after a crash, folders, locks.
#pragma once

#include <filesystem>
#include <string_view>

#include "common/base/config.h"
#include "common/base/result.h"
#include "common/sys/handle.h"

namespace sys {

// Writes a temporary file beside `path`, syncs it, renames it over `path` and syncs the folder: a
// reader sees the old or the new content, also after a power cut. `mode` is exact, the umask does
// not count.
base::Result<void> write_file_durably(const std::filesystem::path& path, std::string_view content,
                                      unsigned mode = 0644);
// Creates the folder and its parents; an existing folder gets `mode` when it is ours.
base::Result<void> make_folder(const std::filesystem::path& path, unsigned mode = 0755);
// Opens (and creates) `path` and takes an exclusive flock without waiting.
// Errors: failed_precondition already_locked.
base::Result<Fd> lock_file(const std::filesystem::path& path);
base::Result<void> remove_tree(const std::filesystem::path& path);

}  // namespace sys

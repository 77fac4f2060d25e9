// SPDX-License-Identifier: Apache-2.0
// Opens files below a folder that somebody else writes to, without being led out of it.
// Threads: any.
// Source: openat2(2), Linux >= 5.6.
#pragma once

#include <filesystem>
#include <string>

#include "common/base/result.h"
#include "common/sys/handle.h"

namespace node::agent {

enum class Inside {
  beneath,  // a link that leads out is refused
  in_root,  // links are followed as a process with this root folder would
};

// `relative` may be empty for the folder itself. `flags` as for open(2), O_CLOEXEC is added.
// Errors: os errors; permission_denied path_escapes.
base::Result<sys::Fd> open_inside(const std::filesystem::path& folder, const std::string& relative,
                                  int flags, Inside inside);
// A small file's text. Errors: those of open_inside; too_large file_too_large.
base::Result<std::string> read_inside(const std::filesystem::path& folder,
                                      const std::string& relative, std::size_t bytes_max,
                                      Inside inside);

}  // namespace node::agent

// SPDX-License-Identifier: Apache-2.0
// Configuration files: /etc/gestalt/NAME.json, then NAME.d/*.json merged over it (RFC 7396) in
// order of name.
#pragma once

#include <filesystem>

#include "common/base/json.h"

namespace base {

// The merged document; an empty object when neither the file nor the folder exists. `//` comments
// are allowed. Errors: those of parse_json with the file's path in front; os errors when a file
// cannot be read.
Result<Json> load_config(const std::filesystem::path& file);

// Whole file, at most `bytes_max`. Errors: os errors; too_large file_too_large.
Result<std::string> read_file(const std::filesystem::path& file, std::size_t bytes_max = 16 << 20);

}  // namespace base

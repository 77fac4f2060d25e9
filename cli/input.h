// SPDX-License-Identifier: Apache-2.0
// What a command is given to read: a file, or standard input where its name is `-`.
//
// Errors: os errors; too_large file_too_large beyond kInputBytesMax; those of parse_json.
#pragma once

#include <string>

#include "common/base/json.h"
#include "common/base/result.h"

namespace cli {

inline constexpr std::size_t kInputBytesMax = 1 << 20;

base::Result<std::string> read_input(const std::string& file);
// With comments, as people write them.
base::Result<base::Json> read_json_input(const std::string& file);

}  // namespace cli

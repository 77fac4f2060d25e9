// SPDX-License-Identifier: Apache-2.0
// Paths of the coordination tree: what is valid, parents and names. Shared by all engines.
//
// Threads: any.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace coordination {

// Errors: invalid_argument path_invalid.
base::Result<void> check_path(std::string_view path);
// "/a" of "/a/b", "/" of "/a". Requires: a valid path other than "/".
std::string_view parent_of(std::string_view path);
// "b" of "/a/b". Requires: a valid path other than "/".
std::string_view name_of(std::string_view path);
// `path` with the ten digits that a sequential node's name ends in.
std::string with_sequence(std::string_view path, std::uint64_t sequence);

}  // namespace coordination

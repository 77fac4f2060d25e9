// SPDX-License-Identifier: Apache-2.0
// How large a file may be: what ext4 holds with blocks of 4 KiB, since a storage server keeps an
// object in one file. types.h has what the protocol could say.
//
// Used by the client and metadata. Threads: stateless.
#pragma once

#include "dfs/api/types.h"

namespace dfs {

inline constexpr std::uint64_t kObjectMax = (std::uint64_t{1} << 44) - kBlockBytes;
static_assert(kObjectMax < kFileMax);

}  // namespace dfs

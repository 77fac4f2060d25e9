// SPDX-License-Identifier: Apache-2.0
// The storage servers' index as a log of commits on any base::Disk: LMDB needs a real one.
//
// Threads: the world's.
#pragma once

#include <map>
#include <memory>

#include "common/base/disk.h"
#include "dfs/storage/block_index.h"

namespace dfs::testing {

// Errors: os errors. Requires: the disk outlives it.
base::Result<std::unique_ptr<storage::BlockIndex>> open_log_index(base::Disk& disk);

}  // namespace dfs::testing

// SPDX-License-Identifier: Apache-2.0
// The numbered log on a storage device as the daemon has it: journal, group of one, objects.
//
// Threads: one; the journal and the checkpoints have their own.
#pragma once

#include "tests/contract/numbered_log.h"

namespace contract {

base::Result<std::unique_ptr<NumberedLog>> open_chunk_log(const std::string& folder);
// As StoreLog's: from a few bytes to several blocks.
std::string payload_of(std::uint64_t number);

}  // namespace contract

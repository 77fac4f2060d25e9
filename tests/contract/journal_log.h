// SPDX-License-Identifier: Apache-2.0
// The numbered log of the crash tests on the journal of the replica groups.
//
// Threads: one.
#pragma once

#include "tests/contract/numbered_log.h"

namespace contract {

base::Result<std::unique_ptr<NumberedLog>> open_journal_log(const std::string& folder);

}  // namespace contract

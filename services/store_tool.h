// SPDX-License-Identifier: Apache-2.0
// `gestalt-services store …`: copies of the store for operators, beside the running service where
// that is possible.
//
// Used by main.cc. Threads: its own process. docs/howto/back-up-the-services.md says how it is
// used.
#pragma once

#include <string>
#include <vector>

namespace services {

// `arguments` behind the word "store". The exit status: 0, 1 when it failed and said why on
// standard error, 2 when it was asked wrongly.
int run_store_tool(const std::vector<std::string>& arguments);

}  // namespace services

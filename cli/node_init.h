// SPDX-License-Identifier: Apache-2.0
// First boot of a node: its folders, its identity and its first token. Called by `gestalt node
// init`, which runs as root before the daemons start, on every boot.
//
// 1. Nothing that exists is replaced; owners and modes are put right each time.
// 2. tokens.json exists only after admin.token is whole, so a crash in between starts over instead
// of leaving a node whose one token nobody knows.
// 3. An operator who deletes admin.token (the hash in tokens.json stays) does not get it back.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace cli {

struct NodeInitOptions {
  std::filesystem::path state = "/var/lib/gestalt";
  std::string group = "gestalt";
};

struct NodeInitOutcome {
  std::string node_id;
  std::vector<std::string> made;  // paths that did not exist before, in order
};

// Errors: failed_precondition group_missing, already_locked; os errors; corrupt node_id_invalid.
base::Result<NodeInitOutcome> init_node(const NodeInitOptions& options, base::Rng& rng);

}  // namespace cli

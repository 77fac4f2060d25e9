// SPDX-License-Identifier: Apache-2.0
// `gestalt dfs …` on the command line.
#pragma once

#include "cli/choice.h"

namespace CLI {
class App;
}

namespace cli {

// Requires: `choice` outlives the app.
void add_dfs_commands(CLI::App& app, Choice& choice);

}  // namespace cli

// SPDX-License-Identifier: Apache-2.0
// `gestalt node …`: this machine as a node.
#pragma once

#include <string>
#include <vector>

#include "cli/node_init.h"
#include "cli/session.h"
#include "node/preflight/run.h"

namespace cli {

Status node_init(const Session& session, const NodeInitOptions& options);

struct PreflightOptions {
  std::string role = {};  // empty: as the node is configured
  std::vector<std::string> peers = {};
  std::vector<std::string> only = {};
  std::vector<std::string> waivers = {};  // "id=reason"
  std::string sysroot = "/";
  std::string data_device = {};
  bool strict = false;
  bool list = false;
};

// Errors: invalid_argument option_invalid.
base::Result<node::preflight::Options> read_preflight_options(const PreflightOptions& options);
// The report as a table, what is wrong last, with the fix under each line that has one.
std::string render_report(const node::preflight::Report& report, const Style& style);
// Exit status 0, 1, 3 (warnings under --strict), 2 (wrong option) or 4 (could not run).
int node_preflight(const Session& session, const PreflightOptions& options);

}  // namespace cli

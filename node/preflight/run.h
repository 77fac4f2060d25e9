// SPDX-License-Identifier: Apache-2.0
// Runs the checks: the one entry to this module. Used by `gestalt node preflight`.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "node/preflight/checks.h"
#include "node/preflight/finding.h"

namespace node::preflight {

struct Options {
  std::optional<Role> role = Role::infra;           // nullopt: as the node is configured
  std::vector<std::string> only = {};               // ids; empty means all
  std::map<std::string, std::string> waivers = {};  // id to reason
  std::filesystem::path sysroot = "/";
  std::string data_device = {};
  std::vector<std::string> peers = {};
};

// Errors: invalid_argument check_unknown for an id in `only` or `waivers` that does not exist;
// not_found sysroot_missing.
base::Result<Report> run_checks(const Options& options);
// As above with the probes given, for tests.
base::Result<Report> run_checks(const Options& options, Probes& probes);

}  // namespace node::preflight

// SPDX-License-Identifier: Apache-2.0
// The environment of an instance: what Marathon and Mesos promise, below what the spec says.
// Threads: pure functions.
// Source: Marathon 1.11 docs/docs/task-environment-vars.md.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "node/agent/record.h"

namespace node::agent {

using Environment = std::map<std::string, std::string>;

// `sandbox` as the instance sees it. `base` (an image's own variables, "NAME=value") is the lowest
// layer, the spec's environment the highest.
Environment make_environment(const Record& record, const std::string& sandbox,
                             const std::vector<std::string>& base);
std::vector<std::string> to_lines(const Environment& environment);

}  // namespace node::agent

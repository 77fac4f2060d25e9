// SPDX-License-Identifier: Apache-2.0
// From the options of `gestalt app run` to an application in Marathon's JSON. Pure.
//
// 1. A file comes first; options given beside it win over its fields.
// 2. What is not given is left to masterd's defaults.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"

namespace cli {

struct AppOptions {
  std::string file = {};  // "-" is standard input
  std::string id = {};
  std::string image = {};
  std::string command = {};
  std::optional<std::int64_t> instances = {};
  std::optional<double> cpus = {};
  std::string memory = {};                    // "64", "64m", "1.5g": MiB without a suffix
  std::vector<std::string> ports = {};        // "10001", "http=10001"; 0 is any
  std::vector<std::string> hosts = {};        // virtual hosts of the first port
  std::vector<std::string> env = {};          // "KEY=VALUE"
  std::vector<std::string> labels = {};       // "KEY=VALUE"
  std::vector<std::string> volumes = {};      // "/host:/path[:ro]", "512m:/path" (persistent)
  std::vector<std::string> constraints = {};  // "hostname:UNIQUE", "zone:LIKE:core"
  std::string health_path = {};
  bool init = false;       // of a container: the node's init in front of the program
  bool read_only = false;  // of a container: its root file system
};

// "64" and "64m" are 64 MiB, "1.5g" is 1536. Errors: invalid_argument option_invalid.
base::Result<double> parse_mebibytes(std::string_view text);

// `document` is the file's JSON, an object, or null. Errors: invalid_argument option_invalid.
base::Result<base::Json> make_app(base::Json document, const AppOptions& options);

}  // namespace cli

// SPDX-License-Identifier: Apache-2.0
// YAML as manifests use it, read into JSON values. The only file that uses libyaml.
//
// The subset: documents of maps with text keys, lists and scalars (YAML 1.2 core schema: null,
// booleans, numbers, text). Anchors, aliases and tags are refused: they make a small file a large
// value, or a value of a type that JSON has not.
// Errors: invalid_argument yaml_invalid, with line and column.
#pragma once

#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"

namespace cli {

struct YamlLimits {
  std::size_t bytes_max = 1 << 20;
  std::size_t depth_max = 32;
  std::size_t values_max = 100'000;
};

// One value for each document of the text.
base::Result<std::vector<base::Json>> parse_yaml(std::string_view text, YamlLimits limits = {});

}  // namespace cli

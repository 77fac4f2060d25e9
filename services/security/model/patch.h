// SPDX-License-Identifier: Apache-2.0
// PATCH as security takes it: RFC 6902 with add, remove and replace, or the older object of fields.
//
// Used by the routes for accounts, groups, directories, account stores and rights.
// 1. move, copy and test are refused, as in the original; so are paths that the resource does not
// list, before anything is changed.
// Threads: any (pure). Errors: invalid_argument patch_invalid.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"

namespace security {

inline constexpr std::size_t kPatchMax = 200;

enum class PatchVerb { add, remove, replace };
struct PatchOp {
  PatchVerb verb = PatchVerb::add;
  std::string path;  // "/email"
  std::string text;  // the value as JSON text; empty when there is none
  // The value as a string. Errors: patch_invalid.
  base::Result<std::string> string_value() const;
  base::Result<bool> bool_value() const;
};

// `paths` are the paths that exist; a path of them that ends with "/*" allows what begins so.
base::Result<std::vector<PatchOp>> parse_patch(const base::Json& body,
                                               std::span<const std::string_view> paths);

}  // namespace security

// SPDX-License-Identifier: Apache-2.0
// JSON Patch (RFC 6902) as meta takes it: add, remove, replace and test; and the patch between two
// documents.
//
// Used by the PATCH routes, history and diff. Pure.
// 1. A patch is applied whole or not at all.
// 2. `move` and `copy` are refused, as the original does.
// Errors: invalid_argument patch_invalid with the pointer into the patch; invalid_argument
// patch_path_absent; failed_precondition patch_test_failed.
// Source: RFC 6902, RFC 6901.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"

namespace services::meta {

struct PatchOperation {
  enum class Kind { add, remove, replace, test };
  Kind kind = Kind::add;
  std::vector<std::string> path;  // unescaped reference tokens; empty: the whole document
  std::string pointer;            // as it was sent
  base::Json value;               // of add, replace and test
};

inline constexpr std::size_t kPatchOperationsMax = 1000;
inline constexpr std::size_t kPatchPointerMax = 1024;
inline constexpr std::size_t kPatchDepthMax = 32;

// Splits a JSON pointer into unescaped tokens; nothing when it is not one.
base::Result<std::vector<std::string>> read_pointer(std::string_view pointer);

base::Result<std::vector<PatchOperation>> read_patch(const base::Json& body);

base::Result<base::Json> apply_patch(base::Json document,
                                     const std::vector<PatchOperation>& operations);

// The patch that makes `to` of `from`: an array of add, remove and replace.
base::Json patch_between(const base::Json& from, const base::Json& to);

}  // namespace services::meta

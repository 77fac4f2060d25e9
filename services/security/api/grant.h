// SPDX-License-Identifier: Apache-2.0
// What a granted right covers: names of segments "a:b:c" with wildcards on either side.
//
// Used by the rights checks of services/security, by services/event for channels and by the SDK.
// 1. `*` stands for exactly one segment, `**` for any number and only as the last one.
// 2. Matching is symmetric: a wildcard in the question counts as one in the grant does.
// Threads: any (pure).
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace security {

struct Grant {
  std::string name;
  std::optional<std::string> value;
};

// The right that covers every right of an organisation.
inline constexpr std::string_view kSuperuser = "**";

// Errors: invalid_argument grant_invalid: empty, or `**` not last.
base::Result<void> check_grant_name(std::string_view name);
// Whether two names cover each other. Errors: those of check_grant_name.
base::Result<bool> matches_grant(std::string_view grant, std::string_view test);

// One of the grants is called `name`, whatever its value.
bool has_grant(std::span<const Grant> grants, std::string_view name);
// One of the grants matches `test`; grants whose name is malformed match nothing.
bool has_matching_grant(std::span<const Grant> grants, std::string_view test);
bool has_value(std::span<const Grant> grants, std::string_view name, std::string_view value);
bool matches_value(std::span<const Grant> grants, std::string_view name, std::string_view value,
                   const std::function<bool(std::string_view, std::string_view)>& equal);
// The framework's own check: a grant called `right` or `**`, without a value.
bool covers_right(std::span<const Grant> grants, std::string_view right);

}  // namespace security

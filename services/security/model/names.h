// SPDX-License-Identifier: Apache-2.0
// The names security takes in: organisations and their dotted paths, accounts, e-mail, phone.
//
// Used by services/security and by what routes by organisation.
// Threads: any (pure). Errors: invalid_argument name_invalid, email_invalid, phone_invalid.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace security {

inline constexpr std::size_t kNameMax = 200;
inline constexpr std::size_t kFqonMax = 240;  // a key of an index has at most 255 bytes
inline constexpr std::string_view kRootFqon = "root";

// Lower-case letters and digits, words joined by single hyphens.
base::Result<void> check_org_name(std::string_view name);
bool is_fqon(std::string_view text);
// The path of a new organisation: children of the root carry their name alone.
base::Result<std::string> make_fqon(std::string_view parent_fqon, std::string_view name);
// `ancestor` is `fqon` itself or above it. The root is above all.
bool is_within(std::string_view fqon, std::string_view ancestor);

// Printable UTF-8 without control characters, blanks at the ends, '*' or '/'.
base::Result<void> check_username(std::string_view name);
// As check_username, but blanks and '/' inside are fine: groups, directories, apps.
base::Result<void> check_display_name(std::string_view name, std::string_view what);
base::Result<void> check_email(std::string_view email);
// E.164, after "- ()." were taken out: ^\+\d{10,15}$. The original's rule.
base::Result<std::string> canonical_phone(std::string_view phone);

// `*` in the pattern stands for any text; nothing else is special.
bool matches_wildcard(std::string_view pattern, std::string_view text);

}  // namespace security

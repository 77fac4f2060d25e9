// SPDX-License-Identifier: Apache-2.0
// Text: splitting, encodings, numbers with bounds, UTF-8.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace base {

// The pieces between separators; "a//b" gives "a", "", "b", and "" gives one empty piece. The views
// live as long as `text`.
std::vector<std::string_view> split(std::string_view text, char separator);
std::string join(const std::vector<std::string>& pieces, std::string_view separator);
// Without spaces, tabs, CR and LF at both ends.
std::string_view trim(std::string_view text);
std::string lower(std::string_view text);  // ASCII only

// Whole `text` as a decimal number within [min, max]: no sign except '-', no spaces, no suffix.
// Errors: invalid_argument number_invalid.
Result<std::int64_t> parse_int(std::string_view text, std::int64_t min, std::int64_t max);

std::string to_hex(std::string_view bytes);  // lower case
Result<std::string> from_hex(std::string_view hex);
// RFC 4648 section 5 without padding.
std::string to_base64url(std::string_view bytes);
// RFC 4648 section 4 or 5, with or without padding. Errors: invalid_argument base64_invalid.
Result<std::string> from_base64(std::string_view text);

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view bytes);

// Percent-decodes once (RFC 3986 section 2.1); '+' stays '+'. Errors: invalid_argument
// escape_invalid.
Result<std::string> percent_decode(std::string_view text);
std::string percent_encode(std::string_view text);  // all but unreserved characters

}  // namespace base

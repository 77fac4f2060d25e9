// SPDX-License-Identifier: Apache-2.0
// Base64 as mail and HTTP have it; the form for URLs, and reading either, is in text.h.
//
// Threads: any. Source: RFC 4648 section 4.
#pragma once

#include <string>
#include <string_view>

namespace base {

std::string to_base64(std::string_view bytes);  // with padding

}  // namespace base

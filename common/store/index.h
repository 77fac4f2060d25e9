// SPDX-License-Identifier: Apache-2.0
// Terms and keys of secondary indexes.
//
// Threads: any.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "common/store/store.h"

namespace store {

// A record can be found by at most this many terms of one index.
inline constexpr std::size_t kTermsMax = 1000;

// Errors: invalid_argument term_invalid.
base::Result<void> check_term(std::string_view term);
// The terms of a record, each once. Errors: invalid_argument term_invalid, too_many_terms.
base::Result<std::set<std::string>> terms_of(const Index& index, std::string_view key,
                                             std::string_view value);
std::string index_key(std::string_view term, std::string_view key);

}  // namespace store

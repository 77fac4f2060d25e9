// SPDX-License-Identifier: Apache-2.0
// All records of a range or of an index term, read a page at a time.
//
// Used by whoever goes through more than fits in memory. `visit` may change the store through the
// same transaction; whether it then meets what it added itself is not said. The first error of
// `visit` ends it and is returned.
// Threads: those of the reader. Errors: those of the reader and of `visit`.
#pragma once

#include <functional>
#include <string_view>

#include "common/base/result.h"
#include "common/store/store.h"

namespace store {

using Visit = std::function<base::Result<void>(Record&)>;

// In order of key; `prefix` empty: all.
base::Result<void> visit(Reader& reader, std::string_view collection, std::string_view prefix,
                         const Visit& visit);
base::Result<void> visit_by(Reader& reader, std::string_view collection, std::string_view index,
                            std::string_view term, const Visit& visit);

}  // namespace store

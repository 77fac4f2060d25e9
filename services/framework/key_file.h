// SPDX-License-Identifier: Apache-2.0
// A key of 32 bytes in a file of its own (hex, 0600), made when it is missing: what the store's
// sealed records are opened with, so that the store and its backups alone tell nothing.
//
// Used by the framework for kept replies and by security.
// Errors: corrupt seal_key_invalid; os errors. Threads: any, one at a time for each file.
#pragma once

#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/secret.h"

namespace services {

inline constexpr std::size_t kKeyBytes = 32;

base::Result<base::Secret> load_or_make_key(const std::string& path, base::Rng& rng);

}  // namespace services

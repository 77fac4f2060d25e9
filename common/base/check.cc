// SPDX-License-Identifier: Apache-2.0
#include "common/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace base {

void check_failed(const char* condition, const char* file, int line) noexcept {
  // stderr reaches the journal; abort leaves a core and lets systemd start us again.
  std::fprintf(stderr, "<2>check failed: %s at %s:%d\n", condition, file, line);
  std::abort();
}

}  // namespace base

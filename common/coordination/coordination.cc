// SPDX-License-Identifier: Apache-2.0
#include "common/coordination/coordination.h"

#include "common/coordination/path.h"

namespace coordination {

base::Result<void> ensure_path(Coordination& coordination, const std::string& path) {
  TRY(check_path(path));
  if (path == "/") return {};
  std::size_t end = 0;
  while (end != std::string::npos) {
    end = path.find('/', end + 1);
    const std::string prefix = path.substr(0, end);
    const std::optional<Value> found = TRY(coordination.find(prefix));
    if (found) continue;
    const base::Result<Outcome> created = coordination.create({.path = prefix, .data = {}});
    // Somebody else may have been faster.
    if (!created && created.error().code != base::Code::already_exists) return created.error();
  }
  return {};
}

}  // namespace coordination

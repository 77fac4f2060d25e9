// SPDX-License-Identifier: Apache-2.0
// Which events of a channel a reader wants.
//
// Used by the routes and by everybody who listens in process. A filter is one of
//   Exact:NAME, StartsWith:PREFIX          by the event's name
//   an expression, for instance
//     name startsWith "task." and (data.n > 3 or not data.resource.type in ["a", "b"])
// Fields: name, id, key, partition, offset, data and its members (data.a.b, data.list[0]).
// Operators: == != < <= > >= contains startsWith endsWith in; and, or, not, parentheses.
// 1. A field that is absent is null. Values of different types are unequal, and neither is smaller.
// 2. Data that is not JSON is a text.
// 3. Limits: 4096 bytes, 256 parts, 32 levels. Evaluation is linear in parts and data.
// Threads: a Filter is never changed; any.
#pragma once

#include <memory>
#include <string_view>

#include "common/base/json.h"
#include "services/event/event.h"

namespace services::event {

class Filter {
 public:
  // Everything.
  Filter();
  // Errors: invalid_argument filter_invalid (with the byte where it went wrong).
  static base::Result<Filter> parse(std::string_view text);
  bool accepts(const StoredEvent& stored) const;

  struct Parts;

 private:
  std::shared_ptr<const Parts> parts_;  // copies of a filter share it; nullptr: everything
};

}  // namespace services::event

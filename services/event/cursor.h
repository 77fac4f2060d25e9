// SPDX-License-Identifier: Apache-2.0
// Where a reader of a channel is: an offset per partition, as a text that clients keep.
//
// Used by service.cc. "0:12,1:5"; partitions that are not named begin at their start.
// Threads: plain values.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "services/event/event.h"

namespace services::event {

using Cursor = std::map<std::uint32_t, Offset>;

std::string format_cursor(const Cursor& cursor);
// Errors: invalid_argument cursor_invalid.
base::Result<Cursor> parse_cursor(std::string_view text);

}  // namespace services::event

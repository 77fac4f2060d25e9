// SPDX-License-Identifier: Apache-2.0
#include "services/event/cursor.h"

#include "common/base/text.h"

namespace services::event {

std::string format_cursor(const Cursor& cursor) {
  std::string text;
  for (const auto& [partition, offset] : cursor) {
    if (!text.empty()) text += ',';
    text += std::to_string(partition) + ':' + std::to_string(offset);
  }
  return text;
}

base::Result<Cursor> parse_cursor(std::string_view text) {
  const base::Error refused{base::Code::invalid_argument,
                            "a place in a channel is beginning, end, a time, an offset, or the "
                            "cursor of an earlier reply",
                            "cursor_invalid"};
  Cursor cursor;
  for (const std::string_view piece : base::split(text, ',')) {
    const std::size_t colon = piece.find(':');
    // A plain offset is one of partition 0.
    const auto partition = colon == std::string_view::npos
                               ? base::Result<std::int64_t>(0)
                               : base::parse_int(piece.substr(0, colon), 0, kPartitionsMax - 1);
    const auto offset = base::parse_int(
        colon == std::string_view::npos ? piece : piece.substr(colon + 1), 0, INT64_MAX);
    if (!partition || !offset) return refused;
    if (!cursor.emplace(*partition, static_cast<Offset>(*offset)).second) return refused;
  }
  return cursor;
}

}  // namespace services::event

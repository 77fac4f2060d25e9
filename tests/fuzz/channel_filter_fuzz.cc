// SPDX-License-Identifier: Apache-2.0
// Filters of events, as clients send them; the data of the event comes behind a newline.
#include "services/event/cursor.h"
#include "services/event/filter.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace services::event;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t line = text.find('\n');
  const auto filter = Filter::parse(text.substr(0, line));
  if (const auto cursor = parse_cursor(text.substr(0, line))) (void)format_cursor(*cursor);
  if (!filter) return 0;
  StoredEvent stored;
  stored.event = {"id", "name", "key", std::string()};
  if (line != std::string_view::npos) stored.event.data = std::string(text.substr(line + 1));
  (void)filter->accepts(stored);
  return 0;
}

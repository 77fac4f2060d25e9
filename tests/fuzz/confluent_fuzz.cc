// SPDX-License-Identifier: Apache-2.0
// Bodies of Confluent's REST proxy, and what becomes of them.
#include <nlohmann/json.hpp>

#include "services/event/event_json.h"
#include "services/event/records.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace services::event;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)record_format(text);
  (void)check_accept(text, Format::json);
  const auto body = base::parse_json(text);
  if (!body) return 0;
  for (const Format format : {Format::json, Format::binary}) {
    const auto records = read_records(*body, format, {}, "id");
    if (!records) continue;
    for (const Chosen& chosen : *records) {
      StoredEvent stored;
      stored.event = chosen.event;
      (void)base::dump_json(show_record("topic", stored, format));
      (void)base::dump_json(show_event(stored));
    }
  }
  (void)read_instance(*body, "id");
  (void)read_places(*body, "offsets", OffsetNeed::required);
  (void)read_event(*body, "", "id");
  return 0;
}

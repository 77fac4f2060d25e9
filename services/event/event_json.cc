// SPDX-License-Identifier: Apache-2.0
#include "services/event/event_json.h"

#include <nlohmann/json.hpp>

#include "common/base/text.h"

namespace services::event {

using base::Json;
using base::Result;

Result<Chosen> read_event(const Json& json, const std::string& pointer,
                          const std::string& fresh_id) {
  Chosen chosen;
  chosen.event.id = fresh_id;
  std::int64_t partition = -1;
  std::string key;
  base::Fields fields(json, pointer);
  fields.optional("uuid", chosen.event.id, {.length_min = 1, .length_max = kEventIdMax});
  fields.required("event_name", chosen.event.name, {.length_min = 1, .length_max = kEventNameMax});
  fields.optional("partition", partition, {.min = 0, .max = kPartitionsMax - 1});
  const bool has_key = fields.find("key") != nullptr;
  fields.optional("key", key, {.length_max = kEventKeyMax});
  if (const Json* data = fields.find("data")) chosen.event.data = base::dump_json(*data);
  TRY(fields.finish(base::UnknownFields::refuse));
  if (has_key) chosen.event.key = std::move(key);
  if (partition >= 0) chosen.partition = static_cast<std::uint32_t>(partition);
  auto checked = check_event(chosen.event);
  if (!checked) {
    base::Error error = checked.error();
    error.pointer = pointer + error.pointer;
    return error;
  }
  return chosen;
}

Json show_event(const StoredEvent& stored) {
  Json json = {{"uuid", stored.event.id},
               {"event_name", stored.event.name},
               {"partition", stored.partition},
               {"offset", stored.offset},
               {"time", base::format_time(stored.time)}};
  if (stored.event.key) json["key"] = *stored.event.key;
  if (!stored.event.data) return json;
  if (auto data = base::parse_json(*stored.event.data, {.bytes_max = kEventDataMax})) {
    json["data"] = *std::move(data);
  } else {
    json["data_base64"] = base::to_base64url(*stored.event.data);
  }
  return json;
}

}  // namespace services::event

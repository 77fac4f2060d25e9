// SPDX-License-Identifier: Apache-2.0
// Bodies of Confluent's REST proxy, version 2, as values and back. Pure.
//
// Used by confluent.cc. Threads: plain functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "services/event/consumers.h"
#include "services/event/engine.h"

namespace services::event {

std::string_view media_type(Format format);
// From the Content-Type of a produce request. Errors: invalid_argument media_type_unknown,
// schema_missing for formats that need a schema registry.
base::Result<Format> record_format(std::string_view content_type);
// Errors: invalid_argument consumer_format_differs.
base::Result<void> check_accept(std::string_view accept, Format format);

// {"records": [{"key"?, "value", "partition"?}]}. Ids are `id_base` and a number. Errors:
// invalid_argument field_invalid and others, with a pointer; too_large event_too_large.
base::Result<std::vector<Chosen>> read_records(const base::Json& body, Format format,
                                               std::optional<std::uint32_t> partition,
                                               const std::string& id_base);
base::Json show_record(const std::string& topic, const StoredEvent& stored, Format format);

// {"name"?, "format"?, "auto.offset.reset"?, "auto.commit.enable"?, …}. Errors: invalid_argument
// consumer_config_invalid.
base::Result<Instance> read_instance(const base::Json& body, const std::string& fresh_id);

enum class OffsetNeed { none, required };
// {LIST: [{"topic", "partition", "offset"}]}. Errors: invalid_argument with a pointer.
base::Result<std::vector<GroupOffset>> read_places(const base::Json& body, const std::string& list,
                                                   OffsetNeed need);

}  // namespace services::event

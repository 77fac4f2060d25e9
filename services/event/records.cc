// SPDX-License-Identifier: Apache-2.0
#include "services/event/records.h"

#include <nlohmann/json.hpp>

#include "common/base/base64.h"
#include "common/base/text.h"

namespace services::event {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::size_t kRecordsMax = 10'000;
constexpr std::size_t kPlacesMax = 1000;
constexpr std::string_view kJson = "application/vnd.kafka.json.v2+json";
constexpr std::string_view kBinary = "application/vnd.kafka.binary.v2+json";

// A member of a record as the bytes that are stored.
Result<std::optional<std::string>> read_bytes(const Json* value, Format format,
                                              const std::string& pointer) {
  if (value == nullptr) return std::optional<std::string>();
  if (format == Format::json) return std::optional(base::dump_json(*value));
  auto bytes = value->is_string()
                   ? base::from_base64(value->get_ref<const std::string&>())
                   : Result<std::string>(Error{Code::invalid_argument, "", "base64_invalid"});
  if (bytes) return std::optional(*std::move(bytes));
  return Error{Code::invalid_argument, "base64 is expected", "field_invalid", 0, pointer};
}

Json show_bytes(const std::optional<std::string>& bytes, Format format) {
  if (!bytes) return nullptr;
  if (format == Format::binary) return base::to_base64(*bytes);
  auto parsed = base::parse_json(*bytes, {.bytes_max = kEventDataMax});
  // Whoever reads a topic as JSON sees what is none as a text.
  return parsed ? *std::move(parsed) : Json(*bytes);
}

Error config_error(const std::string& detail) {
  return {Code::invalid_argument, "Invalid consumer configuration: " + detail,
          "consumer_config_invalid"};
}

}  // namespace

std::string_view media_type(Format format) { return format == Format::json ? kJson : kBinary; }

Result<Format> record_format(std::string_view content_type) {
  const std::string type = base::lower(base::trim(content_type.substr(0, content_type.find(';'))));
  if (type == kJson) return Format::json;
  if (type == kBinary || type == "application/vnd.kafka.v2+json") return Format::binary;
  for (const char* format : {"avro", "jsonschema", "protobuf"})
    if (type == "application/vnd.kafka." + std::string(format) + ".v2+json")
      return Error{Code::invalid_argument,
                   "Request includes keys or values in a format that needs a schema; there is no "
                   "schema registry",
                   "schema_missing"};
  return Error{Code::invalid_argument, "HTTP 415 Unsupported Media Type", "media_type_unknown"};
}

Result<void> check_accept(std::string_view accept, Format format) {
  if (accept.empty()) return {};
  for (const std::string_view piece : base::split(accept, ',')) {
    const std::string type = base::lower(base::trim(piece.substr(0, piece.find(';'))));
    if (type == media_type(format) || type == "*/*" || type == "application/*" ||
        type == "application/json" || type == "application/vnd.kafka.v2+json")
      return {};
  }
  return Error{Code::invalid_argument,
               "The requested embedded data format does not match the deserializer for this "
               "consumer instance",
               "consumer_format_differs"};
}

Result<std::vector<Chosen>> read_records(const Json& body, Format format,
                                         std::optional<std::uint32_t> partition,
                                         const std::string& id_base) {
  base::Fields fields(body);
  const Json* list = fields.find_array("records", kRecordsMax);
  TRY(fields.finish(base::UnknownFields::ignore));
  if (list == nullptr || list->empty())
    return Error{Code::invalid_argument, "at least one record is needed", "field_missing", 0,
                 "/records"};
  std::vector<Chosen> records;
  for (std::size_t i = 0; i < list->size(); ++i) {
    base::Fields record((*list)[i], "/records/" + std::to_string(i));
    std::int64_t its_partition = -1;
    const Json* key = record.find("key");
    const Json* value = record.find("value");
    record.optional("partition", its_partition, {.min = 0, .max = kPartitionsMax - 1});
    TRY(record.finish(base::UnknownFields::refuse));
    Chosen chosen;
    chosen.event.id = id_base + "-" + std::to_string(i);
    chosen.event.key = TRY(read_bytes(key, format, record.pointer_of("key")));
    chosen.event.data = TRY(read_bytes(value, format, record.pointer_of("value")));
    if (its_partition >= 0) chosen.partition = static_cast<std::uint32_t>(its_partition);
    if (partition) chosen.partition = partition;
    TRY(check_event(chosen.event));
    records.push_back(std::move(chosen));
  }
  return records;
}

Json show_record(const std::string& topic, const StoredEvent& stored, Format format) {
  return {{"topic", topic},
          {"key", show_bytes(stored.event.key, format)},
          {"value", show_bytes(stored.event.data, format)},
          {"partition", stored.partition},
          {"offset", stored.offset}};
}

Result<Instance> read_instance(const Json& body, const std::string& fresh_id) {
  Instance instance;
  instance.id = fresh_id;
  if (!body.is_null() && !body.is_object()) return config_error("an object is expected");
  std::string format = "binary";
  std::string reset = "latest";
  // Flags come as texts and as JSON.
  std::string commit = "true";
  for (const auto& [name, value] : body.items()) {
    const std::string text = value.is_string() ? value.get<std::string>() : base::dump_json(value);
    if (name == "name") instance.id = text;
    if (name == "format") format = text;
    if (name == "auto.offset.reset") reset = text;
    if (name == "auto.commit.enable") commit = text;
  }
  if (instance.id.empty() || instance.id.size() > 255 || !base::is_utf8(instance.id))
    return config_error("name");
  if (format != "json" && format != "binary")
    return config_error("format is json or binary; others need a schema registry");
  if (reset != "earliest" && reset != "latest") return config_error("auto.offset.reset");
  if (commit != "true" && commit != "false") return config_error("auto.commit.enable");
  instance.format = format == "json" ? Format::json : Format::binary;
  instance.reset = reset == "earliest" ? Reset::earliest : Reset::latest;
  instance.auto_commit = commit == "true";
  return instance;
}

Result<std::vector<GroupOffset>> read_places(const Json& body, const std::string& list,
                                             OffsetNeed need) {
  base::Fields fields(body);
  const Json* all = fields.find_array(list, kPlacesMax);
  TRY(fields.finish(base::UnknownFields::ignore));
  if (all == nullptr)
    return Error{Code::invalid_argument, "a list is needed", "field_missing", 0, "/" + list};
  std::vector<GroupOffset> places;
  for (std::size_t i = 0; i < all->size(); ++i) {
    GroupOffset place;
    std::int64_t partition = 0;
    std::int64_t offset = 0;
    base::Fields one((*all)[i], "/" + list + "/" + std::to_string(i));
    one.required("topic", place.channel, {.length_min = 1, .length_max = kChannelNameMax});
    one.required("partition", partition, {.min = 0, .max = kPartitionsMax - 1});
    if (need == OffsetNeed::required)
      one.required("offset", offset, {.min = 0, .max = INT64_MAX - 1});
    TRY(one.finish(base::UnknownFields::ignore));
    place.partition = static_cast<std::uint32_t>(partition);
    place.offset = static_cast<Offset>(offset);
    places.push_back(std::move(place));
  }
  return places;
}

}  // namespace services::event

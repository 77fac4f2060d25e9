// SPDX-License-Identifier: Apache-2.0
#include "services/event/schemas.h"

#include <iterator>

namespace services::event {

namespace {

#define NAME R"({"type":"string","minLength":1})"
#define COUNT R"({"type":"integer","minimum":0})"

// ---- natively: routes.cc, and show_event() of event_json.cc
constexpr Schema kNative[] = {
    {"EventChannel", R"({"type":"object","required":["name","partitions","retention_bytes",
      "retention_ms"],"additionalProperties":false,"properties":{"name":)" NAME R"(,
      "partitions":{"type":"array","minItems":1,"items":{"type":"object",
      "required":["first","next"],"additionalProperties":false,"properties":{"first":)" COUNT R"(,
      "next":)" COUNT R"(}}},"retention_bytes":)" COUNT R"(,"retention_ms":)" COUNT R"(}})"},
    // One for each event, in the order they came in.
    {"EventPlaced", R"({"type":"object","required":["placed"],"additionalProperties":false,
      "properties":{"placed":{"type":"array","items":{"type":"object",
      "required":["uuid","partition","offset","duplicate"],"additionalProperties":false,
      "properties":{"uuid":)" NAME R"(,"partition":)" COUNT R"(,"offset":)" COUNT R"(,
      "duplicate":{"type":"boolean"}}}}}})"},
    // Data that is no JSON, as Kafka's other producers write it, comes in base64.
    {"Event", R"({"type":"object","required":["uuid","event_name","partition","offset","time"],
      "additionalProperties":false,"properties":{"uuid":{"type":"string"},
      "event_name":{"type":"string"},"partition":)" COUNT R"(,"offset":)" COUNT R"(,
      "time":{"type":"string","format":"date-time"},"key":{"type":"string"},"data":{},
      "data_base64":{"type":"string"}}})"},
    {"EventPage", R"({"type":"object","required":["events","next"],"additionalProperties":false,
      "properties":{"events":{"type":"array","items":{"$ref":"#/components/schemas/Event"}},
      "next":)" NAME R"(}})"},
    // `offset` is null where the group has committed nothing.
    {"EventOffsets", R"({"type":"object","required":["offsets"],"additionalProperties":false,
      "properties":{"offsets":{"type":"array","items":{"type":"object",
      "required":["channel","partition","offset","lag"],"additionalProperties":false,
      "properties":{"channel":)" NAME R"(,"partition":)" COUNT R"(,
      "offset":{"type":["integer","null"],"minimum":0},"lag":)" COUNT R"(}}}}})"},
};

// ---- Confluent's REST proxy, version 2: confluent.cc, and show_record() of records.cc
#define PLACE R"("topic":)" NAME R"(,"partition":)" COUNT
constexpr Schema kConfluent[] = {
    {"KafkaPartition", R"({"type":"object","required":["partition","leader","replicas"],
      "additionalProperties":false,"properties":{"partition":)" COUNT R"(,"leader":)" COUNT R"(,
      "replicas":{"type":"array","minItems":1,"items":{"type":"object",
      "required":["broker","leader","in_sync"],"additionalProperties":false,"properties":{
      "broker":)" COUNT R"(,"leader":{"type":"boolean"},"in_sync":{"type":"boolean"}}}}}})"},
    {"KafkaTopic", R"({"type":"object","required":["name","configs","partitions"],
      "additionalProperties":false,"properties":{"name":)" NAME R"(,"configs":{"type":"object",
      "required":["retention.ms","retention.bytes"],"additionalProperties":false,"properties":{
      "retention.ms":{"type":"string","pattern":"^[0-9]+$"},
      "retention.bytes":{"type":"string","pattern":"^[0-9]+$"}}},"partitions":{"type":"array",
      "minItems":1,"items":{"$ref":"#/components/schemas/KafkaPartition"}}}})"},
    {"KafkaPartitionOffsets", R"({"type":"object","required":["beginning_offset","end_offset"],
      "additionalProperties":false,"properties":{"beginning_offset":)" COUNT R"(,
      "end_offset":)" COUNT R"(}})"},
    {"KafkaProduced", R"({"type":"object","required":["offsets","key_schema_id",
      "value_schema_id"],"additionalProperties":false,"properties":{"offsets":{"type":"array",
      "items":{"type":"object","required":["partition","offset","error_code","error"],
      "additionalProperties":false,"properties":{"partition":)" COUNT R"(,"offset":)" COUNT R"(,
      "error_code":{"type":"null"},"error":{"type":"null"}}}},"key_schema_id":{"type":"null"},
      "value_schema_id":{"type":"null"}}})"},
    {"KafkaInstance", R"({"type":"object","required":["instance_id","base_uri"],
      "additionalProperties":false,"properties":{"instance_id":)" NAME R"(,
      "base_uri":)" NAME R"(}})"},
    {"KafkaSubscription", R"({"type":"object","required":["topics"],"additionalProperties":false,
      "properties":{"topics":{"type":"array","items":)" NAME R"(}}})"},
    {"KafkaAssignment", R"({"type":"object","required":["partitions"],
      "additionalProperties":false,"properties":{"partitions":{"type":"array",
      "items":{"type":"object","required":["topic","partition"],"additionalProperties":false,
      "properties":{)" PLACE R"(}}}}})"},
    {"KafkaCommitted", R"({"type":"object","required":["offsets"],"additionalProperties":false,
      "properties":{"offsets":{"type":"array","items":{"type":"object",
      "required":["topic","partition","offset","metadata"],"additionalProperties":false,
      "properties":{)" PLACE R"(,"offset":)" COUNT R"(,"metadata":{"type":"string"}}}}}})"},
    // Bytes are base64 in the format binary, any JSON in the format json.
    {"KafkaRecord", R"({"type":"object","required":["topic","key","value","partition","offset"],
      "additionalProperties":false,"properties":{)" PLACE R"(,"key":{},"value":{},
      "offset":)" COUNT R"(}})"},
    {"KafkaBrokers", R"({"type":"object","required":["brokers"],"additionalProperties":false,
      "properties":{"brokers":{"type":"array","items":)" COUNT R"(}}})"},
};

}  // namespace

std::vector<Schema> event_schemas() { return {std::begin(kNative), std::end(kNative)}; }
std::vector<Schema> kafka_schemas() { return {std::begin(kConfluent), std::end(kConfluent)}; }

}  // namespace services::event

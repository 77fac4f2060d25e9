// SPDX-License-Identifier: Apache-2.0
// What the good replies of channels look like, natively and in Confluent's dialect: the components
// of the schemas, and what rows say of their replies.
//
// Used by the tables of rows. The functions that render the replies are named in schemas.cc.
// Threads: any; constants.
#pragma once

#include <string_view>
#include <vector>

#include "services/framework/service.h"

namespace services::event {

std::vector<Schema> event_schemas();  // "#/components/schemas/Event…"
std::vector<Schema> kafka_schemas();  // "#/components/schemas/Kafka…"

// For ActionOptions::reply.
namespace reply {
#define REPLY_OF(WHAT) R"({"$ref":"#/components/schemas/)" WHAT R"("})"
inline constexpr std::string_view kChannel = REPLY_OF("EventChannel");
inline constexpr std::string_view kPlaced = REPLY_OF("EventPlaced");
inline constexpr std::string_view kPage = REPLY_OF("EventPage");
inline constexpr std::string_view kOffsets = REPLY_OF("EventOffsets");
inline constexpr std::string_view kTopic = REPLY_OF("KafkaTopic");
inline constexpr std::string_view kPartition = REPLY_OF("KafkaPartition");
inline constexpr std::string_view kPartitions =
    R"({"type":"array","minItems":1,"items":)" REPLY_OF("KafkaPartition") "}";
inline constexpr std::string_view kPartitionOffsets = REPLY_OF("KafkaPartitionOffsets");
inline constexpr std::string_view kProduced = REPLY_OF("KafkaProduced");
inline constexpr std::string_view kInstance = REPLY_OF("KafkaInstance");
inline constexpr std::string_view kSubscription = REPLY_OF("KafkaSubscription");
inline constexpr std::string_view kAssignment = REPLY_OF("KafkaAssignment");
inline constexpr std::string_view kCommitted = REPLY_OF("KafkaCommitted");
inline constexpr std::string_view kRecords =
    R"({"type":"array","items":)" REPLY_OF("KafkaRecord") "}";
inline constexpr std::string_view kBrokers = REPLY_OF("KafkaBrokers");
#undef REPLY_OF
inline constexpr std::string_view kNames = R"({"type":"array","items":{"type":"string"}})";
}  // namespace reply

}  // namespace services::event

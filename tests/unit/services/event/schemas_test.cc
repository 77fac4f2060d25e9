// SPDX-License-Identifier: Apache-2.0
#include "services/event/schemas.h"

#include "tests/support/services/schema_rig.h"

namespace {

using base::Json;

struct EventSchemaRig : public services::test::SchemaRig {
  void setup() override {
    add(services::event::event_schemas(), "Event");
    add(services::event::kafka_schemas(), "Kafka");
  }
};

TEST_GROUP_BASE(EventSchemas, EventSchemaRig){};

TEST(EventSchemas, an_event_has_data_or_bytes_and_nothing_that_is_not_rendered) {
  Json event = {{"uuid", "1"},
                {"event_name", "a.b"},
                {"partition", 0},
                {"offset", 7},
                {"time", "2026-01-31T08:00:00.000Z"}};
  CHECK_TRUE(fits("EventPage", {{"events", {event}}, {"next", "0:8"}}));
  event["data"] = nullptr;
  CHECK_TRUE(fits("EventPage", {{"events", {event}}, {"next", "0:8"}}));
  event["offset"] = -1;
  CHECK_FALSE(fits("EventPage", {{"events", {event}}, {"next", "0:8"}}));
  event["offset"] = 7;
  event["org"] = "acme";
  CHECK_FALSE(fits("EventPage", {{"events", {event}}, {"next", "0:8"}}));
}

TEST(EventSchemas, produced_offsets_have_the_nulls_that_confluents_clients_read) {
  const Json offset = {
      {"partition", 0}, {"offset", 1}, {"error_code", nullptr}, {"error", nullptr}};
  Json reply = {{"offsets", {offset}}, {"key_schema_id", nullptr}, {"value_schema_id", nullptr}};
  CHECK_TRUE(fits("KafkaProduced", reply));
  reply.erase("key_schema_id");
  CHECK_FALSE(fits("KafkaProduced", reply));
}

}  // namespace

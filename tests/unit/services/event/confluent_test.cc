// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/services/event/event_rig.h"

using namespace fixture;

TEST_GROUP_BASE(Confluent, EventRig){};

TEST(Confluent, kafkas_dialect_produces_and_consumes) {
  const auto produced =
      kafka("POST /kafka/topics/orders",
            {{"records", {{{"key", "k"}, {"value", {{"n", 1}}}}, {{"value", 2}}}}});
  LONGS_EQUAL(200, produced.status);
  LONGS_EQUAL(2, Json::parse(produced.body)["offsets"].size());
  const auto made = kafka("POST /kafka/consumers/g",
                          {{"name", "c1"}, {"format", "json"}, {"auto.offset.reset", "earliest"}});
  LONGS_EQUAL(200, made.status);
  LONGS_EQUAL(409, kafka("POST /kafka/consumers/g", {{"name", "c1"}}).status);
  const std::string consumer = "/kafka/consumers/g/instances/c1";
  LONGS_EQUAL(204, kafka("POST " + consumer + "/subscription", {{"topics", {"orders"}}}).status);
  const Json records = Json::parse(kafka("GET " + consumer + "/records?timeout=0").body);
  LONGS_EQUAL(2, records.size());
  LONGS_EQUAL(0, Json::parse(kafka("GET " + consumer + "/records?timeout=0").body).size());
  LONGS_EQUAL(2, Json::parse(kafka("GET " + consumer + "/assignments").body)["partitions"].size());
  auto waiting = kafka("GET " + consumer + "/records?timeout=20000");
  kafka("POST /kafka/topics/orders", {{"records", {{{"value", 3}}}}});
  rig.until([&] { return waiting.stream->is_finished(); });
  LONGS_EQUAL(1, Json::parse(taken(*waiting.stream)).size());
  LONGS_EQUAL(204, kafka("DELETE " + consumer).status);
  LONGS_EQUAL(404, kafka("GET " + consumer + "/records").status);
}

TEST(Confluent, kafkas_dialect_has_its_codes) {
  const auto code = [](const rest::Response& reply) {
    return Json::parse(reply.body)["error_code"].get<int>();
  };
  LONGS_EQUAL(40401, code(kafka("GET /kafka/topics/none")));
  LONGS_EQUAL(40402, code(kafka("GET /kafka/topics/orders/partitions/7")));
  LONGS_EQUAL(40403, code(kafka("GET /kafka/consumers/g/instances/none/records")));
  LONGS_EQUAL(42204, code(kafka("POST /kafka/consumers/g", {{"format", "avro"}})));
  services::test::Sent avro{.as = "alice", .body = R"({"records":[{"value":1}]})"};
  avro.headers["content-type"] = "application/vnd.kafka.avro.v2+json";
  LONGS_EQUAL(42201, code(rig.send("POST /kafka/topics/orders", avro)));
  avro.headers["content-type"] = "text/plain";
  LONGS_EQUAL(41501, code(rig.send("POST /kafka/topics/orders", avro)));
  kafka("POST /kafka/consumers/g", {{"name", "c"}, {"format", "binary"}});
  kafka("POST /kafka/consumers/g/instances/c/subscription", {{"topics", {"orders"}}});
  LONGS_EQUAL(40601, code(kafka("GET /kafka/consumers/g/instances/c/records")));
  LONGS_EQUAL(40903, code(kafka("POST /kafka/consumers/g/instances/c/assignments",
                                {{"partitions", {{{"topic", "orders"}, {"partition", 0}}}}})));
}

TEST(Confluent, a_right_that_was_taken_away_ends_consuming) {
  kafka("POST /kafka/consumers/g", {{"name", "c"}, {"format", "json"}});
  kafka("POST /kafka/consumers/g/instances/c/subscription", {{"topics", {"orders"}}});
  LONGS_EQUAL(200, kafka("GET /kafka/consumers/g/instances/c/records?timeout=0").status);
  rig.security.granted.erase("alice/event:orders:read");
  LONGS_EQUAL(403, kafka("GET /kafka/consumers/g/instances/c/records?timeout=0").status);
}

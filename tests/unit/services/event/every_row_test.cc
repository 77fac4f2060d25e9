// SPDX-License-Identifier: Apache-2.0
// Each row of channels and of Confluent's dialect answers well once; the rig looks at the answers,
// and tries each change first.
#include "tests/unit/services/event/event_rig.h"

using namespace fixture;

namespace {

struct EveryEventRowRig : EventRig {
  Json must(const rest::Response& reply) {
    if (reply.status >= 400) FAIL(reply.body.c_str());
    return Json::parse(reply.body, nullptr, false);
  }
  Json ask(const std::string& line, const Json& body = Json()) {
    return must(
        rig.send(line, {.as = "alice", .body = body.is_null() ? "" : base::dump_json(body)}));
  }
};

}  // namespace

TEST_GROUP_BASE(EventEveryRow, EveryEventRowRig){};

TEST(EventEveryRow, of_channels) {
  ask("POST /event/channels", {{"name", "more"}, {"org_id", services::test::kRootId}});
  for (const char* path : {"/channels", "/channels/orders", "/channels/orders/events"})
    ask("GET /event" + std::string(path));
  ask("POST /event/channels/orders/events", {{"event_name", "n"}});
  ask("POST /event/groups/g/offsets",
      {{"offsets", {{{"channel", "orders"}, {"partition", 0}, {"offset", 1}}}}});
  ask("GET /event/groups/g/offsets?channel=orders");
  ask("DELETE /event/channels/orders");
  STRCMP_EQUAL("", rig.replies().unanswered("event").c_str());
}

TEST(EventEveryRow, of_confluents_dialect) {
  const Json place = {{"topic", "orders"}, {"partition", 0}};
  const Json places = {{"partitions", {place}}};
  const Json records = {{"records", {{{"value", 1}}}}};
  for (const char* path : {"/topics", "/topics/orders", "/topics/orders/partitions", "/brokers",
                           "/topics/orders/partitions/0", "/topics/orders/partitions/0/offsets"})
    must(kafka("GET /kafka" + std::string(path)));
  must(kafka("POST /kafka/topics/orders", records));
  must(kafka("POST /kafka/topics/orders/partitions/0", records));
  for (const char* name : {"one", "two"})
    must(kafka("POST /kafka/consumers/g",
               {{"name", name}, {"format", "json"}, {"auto.offset.reset", "earliest"}}));
  const std::string one = " /kafka/consumers/g/instances/one";
  const std::string two = " /kafka/consumers/g/instances/two";
  must(kafka("POST" + one + "/subscription", {{"topics", {"orders"}}}));
  must(kafka("GET" + one + "/subscription"));
  CHECK_FALSE(must(kafka("GET" + one + "/records?timeout=0")).empty());
  must(kafka("POST" + one + "/offsets"));
  must(kafka("DELETE" + one + "/subscription"));
  must(kafka("POST" + two + "/assignments", places));
  must(kafka("GET" + two + "/assignments"));
  must(kafka("POST" + two + "/positions/beginning", places));
  must(kafka("POST" + two + "/positions/end", places));
  must(kafka("POST" + two + "/positions",
             {{"offsets", {{{"topic", "orders"}, {"partition", 0}, {"offset", 0}}}}}));
  services::test::Sent asked{.as = "alice", .body = base::dump_json(places)};
  asked.headers["content-type"] = kJsonRecords;
  must(rig.send("GET" + two + "/offsets", asked));
  must(kafka("DELETE" + two));
  STRCMP_EQUAL("", rig.replies().unanswered("kafka").c_str());
}

// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/services/event/event_rig.h"

using namespace fixture;

TEST_GROUP_BASE(EventService, EventRig){};

TEST(EventService, rights_are_of_each_channel_and_who_has_none_sees_none) {
  LONGS_EQUAL(401, rig.send("GET /event/channels/orders/events").status);
  LONGS_EQUAL(404, rig.send("GET /event/channels/orders/events", {.as = "bob"}).status);
  rig.security.granted.insert("bob/event:orders:write");
  LONGS_EQUAL(403, rig.send("GET /event/channels/orders/events", {.as = "bob"}).status);
  LONGS_EQUAL(200, rig.send("POST /event/channels/orders/events",
                            {.as = "bob", .body = R"({"event_name":"n"})"})
                       .status);
  LONGS_EQUAL(403, rig.send("DELETE /event/channels/orders", {.as = "bob"}).status);
  LONGS_EQUAL(404, kafka("GET /kafka/topics/orders", Json(), "carol").status);
  LONGS_EQUAL(1, rig.json("GET /event/channels", {.as = "bob"}).size());
  LONGS_EQUAL(0, rig.json("GET /event/channels", {.as = "carol"}).size());
}

TEST(EventService, what_services_emit_is_in_the_systems_channel_once) {
  rig.drain();
  const Json page = rig.json("GET /event/channels/gestalt/events", {.as = "alice"});
  LONGS_EQUAL(1, page["events"].size());
  STRCMP_EQUAL("event.channel.created", page["events"][0]["event_name"].get<std::string>().c_str());
  STRCMP_EQUAL("orders", page["events"][0]["data"]["data"]["channel"].get<std::string>().c_str());
  auto* sink = dynamic_cast<EventService*>(rig.host().find("event"));
  services::Event event;
  event.id = page["events"][0]["uuid"];
  event.name = "event.channel.created";
  event.payload = "{}";
  CHECK_OK(sink->append(std::span(&event, 1)));
  LONGS_EQUAL(1, rig.json("GET /event/channels/gestalt/events", {.as = "alice"})["events"].size());
  // Nothing may hold the outbox up.
  event.id = "large";
  event.payload = "\"" + std::string(2 << 20, 'x') + "\"";
  CHECK_OK(sink->append(std::span(&event, 1)));
}

TEST(EventService, a_group_belongs_to_the_organisation_of_who_names_it) {
  append({{"event_name", "n"}, {"partition", 0}});
  rig.security.granted.insert(std::string("dora/event:orders:read@") + services::test::kAcmeId);
  rig.security.granted.insert("dora/event:orders:read");
  const auto commit = [this](const std::string& as, int offset) {
    const Json body = {
        {"offsets", {{{"channel", "orders"}, {"partition", 0}, {"offset", offset}}}}};
    return rig.send("POST /event/groups/g/offsets", {.as = as, .body = base::dump_json(body)})
        .status;
  };
  const auto committed = [this](const std::string& as) {
    return rig.json("GET /event/groups/g/offsets?channel=orders",
                    {.as = as})["offsets"][0]["offset"];
  };
  LONGS_EQUAL(204, commit("alice", 1));
  CHECK(committed("alice") == 1);
  CHECK(committed("dora").is_null());
}

TEST(EventService, a_removed_channel_is_gone) {
  append({{"event_name", "n"}});
  LONGS_EQUAL(200, rig.send("DELETE /event/channels/orders?dryrun=true", {.as = "alice"}).status);
  LONGS_EQUAL(200, rig.send("GET /event/channels/orders", {.as = "alice"}).status);
  LONGS_EQUAL(204, rig.send("DELETE /event/channels/orders", {.as = "alice"}).status);
  LONGS_EQUAL(404, rig.send("GET /event/channels/orders", {.as = "alice"}).status);
}

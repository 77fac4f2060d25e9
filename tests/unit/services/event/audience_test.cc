// SPDX-License-Identifier: Apache-2.0
#include "services/event/audience.h"

#include "tests/unit/services/event/event_rig.h"

using namespace fixture;

TEST_GROUP_BASE(Audience, EventRig){};

TEST(Audience, of_the_systems_channel_a_reader_sees_the_organisations_of_its_rights) {
  rig.drain();
  auto* sink = dynamic_cast<EventService*>(rig.host().find("event"));
  for (const auto& [id, fqon] : {std::pair<std::string, std::string>{"of-acme", "acme"},
                                 {"of-below", "acme.eng"},
                                 {"of-other", "acmetoo"},
                                 {"of-nobody", ""}}) {
    services::Event event;
    event.id = id;
    event.name = "meta.environment.created";
    event.org_fqon = fqon;
    event.payload = "{}";
    CHECK_OK(sink->append(std::span(&event, 1)));
  }
  rig.security.granted.insert(std::string("dora/event:gestalt:read@") + services::test::kAcmeId);
  const auto ids = [this](const std::string& as) {
    std::string all;
    const Json page = rig.json("GET /event/channels/gestalt/events", {.as = as});
    for (const Json& event : page["events"]) all += event["uuid"].get<std::string>() + " ";
    return all;
  };
  STRCMP_EQUAL("of-acme of-below ", ids("dora").c_str());
  CHECK(ids("alice").ends_with("of-acme of-below of-other of-nobody "));
  LONGS_EQUAL(404, rig.send("GET /event/channels/gestalt/events", {.as = "carol"}).status);
  // The same through Confluent's dialect, where what is not shown counts as read.
  const Json made = Json::parse(
      kafka("POST /kafka/consumers/g", {{"name", "c"}, {"auto.offset.reset", "earliest"}}, "dora")
          .body);
  const std::string at = "/kafka/consumers/g/instances/" + made["instance_id"].get<std::string>();
  LONGS_EQUAL(204, kafka("POST " + at + "/subscription", {{"topics", {"gestalt"}}}, "dora").status);
  const Json records =
      Json::parse(kafka("GET " + at + "/records?timeout=0", Json(), "dora").body, nullptr, false);
  LONGS_EQUAL(2, records.size());
}

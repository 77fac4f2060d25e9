// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/services/event/event_rig.h"

using namespace fixture;

TEST_GROUP_BASE(EventRoutes, EventRig){};

TEST(EventRoutes, events_are_appended_once_and_read_with_a_filter) {
  const Json placed = append({{{"uuid", "a"}, {"event_name", "x.created"}, {"data", {{"n", 1}}}},
                              {{"uuid", "b"}, {"event_name", "x.deleted"}},
                              {{"uuid", "a"}, {"event_name", "x.created"}}});
  CHECK_TRUE(placed["placed"][2]["duplicate"].get<bool>());
  LONGS_EQUAL(2, read("")["events"].size());
  const Json some = read("?filter=" + base::percent_encode("data.n == 1"));
  LONGS_EQUAL(1, some["events"].size());
  STRCMP_EQUAL("a", some["events"][0]["uuid"].get<std::string>().c_str());
  const Json next = read("?since=" + some["next"].get<std::string>());
  LONGS_EQUAL(0, next["events"].size());
  LONGS_EQUAL(400, rig.send("GET /event/channels/orders/events?filter=x", {.as = "alice"}).status);
}

TEST(EventRoutes, a_dry_run_appends_nothing) {
  const Json would = rig.json("POST /event/channels/orders/events?dryrun=true",
                              {.as = "alice", .body = R"({"event_name":"n"})"});
  CHECK_TRUE(would["dryrun"].get<bool>());
  LONGS_EQUAL(0, read("")["events"].size());
}

TEST(EventRoutes, a_long_poll_is_answered_by_the_next_event) {
  auto reply = rig.send("GET /event/channels/orders/events?since=end&wait=30", {.as = "alice"});
  CHECK_TRUE(reply.stream != nullptr);
  append({{"uuid", "a"}, {"event_name", "late"}});
  rig.until([&] { return reply.stream->is_finished(); });
  const Json page = Json::parse(taken(*reply.stream));
  STRCMP_EQUAL("late", page["events"][0]["event_name"].get<std::string>().c_str());
}

TEST(EventRoutes, a_long_poll_without_events_ends_empty) {
  auto reply = rig.send("GET /event/channels/orders/events?since=end&wait=1", {.as = "alice"});
  rig.until([&] { return reply.stream->is_finished(); });
  const Json page = Json::parse(taken(*reply.stream));
  LONGS_EQUAL(0, page["events"].size());
  STRCMP_EQUAL("0:0,1:0", page["next"].get<std::string>().c_str());
}

TEST(EventRoutes, a_stream_carries_events_as_they_come_and_goes_on_from_an_id) {
  services::test::Sent sent{.as = "alice"};
  sent.headers["accept"] = "text/event-stream";
  auto reply = rig.send("GET /event/channels/orders/events?since=beginning", sent);
  std::string seen;
  for (int i = 0; i < 3; ++i) {
    append({{"uuid", "e" + std::to_string(i)}, {"event_name", "tick"}, {"partition", 0}});
    rig.until([&] {
      seen += taken(*reply.stream);
      return seen.find("\"e" + std::to_string(i) + "\"") != std::string::npos;
    });
  }
  CHECK_TRUE(seen.find("id: 0:2,1:0") != std::string::npos);
  sent.headers["last-event-id"] = "0:2,1:0";
  auto again = rig.send("GET /event/channels/orders/events", sent);
  std::string rest;
  rig.until([&] {
    rest += taken(*again.stream);
    return rest.find("\"e2\"") != std::string::npos;
  });
  CHECK_TRUE(rest.find("\"e1\"") == std::string::npos);
}

TEST(EventRoutes, a_stream_ends_after_its_time_and_says_where_to_go_on) {
  append({{"uuid", "e0"}, {"event_name", "tick"}, {"partition", 0}});
  services::test::Sent sent{.as = "alice"};
  sent.headers["accept"] = "text/event-stream";
  auto reply = rig.send("GET /event/channels/orders/events?since=end&wait=1", sent);
  std::string seen;
  rig.until([&] {
    seen += taken(*reply.stream);
    return reply.stream->is_finished();
  });
  seen += taken(*reply.stream);
  STRCMP_EQUAL("id: 0:1,1:0\n\n", seen.c_str());
}

TEST(EventRoutes, a_group_goes_on_where_it_has_committed) {
  for (int i = 0; i < 4; ++i)
    append({{"uuid", std::to_string(i)}, {"event_name", "n"}, {"partition", 0}});
  const auto committed = rig.send(
      "POST /event/groups/g/offsets",
      {.as = "alice", .body = R"({"offsets":[{"channel":"orders","partition":0,"offset":3}]})"});
  LONGS_EQUAL(204, committed.status);
  LONGS_EQUAL(1, read("?group=g")["events"].size());
  LONGS_EQUAL(4, read("?group=h")["events"].size());
  const Json offsets = rig.json("GET /event/groups/g/offsets?channel=orders", {.as = "alice"});
  LONGS_EQUAL(1, offsets["offsets"][0]["lag"].get<int>());
}

// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/services/change/change_rig.h"

using namespace fixture;

TEST_GROUP_BASE(ChangeSweep, ChangeRig){};

TEST(ChangeSweep, a_freeze_holds_what_is_approved_until_it_is_overridden) {
  const Json freeze = {{"name", "holidays"},
                       {"org_id", services::test::kRootId},
                       {"match_actions", {"**"}},
                       {"from", "2020-01-01T00:00:00Z"},
                       {"until", "2999-01-01T00:00:00Z"}};
  LONGS_EQUAL(201, send("root", "POST /change/freezes", freeze).status);
  const std::string id = hold();
  LONGS_EQUAL(200, decide("bob", id, "approve").status);
  rig->drain();
  STRCMP_EQUAL("approved", status(id).c_str());
  LONGS_EQUAL(403, decide("bob", id, "override").status);
  LONGS_EQUAL(200, decide("dan", id, "override").status);
  until_status(id, "completed");
}

TEST(ChangeSweep, a_freeze_holds_what_no_handler_matches_until_it_is_over) {
  // Handlers hold every note; nothing is to be approved here.
  CHECK_OK(rig->store().write([&](store::Writer& writer) -> Result<void> {
    for (const store::Record& record : TRY(writer.list(kHandlers, {})))
      TRY(writer.remove(kHandlers, record.key));
    TRY(writer.put(kRules, "rules", "changed"));
    return {};
  }));
  const std::int64_t now = base::system_clock().wall().time_since_epoch().count();
  const Json freeze = {{"name", "a moment"},
                       {"org_id", services::test::kRootId},
                       {"match_actions", {"note.publish"}},
                       {"from", now - 1000},
                       {"until", now + 1500}};
  LONGS_EQUAL(201, send("root", "POST /change/freezes", freeze).status);
  const services::test::Sent sent{.as = "alice", .body = R"({"text":"x"})"};
  LONGS_EQUAL(201, rig->send("POST /notes/acme/notes", sent).status);  // it does not name that
  const Json tried = rig->json("POST /notes/acme/publications?dryrun=true&explain=true", sent);
  LONGS_EQUAL(202, tried["would"]["status"].get<int>());
  const Json line = tried["explain"].back();
  STRCMP_EQUAL("gate", line["stage"].get<std::string>().c_str());
  STRCMP_EQUAL("a moment", line["detail"]["name"].get<std::string>().c_str());
  STRCMP_EQUAL(base::format_time(base::WallTime(std::chrono::milliseconds(now + 1500))).c_str(),
               line["detail"]["until"].get<std::string>().c_str());
  const auto held = rig->send("POST /notes/acme/publications", sent);
  LONGS_EQUAL(202, held.status);
  const std::string id = held.headers.at("Change-Id");
  LONGS_EQUAL(409, decide("bob", id, "approve").status);
  until_status(id, "completed");
  CHECK_TRUE(base::system_clock().wall().time_since_epoch().count() >= now + 1500);
}

TEST(ChangeSweep, what_a_freeze_holds_alone_can_be_let_through) {
  CHECK_OK(rig->store().write([&](store::Writer& writer) -> Result<void> {
    for (const store::Record& record : TRY(writer.list(kHandlers, {})))
      TRY(writer.remove(kHandlers, record.key));
    TRY(writer.put(kRules, "rules", "changed"));
    return {};
  }));
  const Json window = {{"days", {"mon", "tue", "wed", "thu", "fri", "sat", "sun"}},
                       {"from", "00:00"},
                       {"until", "24:00"}};
  const Json freeze = {{"name", "every day"},
                       {"org_id", services::test::kRootId},
                       {"match_actions", {"note.**"}},
                       {"time_zone", "Europe/Berlin"},
                       {"weekly", Json::array({window})}};
  LONGS_EQUAL(201, send("root", "POST /change/freezes", freeze).status);
  const services::test::Sent sent{.as = "alice", .body = R"({"text":"x"})"};
  const auto held = rig->send("POST /notes/acme/notes", sent);
  LONGS_EQUAL(202, held.status);
  const std::string id = held.headers.at("Change-Id");
  rig->drain();
  STRCMP_EQUAL("approved", status(id).c_str());
  LONGS_EQUAL(0, notes().size());
  LONGS_EQUAL(200, decide("dan", id, "override").status);
  until_status(id, "completed");
  LONGS_EQUAL(1, notes().size());
}

TEST(ChangeSweep, a_deadline_that_passes_ends_it) {
  const auto soon = base::system_clock().wall().time_since_epoch().count() + 300;
  const std::string id = hold({{"deadline", soon}});
  until_status(id, "expired");
  LONGS_EQUAL(409, decide("bob", id, "approve").status);
  LONGS_EQUAL(0, notes().size());
}

TEST(ChangeSweep, a_dependency_goes_first) {
  const std::string first = hold();
  const std::string second = hold({{"dependencies", {first}}});
  LONGS_EQUAL(200, decide("bob", second, "approve").status);
  rig->drain();
  STRCMP_EQUAL("approved", status(second).c_str());
  LONGS_EQUAL(200, decide("bob", first, "reject").status);
  rig->drain();
  STRCMP_EQUAL("rejected", status(first).c_str());
}

TEST(ChangeSweep, the_process_may_die_between_release_and_outcome) {
  const std::string id = hold();
  // As if it had died just after the release was durable: once before the call, once after it.
  const auto die_while_applying = [&] {
    CHECK_OK(rig->store().write([&](store::Writer& writer) -> Result<void> {
      Change change = TRY(load_change(writer, id));
      change.state = State::applying;
      if (change.approvals.empty())
        change.approvals.push_back({"bob", "bob", 1, change.payload_hash, ""});
      return save_change(writer, change, 1);
    }));
    start();
  };
  die_while_applying();
  until_status(id, "completed");
  LONGS_EQUAL(1, notes().size());
  die_while_applying();
  until_status(id, "completed");
  LONGS_EQUAL(1, notes().size());
}

TEST(ChangeSweep, an_event_is_sent_under_its_name_once_it_is_approved) {
  const Json body = {{"payload", {{"record", "www"}}},
                     {"outStateName", "task.dns.record.create.approved"},
                     {"reason", "r"}};
  Json with_org = body;
  with_org["org_id"] = services::test::kRootId;
  const auto made = send("root", "POST /change/changes", with_org);
  LONGS_EQUAL(201, made.status);
  const auto& heard = dynamic_cast<Listener*>(rig->host().find("listener"))->heard;
  const std::string id = Json::parse(made.body)["id"];
  LONGS_EQUAL(200, decide("bob", id, "approve").status);
  until_status(id, "completed");
  rig->until([&heard] { return heard > 0; });
  LONGS_EQUAL(1, heard.load());
}

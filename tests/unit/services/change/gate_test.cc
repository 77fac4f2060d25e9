// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/services/change/change_rig.h"

using namespace fixture;

TEST_GROUP_BASE(ChangeGate, ChangeRig){};

TEST(ChangeGate, an_approved_call_runs_as_its_caller_and_ends_its_task) {
  const std::string id = hold({{"reason", "because"}});
  LONGS_EQUAL(0, notes().size());
  STRCMP_EQUAL("pending", status(id).c_str());
  LONGS_EQUAL(200, decide("bob", id, "approve").status);
  until_status(id, "completed");
  const Json all = notes();
  LONGS_EQUAL(1, all.size());
  STRCMP_EQUAL("alice", all[0]["author"].get<std::string>().c_str());
  const Json change = rig->json("GET /change/changes/" + id, {.as = "alice"});
  LONGS_EQUAL(201, change["result"]["status"].get<int>());
  CHECK_TRUE(change["result"]["link"].get<std::string>().find("/notes/") != std::string::npos);
}

TEST(ChangeGate, asking_for_it_in_the_background_does_not_go_round_the_gate) {
  services::test::Sent sent{.as = "alice", .body = R"({"text":"x"})"};
  sent.headers["prefer"] = "respond-async";
  const auto held = rig->send("POST /notes/acme/publications", sent);
  LONGS_EQUAL(202, held.status);
  CHECK_TRUE(held.headers.contains("Change-Id"));
}

TEST(ChangeGate, a_dry_run_says_that_it_would_be_held_and_holds_nothing) {
  const Json would =
      rig->json("POST /notes/acme/notes?dryrun=true", {.as = "alice", .body = R"({"text":"x"})"});
  LONGS_EQUAL(202, would["would"]["status"].get<int>());
  LONGS_EQUAL(0, rig->json("GET /change/orgs/root/changes", {.as = "root"}).size());
}

TEST(ChangeGate, without_a_handler_nothing_is_held) {
  const Json handlers = rig->json("GET /change/orgs/root/changes", {.as = "root"});
  LONGS_EQUAL(0, handlers.size());
  CHECK_OK(rig->store().write([](store::Writer& writer) -> Result<void> {
    for (const store::Record& record : TRY(writer.list(kHandlers, {})))
      TRY(writer.remove(kHandlers, record.key));
    TRY(writer.put(kRules, "rules", "changed"));
    return {};
  }));
  LONGS_EQUAL(201, send("alice", "POST /notes/acme/notes", {{"text", "now"}}).status);
}

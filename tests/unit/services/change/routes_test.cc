// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/services/change/change_rig.h"

using namespace fixture;

TEST_GROUP_BASE(ChangeRoutes, ChangeRig){};

TEST(ChangeRoutes, who_asked_cannot_approve_and_strangers_see_nothing) {
  const std::string id = hold();
  rig->security.granted.insert("alice/change:approve");
  LONGS_EQUAL(403, decide("alice", id, "approve").status);
  LONGS_EQUAL(403, decide("eve", id, "approve").status);
  LONGS_EQUAL(404, send("eve", "GET /change/changes/" + id).status);
  LONGS_EQUAL(401, rig->send("GET /change/changes/" + id).status);
  STRCMP_EQUAL("pending", status(id).c_str());
}

TEST(ChangeRoutes, a_rejected_or_cancelled_call_never_runs) {
  const std::string rejected = hold();
  LONGS_EQUAL(200, decide("bob", rejected, "reject", {{"comment", "no"}}).status);
  STRCMP_EQUAL("rejected", status(rejected).c_str());
  const std::string cancelled = hold();
  LONGS_EQUAL(403, decide("eve", cancelled, "cancel").status);
  LONGS_EQUAL(200, decide("alice", cancelled, "cancel").status);
  LONGS_EQUAL(409, decide("bob", cancelled, "approve").status);
  LONGS_EQUAL(0, notes().size());
}

TEST(ChangeRoutes, what_runs_is_the_amended_payload_that_was_approved) {
  const std::string id = hold();
  const Json before = rig->json("GET /change/changes/" + id, {.as = "alice"});
  LONGS_EQUAL(200, decide("carol", id, "amend", {{"body", {{"text", "amended"}}}}).status);
  LONGS_EQUAL(403, decide("carol", id, "approve").status);
  LONGS_EQUAL(412, decide("bob", id, "approve", {{"payload_hash", before["payloadHash"]}}).status);
  const Json now = rig->json("GET /change/changes/" + id, {.as = "alice"});
  CHECK_FALSE(now["amendments"].empty());
  LONGS_EQUAL(200, decide("bob", id, "approve", {{"payload_hash", now["payloadHash"]}}).status);
  until_status(id, "completed");
  STRCMP_EQUAL("amended", notes()[0]["text"].get<std::string>().c_str());
}

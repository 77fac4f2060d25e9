// SPDX-License-Identifier: Apache-2.0
// Each row of change management answers well once; the rig looks at the answers, and tries each
// change first.
#include "common/base/time_text.h"
#include "tests/unit/services/change/change_rig.h"

using namespace fixture;

namespace {

struct EveryChangeRowRig : ChangeRig {
  Json ask(const std::string& line, const Json& body = Json()) {
    const rest::Response reply = send("root", line, body);
    if (reply.status >= 400) FAIL((line + ": " + reply.body).c_str());
    return Json::parse(reply.body, nullptr, false);
  }
  static std::string in_hours(int hours) {
    return base::format_time(base::system_clock().wall() + std::chrono::hours(hours));
  }
};

}  // namespace

TEST_GROUP_BASE(ChangeEveryRow, EveryChangeRowRig){};

TEST(ChangeEveryRow, answers_well_and_can_be_tried) {
  rig->security.granted.insert(std::string("root/*@") + services::test::kRootId);
  const Json wanted = {{"payload", {{"n", 1}}},
                       {"outStateName", "task.dns.wanted"},
                       {"org_id", services::test::kRootId}};
  const std::string external = ask("POST /change/changes", wanted)["id"];
  const std::string path = "/change/changes/";
  for (const std::string& each :
       {std::string("/change/changes"), std::string("/change/handlers"),
        std::string("/change/freezes"), std::string("/change/acme/changes"), path + external,
        path + external + "/diff"})
    ask("GET " + each);
  ask("POST " + path + external + "/schedule", {{"schedule", in_hours(2)}});
  ask("POST " + path + external + "/amend", {{"body", {{"n", 2}}}});
  ask("POST " + path + external + "/cancel", {{"comment", "no longer"}});
  ask("DELETE " + path + external);
  ask("POST " + path + hold() + "/reject", {{"comment", "no"}});
  ask("POST " + path + hold() + "/approve", Json::object());

  const Json freeze = {{"name", "now"},
                       {"org_id", services::test::kRootId},
                       {"match_actions", {"**"}},
                       {"from", in_hours(-1)},
                       {"until", in_hours(1)}};
  const std::string frozen = ask("POST /change/freezes", freeze)["id"];
  const std::string urgent = hold();
  ask("POST " + path + urgent + "/approve", Json::object());
  ask("POST " + path + urgent + "/override", {{"reason", "urgent"}});
  ask("DELETE /change/freezes/" + frozen);

  const Json handler = {
      {"name", "another"}, {"org_id", services::test::kRootId}, {"match_actions", {"nothing.*"}}};
  const std::string made = ask("POST /change/handlers", handler)["id"];
  ask("GET /change/handlers/" + made);
  ask("DELETE /change/handlers/" + made);
  STRCMP_EQUAL("", rig->replies().unanswered("change").c_str());
}

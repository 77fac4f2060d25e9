// SPDX-License-Identifier: Apache-2.0
// Audit and tasks as their clients see them.
#include "services/audit/service.h"

#include <CppUTest/TestHarness.h>

#include <nlohmann/json.hpp>

#include "services/task/service.h"
#include "tests/support/services/notes.h"
#include "tests/support/services/rig.h"

namespace {

using namespace services;
using base::Json;

std::vector<std::unique_ptr<Service>> three() {
  std::vector<std::unique_ptr<Service>> all;
  auto audit = audit::make_audit(Json::object());
  CHECK_OK(audit);
  all.push_back(*std::move(audit));
  auto tasks = task::make_task(Json::object());
  CHECK_OK(tasks);
  all.push_back(*std::move(tasks));
  all.push_back(std::make_unique<test::Notes>());
  return all;
}

TEST_GROUP(AuditAndTasks) {
  test::Rig rig{three()};
  void setup() override { rig.security.granted = {"alice/*", "bob/readNotes"}; }
  std::string publish() {
    return rig.json("POST /notes/acme/publications", {.as = "alice", .body = "{}"})["uuid"];
  }
};

TEST(AuditAndTasks, every_mutation_and_refusal_has_its_record) {
  CHECK_EQUAL(
      201, rig.send("POST /notes/acme/notes", {.as = "alice", .body = R"({"text":"a"})"}).status);
  CHECK_EQUAL(403,
              rig.send("POST /notes/root/notes", {.as = "bob", .body = R"({"text":"a"})"}).status);
  Json records;
  rig.until([&] {
    records = rig.json("GET /audit/root/records", {.as = "alice"})["records"];
    return records.size() == 2;
  });
  CHECK(records[0]["record"]["outcome"] == "denied" && records[0]["record"]["name"] == "bob");
  CHECK(records[1]["record"]["action"] == "note.create");
  CHECK(records[1]["record"]["more"].contains("note"));
  CHECK_EQUAL(1U, rig.json("GET /audit/acme/records", {.as = "alice"})["records"].size());
  CHECK_EQUAL(
      1U, rig.json("GET /audit/root/records?outcome=denied", {.as = "alice"})["records"].size());
  CHECK_EQUAL(403, rig.send("GET /audit/root/records", {.as = "bob"}).status);
}

TEST(AuditAndTasks, credentials_that_serve_for_nothing_are_recorded_up_to_a_rate) {
  for (int i = 0; i < 300; ++i) {
    CHECK_EQUAL(401, rig.send("GET /notes/root/notes", {.as = "wrong"}).status);
  }
  std::size_t count = 0;
  rig.until([&] {
    const Json found =
        rig.json("GET /audit/root/records?outcome=denied&limit=1000", {.as = "alice"});
    count = found["records"].size();
    return count >= 100;
  });
  CHECK(count < 200);
}

TEST(AuditAndTasks, a_task_is_404_under_complete_until_it_is_done) {
  const std::string id = publish();
  rig.until([&] {
    return rig.send("GET /task/tasks/" + id + "/complete", {.as = "alice"}).status == 200;
  });
  const Json done = rig.json("GET /task/tasks/" + id, {.as = "alice"});
  CHECK(done["status"] == "completed");
  CHECK(done["detail"]["result"]["message"] == "published");
  CHECK_EQUAL(1U, rig.json("GET /task/tasks", {.as = "alice"}).size());
  CHECK_EQUAL(1U, rig.json("GET /task/acme/tasks?status=completed", {.as = "alice"}).size());
}

TEST(AuditAndTasks, a_task_is_not_there_for_others) {
  const std::string id = publish();
  CHECK_EQUAL(404, rig.send("GET /task/tasks/" + id, {.as = "bob"}).status);
  CHECK_EQUAL(404, rig.send("POST /task/tasks/" + id + "/cancel", {.as = "bob"}).status);
  CHECK_EQUAL(403, rig.send("GET /task/acme/tasks", {.as = "bob"}).status);
}

TEST(AuditAndTasks, an_owner_moves_a_task_of_its_own_on_and_cancels_it) {
  const Json made = rig.json("POST /task/acme/tasks",
                             {.as = "alice", .body = R"({"verb":"copy","resource":"disk"})"});
  const std::string path = "/task/tasks/" + made["uuid"].get<std::string>();
  const Json moved =
      rig.json("PATCH " + path, {.as = "alice", .body = R"({"progress":40,"message":"half"})"});
  CHECK(moved["status"] == "running" && moved["detail"]["progress"] == 40);
  CHECK_EQUAL(404, rig.send("GET " + path + "/complete", {.as = "alice"}).status);
  const Json ended =
      rig.json("PATCH " + path, {.as = "alice", .body = R"({"status":"completed"})"});
  CHECK(ended["status"] == "completed");
  CHECK_EQUAL(409, rig.send("POST " + path + "/cancel", {.as = "alice"}).status);
  CHECK_EQUAL(204, rig.send("DELETE " + path, {.as = "alice"}).status);
  CHECK_EQUAL(404, rig.send("GET " + path, {.as = "alice"}).status);
}

TEST(AuditAndTasks, each_row_answers_well_and_can_be_tried) {
  const auto ask = [this](const std::string& line, const std::string& body = "") {
    const rest::Response reply = rig.send(line, {.as = "alice", .body = body});
    if (reply.status >= 400) FAIL((line + ": " + reply.body).c_str());
    return Json::parse(reply.body, nullptr, false);
  };
  const auto make = [&ask] {
    return ask("POST /task/acme/tasks", R"({"verb":"copy","resource":"disk"})")["uuid"]
        .get<std::string>();
  };
  const std::string ended = make(), cancelled = make();
  for (const std::string& path : {std::string("/task/tasks"), std::string("/task/acme/tasks")}) {
    ask("GET " + path);
    ask("GET " + path + "/" + ended);
  }
  ask("GET /task/tasks/" + ended + "/children");
  ask("GET /task/tasks/" + ended + "/stream");
  ask("PATCH /task/tasks/" + ended, R"({"status":"completed"})");
  ask("GET /task/tasks/" + ended + "/complete");
  ask("POST /task/tasks/" + cancelled + "/cancel");
  ask("DELETE /task/tasks/" + ended);
  ask("DELETE /task/acme/tasks/" + cancelled);
  ask("GET /audit/head");
  ask("GET /audit/acme/records");
  STRCMP_EQUAL("", (rig.replies().unanswered("task") + rig.replies().unanswered("audit")).c_str());
}

TEST(AuditAndTasks, a_stream_shows_each_change_until_the_end) {
  const Json made = rig.json("POST /task/acme/tasks",
                             {.as = "alice", .body = R"({"verb":"copy","resource":"disk"})"});
  const std::string path = "/task/tasks/" + made["uuid"].get<std::string>();
  const rest::Response reply = rig.send("GET " + path + "/stream", {.as = "alice"});
  CHECK(reply.stream != nullptr);
  rig.until([&] { return reply.stream->waiting() > 0; });
  CHECK_EQUAL(200,
              rig.send("PATCH " + path, {.as = "alice", .body = R"({"status":"halted"})"}).status);
  rig.until([&] { return reply.stream->is_finished(); });
  std::string text(reply.stream->waiting(), '\0');
  text.resize(reply.stream->take(text.data(), text.size()));
  CHECK(text.find("\"status\":\"pending\"") != std::string::npos);
  CHECK(text.find("\"status\":\"halted\"") != std::string::npos);
}

}  // namespace

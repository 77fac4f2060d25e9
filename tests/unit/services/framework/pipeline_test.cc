// SPDX-License-Identifier: Apache-2.0
// The pipeline with the sample service behind it: each stage, in its order, with and without
// effects.
#include "services/framework/pipeline.h"

#include <CppUTest/TestHarness.h>

#include <nlohmann/json.hpp>

#include "services/framework/dialect.h"
#include "tests/support/services/notes.h"
#include "tests/support/services/rig.h"

namespace {

using namespace services;
using base::Json;
using test::Rig;
using test::Sent;

std::vector<std::unique_ptr<Service>> notes_only() {
  std::vector<std::unique_ptr<Service>> all;
  all.push_back(std::make_unique<test::Notes>());
  return all;
}

const Sent kNew{.as = "alice", .body = R"({"text":"buy milk"})"};

TEST_GROUP(Pipeline) {
  Rig rig{notes_only()};
  void setup() override {
    rig.security.granted = {"alice/writeNotes", "alice/readNotes", "bob/readNotes"};
  }
  std::size_t notes() { return rig.json("GET /notes/root/notes", {.as = "bob"}).size(); }
  std::size_t outbox() {
    std::size_t count = 0;
    CHECK_OK(rig.store().read([&](store::Reader& reader) -> base::Result<void> {
      count = TRY(reader.list(kOutbox, {})).size();
      return {};
    }));
    return count;
  }
};

TEST(Pipeline, an_anonymous_route_needs_nothing) {
  CHECK_EQUAL(200, rig.send("GET /notes/about").status);
  CHECK_EQUAL(200, rig.send("GET /notes/about", {.as = "wrong"}).status);
}

TEST(Pipeline, nobody_and_wrong_credentials_get_401_whether_the_path_exists_or_not) {
  for (const char* line : {"GET /notes/root/notes", "GET /notes/nowhere/notes", "GET /nothing",
                           "DELETE /notes/about", "POST /notes/root/notes"}) {
    CHECK_EQUAL(401, rig.send(line).status);
    CHECK_EQUAL(401, rig.send(line, {.as = "wrong"}).status);
  }
}

TEST(Pipeline, an_organisation_is_found_by_name_and_by_id) {
  CHECK_EQUAL(200, rig.send("GET /notes/acme/notes", {.as = "bob"}).status);
  CHECK_EQUAL(
      200,
      rig.send(std::string("GET /notes/orgs/") + test::kAcmeId + "/notes", {.as = "bob"}).status);
  CHECK_EQUAL(404, rig.send("GET /notes/nowhere/notes", {.as = "bob"}).status);
}

TEST(Pipeline, a_right_that_is_missing_is_403_and_is_audited) {
  const rest::Response reply = rig.send("POST /notes/root/notes", {.as = "bob", .body = kNew.body});
  CHECK_EQUAL(403, reply.status);
  CHECK_EQUAL(0U, notes());
  rig.until([&] { return outbox() == 0; });  // written and told behind the caller's back
}

TEST(Pipeline, authorisation_comes_before_validation) {
  CHECK_EQUAL(403, rig.send("POST /notes/root/notes", {.as = "bob", .body = "{"}).status);
  CHECK_EQUAL(400, rig.send("POST /notes/root/notes", {.as = "alice", .body = "{"}).status);
  const Json problem =
      rig.json("POST /notes/root/notes", {.as = "alice",
                                          .body = R"({"text":"x","colour":"red"})",
                                          .headers = {{"accept", "application/problem+json"}}});
  CHECK(problem["status"] == 422);
  CHECK(problem["errors"][0]["pointer"] == "/colour");
}

TEST(Pipeline, errors_have_the_services_shape_unless_the_client_asks_for_problems) {
  const Json meta = rig.json("GET /notes/root/notes/none", {.as = "bob"});
  CHECK(meta["code"] == 404 && meta.contains("message"));
  const rest::Response problem =
      rig.send("GET /notes/root/notes/none",
               {.as = "bob", .headers = {{"accept", "text/html, application/problem+json"}}});
  CHECK(problem.headers.at("Content-Type") == "application/problem+json");
}

TEST(Pipeline, a_mutation_leaves_state_and_one_row_for_the_outbox) {
  const rest::Response reply = rig.send("POST /notes/root/notes", kNew);
  CHECK_EQUAL(201, reply.status);
  CHECK(reply.headers.contains("Request-Time"));
  CHECK_EQUAL(1U, notes());
}

TEST(Pipeline, a_dry_run_says_what_would_be_and_changes_nothing) {
  const Json reply = rig.json("POST /notes/root/notes?dryrun=true", kNew);
  CHECK(reply["dryrun"] == true);
  CHECK(reply["would"]["status"] == 201);
  CHECK(reply["would"]["body"]["text"] == "buy milk");
  CHECK(reply["would"]["events"][0]["name"] == "notes.note.created");
  CHECK_EQUAL(0U, notes());
  CHECK_EQUAL(0U, outbox());
}

TEST(Pipeline, a_failed_handler_leaves_nothing) {
  CHECK_EQUAL(404, rig.send("DELETE /notes/root/notes/none", {.as = "alice"}).status);
  CHECK_EQUAL(0U, outbox());
}

TEST(Pipeline, explain_shows_what_decided) {
  const Json denied = rig.json("POST /notes/root/notes?explain=true", {.as = "bob"});
  CHECK(denied["explain"][0]["stage"] == "authorise");
  CHECK(denied["explain"][0]["detail"]["allowed"] == false);
  const Json would = rig.json("POST /notes/root/notes?explain=true&dryrun=true", kNew);
  CHECK(would["explain"][0]["detail"]["allowed"] == true);
  const std::string id = rig.json("POST /notes/root/notes", kNew)["id"];
  const rest::Response gone =
      rig.send("DELETE /notes/root/notes/" + id + "?explain=true", {.as = "alice"});
  CHECK_EQUAL(200, gone.status);
  const Json told = Json::parse(gone.body);
  CHECK(told["result"].is_null());
  CHECK(told["explain"].is_array());
}

TEST(Pipeline, an_idempotency_key_gives_the_same_reply_and_one_effect) {
  Sent sent = kNew;
  sent.headers["idempotency-key"] = "k1";
  const rest::Response first = rig.send("POST /notes/root/notes", sent);
  const rest::Response again = rig.send("POST /notes/root/notes", sent);
  CHECK_EQUAL(201, again.status);
  CHECK(first.body == again.body);
  CHECK(again.headers.at("Idempotency-Replayed") == "true");
  CHECK(again.headers.at("Location") == first.headers.at("Location"));
  CHECK_EQUAL(1U, notes());
}

TEST(Pipeline, an_idempotency_key_is_bound_to_its_request_and_caller) {
  Sent sent = kNew;
  sent.headers["idempotency-key"] = "k1";
  CHECK_EQUAL(201, rig.send("POST /notes/root/notes", sent).status);
  Sent other = sent;
  other.body = R"({"text":"something else"})";
  CHECK_EQUAL(422, rig.send("POST /notes/root/notes", other).status);
  rig.security.granted.insert("carol/writeNotes");
  Sent foreign = sent;
  foreign.as = "carol";
  CHECK_EQUAL(201, rig.send("POST /notes/root/notes", foreign).status);
  CHECK_EQUAL(2U, notes());
}

TEST(Pipeline, an_account_that_calls_too_often_is_told_to_wait_and_holds_up_nobody_else) {
  Rig slow{notes_only(), nullptr, {.caller_rate = {.per_second = 0.1, .burst = 2}}};
  slow.security.granted = {"alice/readNotes", "bob/readNotes"};
  CHECK_EQUAL(200, slow.send("GET /notes/root/notes", {.as = "alice"}).status);
  CHECK_EQUAL(200, slow.send("GET /notes/root/notes", {.as = "alice"}).status);
  const rest::Response refused = slow.send("GET /notes/root/notes", {.as = "alice"});
  CHECK_EQUAL(429, refused.status);
  CHECK(std::stoi(refused.headers.at("Retry-After")) > 1);
  CHECK_EQUAL(200, slow.send("GET /notes/root/notes", {.as = "bob"}).status);
}

TEST(Pipeline, a_version_that_moved_on_refuses_the_change) {
  const Json note = rig.json("POST /notes/root/notes", kNew);
  const std::string path = "/notes/root/notes/" + note["id"].get<std::string>();
  const rest::Response seen = rig.send("GET " + path, {.as = "bob"});
  const std::string etag = seen.headers.at("ETag");
  CHECK_EQUAL(304,
              rig.send("GET " + path, {.as = "bob", .headers = {{"if-none-match", etag}}}).status);
  CHECK_EQUAL(
      412, rig.send("DELETE " + path, {.as = "alice", .headers = {{"if-match", "\"99\""}}}).status);
  CHECK_EQUAL(204,
              rig.send("DELETE " + path, {.as = "alice", .headers = {{"if-match", etag}}}).status);
}

TEST(Pipeline, a_task_is_accepted_and_run) {
  const rest::Response reply =
      rig.send("POST /notes/root/publications", {.as = "alice", .body = R"({"to":"all"})"});
  CHECK_EQUAL(202, reply.status);
  const Json task = Json::parse(reply.body);
  CHECK(task["service"] == "notes" && task["status"] == "pending");
  const std::string id = task["uuid"];
  rig.until([&] {
    std::string status;
    CHECK_OK(rig.store().read([&](store::Reader& reader) -> base::Result<void> {
      status = TRY(load_task(reader, id)).status;
      return {};
    }));
    return status == "completed";
  });
}

TEST(Pipeline, a_client_may_prefer_a_task_to_waiting) {
  const rest::Response reply =
      rig.send("POST /notes/root/publications",
               {.as = "alice", .body = "{}", .headers = {{"prefer", "respond-async"}}});
  CHECK_EQUAL(202, reply.status);
  const Json task = Json::parse(reply.body);
  CHECK(task["detail"]["action"]["verb"] == "note.publish");
  // The body may hold a password, and the caller's rights are nobody's business.
  CHECK(task["detail"]["request_data"] == (Json{{"method", "POST"},
                                                {"path", "/notes/root/publications"},
                                                {"action", "note.publish"},
                                                {"resource", ""}}));
}

TEST(Pipeline, security_says_400_where_meta_says_422) {
  const base::Error broken{base::Code::invalid_argument, "is missing", "schema_violated", 0, "/a"};
  CHECK_EQUAL(400, dialect_status(Dialect::security, broken));
  CHECK_EQUAL(422, dialect_status(Dialect::meta, broken));
  rest::Request request;
  request.path = "/security/root/oauth/issue";
  const rest::Response reply = render_error(
      Dialect::security, {base::Code::invalid_argument, "no", "invalid_grant"}, request);
  CHECK_EQUAL(400, reply.status);
  CHECK(Json::parse(reply.body)["error"] == "invalid_grant");
}

}  // namespace

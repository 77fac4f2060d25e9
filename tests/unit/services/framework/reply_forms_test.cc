// SPDX-License-Identifier: Apache-2.0
// What answers may look like, on a service whose rows promise one thing and answer what the test
// says; and the check that every suite makes of its own answers, on one that breaks its promises.
#include "services/framework/reply_forms.h"

#include <CppUTest/TestHarness.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "tests/support/services/reply_check.h"
#include "tests/support/services/rig.h"

namespace {

using namespace services;
using base::Json;

constexpr std::string_view kThings = "echo.things";

// Answers what `next` says, whatever it is asked.
struct Echo final : Service {
  explicit Echo(Dialect of) : spoken(of) {}
  std::string_view name() const override { return "echo"; }
  std::string_view mount() const override { return "/echo"; }
  Dialect dialect() const override { return spoken; }
  std::vector<store::Collection> collections() const override {
    return {{.name = std::string(kThings)}};
  }
  void actions(ActionTable& table) override;
  base::Result<void> start(Host& host) override {
    host_ = &host;
    return {};
  }

  const Dialect spoken;
  Host* host_ = nullptr;
  Reply next = Reply::json(Json{{"id", 1}});
  bool leaks = false;  // writes past the transaction of the call
  bool lies = false;   // answers a dry run otherwise than the change
};

base::Result<Reply> answer_next(Echo& echo, Call&) { return echo.next; }

base::Result<Reply> change_thing(Echo& echo, Call& call) {
  TRY(call.write().put(kThings, "a", "1"));
  if (echo.lies && call.dryrun()) return Reply::json(Json{{"id", 1}}, 201);
  return echo.next;
}

// Outside of the call's own transaction, which is what must not be.
base::Result<void> leak(Echo& echo, Call&) {
  if (!echo.leaks) return {};
  return echo.host_->store().write([](store::Writer& writer) -> base::Result<void> {
    TRY(writer.put(kThings, "leaked", "1"));
    return {};
  });
}

constexpr std::string_view kThing = R"({"type":"object","required":["id"],
  "additionalProperties":false,"properties":{"id":{"type":"integer"}}})";

constexpr Action<Echo> kFormRows[] = {
    {rest::Method::get,
     "/thing",
     "thing.view",
     anonymous(),
     Kind::query,
     answer_next,
     "Promises a thing",
     {.reply = kThing}},
    {rest::Method::get, "/quiet", "quiet.view", anonymous(), Kind::query, answer_next,
     "Promises no JSON"},
    {rest::Method::post,
     "/thing",
     "thing.change",
     anonymous(),
     Kind::mutation,
     change_thing,
     "Changes a thing",
     {.reply = kThing, .prepare = leak}},
    {rest::Method::post,
     "/beside",
     "beside.change",
     anonymous(),
     Kind::mutation,
     answer_next,
     "Changes what is no record",
     {.flags = kBeside}},
    {rest::Method::post,
     "/oauth/token",
     "thing.token",
     anonymous(),
     Kind::query,
     answer_next,
     "Promises a thing",
     {.reply = kThing}},
};

void Echo::actions(ActionTable& table) { table.add(kFormRows, *this); }

std::vector<std::unique_ptr<Service>> only_echo(Dialect dialect, Echo*& echo) {
  std::vector<std::unique_ptr<Service>> all;
  auto made = std::make_unique<Echo>(dialect);
  echo = made.get();
  all.push_back(std::move(made));
  return all;
}

struct EchoRig : Utest {
  Echo* echo = nullptr;
  test::Rig rig{only_echo(Dialect::meta, echo)};

  const ActionRow& row(const char* name) {
    for (const ActionRow& each : rig.host().actions())
      if (each.name == name) return each;
    FAIL(name);
    return rig.host().actions().front();
  }
  // What is wrong with an answer: "reason at pointer", empty when it is fine.
  std::string judge(const char* name, const Reply& reply, const std::string& query = "",
                    const std::string& accept = "") {
    rest::Request request;
    if (!query.empty()) request.query = {{query, "true"}};
    if (!accept.empty()) request.headers["accept"] = accept;
    const auto fits = rig.host().check_reply(row(name), request, reply);
    return fits ? "" : std::string(fits.error().reason) + " " + fits.error().pointer;
  }
};

Reply json(const char* text, int status = 200) { return Reply::json_text(text, status); }

TEST_GROUP_BASE(ReplyForms, EchoRig){};

TEST(ReplyForms, a_good_reply_is_what_its_row_promises) {
  STRCMP_EQUAL("", judge("thing.view", json(R"({"id":1})")).c_str());
  STRCMP_EQUAL("", judge("thing.view", json(R"({"id":1})", 201)).c_str());
  STRCMP_EQUAL("", judge("thing.view", Reply::no_content()).c_str());
  STRCMP_EQUAL("schema_violated /id", judge("thing.view", json(R"({"id":"1"})")).c_str());
  STRCMP_EQUAL("schema_violated /more", judge("thing.view", json(R"({"id":1,"more":2})")).c_str());
  STRCMP_EQUAL("schema_violated ", judge("thing.view", Reply::text("1")).c_str());
  STRCMP_EQUAL(
      "schema_violated ",
      judge("thing.view", json("{\"id\":1}").with("Content-Type", "application/x+json")).c_str());
  STRCMP_EQUAL("json_invalid ", judge("thing.view", json("{")).substr(0, 13).c_str());
}

TEST(ReplyForms, json_that_no_row_promises_is_an_error_and_anything_else_is_fine) {
  STRCMP_EQUAL("reply_undeclared ", judge("quiet.view", json("{}")).c_str());
  STRCMP_EQUAL("", judge("quiet.view", Reply::text("hello")).c_str());
  STRCMP_EQUAL("", judge("quiet.view", Reply::no_content()).c_str());
}

TEST(ReplyForms, an_explanation_stands_beside_what_was_promised) {
  const std::string told = R"("explain":[{"stage":"authorise","detail":{}}]})";
  STRCMP_EQUAL("", judge("thing.view", json((R"({"id":1,)" + told).c_str()), "explain").c_str());
  STRCMP_EQUAL("schema_violated /id",
               judge("thing.view", json((R"({"id":"1",)" + told).c_str()), "explain").c_str());
  STRCMP_EQUAL("",
               judge("quiet.view", json((R"({"result":null,)" + told).c_str()), "explain").c_str());
  STRCMP_EQUAL(
      "schema_violated /explain/0/detail",
      judge("thing.view", json(R"({"id":1,"explain":[{"stage":"x"}]})"), "explain").c_str());
  // Who did not ask for one gets none.
  STRCMP_EQUAL("schema_violated /explain",
               judge("thing.view", json((R"({"id":1,)" + told).c_str())).c_str());
}

TEST(ReplyForms, a_dry_run_says_what_would_be_and_that_fits_too) {
  const auto would = [](const char* body, int status = 200) {
    return json((R"({"dryrun":true,"would":{"audit":{},"tasks":[],"events":[],"status":)" +
                 std::to_string(status) + R"(,"body":)" + body + "}}")
                    .c_str());
  };
  STRCMP_EQUAL("", judge("thing.change", would(R"({"id":1})"), "dryrun").c_str());
  STRCMP_EQUAL("", judge("thing.change", would("\"\"", 204), "dryrun").c_str());
  STRCMP_EQUAL(
      "", judge("thing.change", would(R"({"code":400,"message":"no"})", 400), "dryrun").c_str());
  STRCMP_EQUAL("schema_violated /would/body/id",
               judge("thing.change", would("{}"), "dryrun").c_str());
  STRCMP_EQUAL("schema_violated /dryrun",
               judge("thing.change", json(R"({"id":1})"), "dryrun").c_str());
  STRCMP_EQUAL("schema_violated ", judge("thing.change", Reply::no_content(), "dryrun").c_str());
  // It is no good answer to who did not ask for it.
  STRCMP_EQUAL("schema_violated /id", judge("thing.change", would(R"({"id":1})")).c_str());
  STRCMP_EQUAL(
      "",
      judge("beside.change", json(R"({"dryrun":true,"would":{"append":2}})"), "dryrun").c_str());
}

TEST(ReplyForms, what_is_accepted_is_a_task) {
  const Reply held = json(R"({"id":1})", 202).with("Location", "http://x/task/tasks/1");
  STRCMP_EQUAL("schema_violated /uuid", judge("thing.change", held).c_str());
  STRCMP_EQUAL("", judge("thing.change", json(R"({"id":1})", 202)).c_str());  // the row's own
  STRCMP_EQUAL("schema_violated /id", judge("thing.change", json("{}", 202)).c_str());
}

TEST(ReplyForms, errors_have_the_form_of_their_mount_or_are_problems) {
  const std::string asked = "application/problem+json";
  const Reply problem =
      json(R"({"type":"/problems/x","title":"X","status":404,"detail":"","instance":"r"})", 404)
          .with("Content-Type", asked);
  STRCMP_EQUAL("", judge("thing.view", problem, "", asked).c_str());
  STRCMP_EQUAL("", judge("thing.view", json(R"({"code":404,"message":"no"})", 404)).c_str());
  STRCMP_EQUAL("schema_violated ",
               judge("thing.view", json(R"({"code":404,"message":"no"})", 404), "", asked).c_str());
  STRCMP_EQUAL("schema_violated /code",
               judge("thing.view", json(R"({"message":"no"})", 404)).c_str());
}

TEST(ReplyForms, each_dialect_has_forms_of_its_own) {
  struct Case {
    Dialect dialect;
    const char* action;
    const char* body;
    bool fits;
  };
  const char* const security = R"({"code":400,"message":"","resource":"","developerMessage":""})";
  const char* const oauth = R"({"error":"invalid_grant","error_description":""})";
  const char* const meta = R"({"code":400,"message":""})";
  const char* const kafka = R"({"error_code":40401,"message":""})";
  for (const Case& each : {Case{Dialect::security, "thing.view", security, true},
                           {Dialect::security, "thing.view", oauth, false},
                           {Dialect::security, "thing.token", oauth, true},
                           {Dialect::security, "thing.view", meta, false},
                           {Dialect::confluent, "thing.view", kafka, true},
                           {Dialect::confluent, "thing.view", meta, false},
                           {Dialect::problem, "thing.view", meta, false}}) {
    test::Rig other(only_echo(each.dialect, echo));
    for (const ActionRow& row : other.host().actions()) {
      if (row.name != each.action) continue;
      CHECK_EQUAL(each.fits, other.host().check_reply(row, {}, json(each.body, 400)).has_value());
    }
  }
}

TEST(ReplyForms, a_change_that_is_no_record_is_tried_without_a_word_of_its_handler) {
  echo->next = Reply::no_content();
  const Json would = rig.json("POST /echo/beside?dryrun=true");
  CHECK(would["dryrun"] == true && would["would"]["status"] == 204);
  CHECK_EQUAL(204, rig.send("POST /echo/beside").status);
}

struct ComplaintRig : EchoRig {
  std::string complaint() {
    const auto all = test::take_complaints();
    return all.empty() ? "" : all.front();
  }
  bool complains_of(const char* what) { return complaint().find(what) != std::string::npos; }
};

TEST_GROUP_BASE(ReplyCheck, ComplaintRig){};

TEST(ReplyCheck, what_keeps_its_promises_passes) {
  CHECK_EQUAL(200, rig.send("GET /echo/thing").status);
  CHECK_EQUAL(200, rig.send("POST /echo/thing").status);
  CHECK_EQUAL(200, rig.send("POST /echo/thing?dryrun=true").status);
  STRCMP_EQUAL("", complaint().c_str());
}

TEST(ReplyCheck, a_reply_that_breaks_its_promise_is_told_with_action_pointer_and_body) {
  echo->next = Reply::json(Json{{"id", "one"}});
  rig.send("GET /echo/thing");
  const std::string told = complaint();
  for (const char* part : {"thing.view", "GET /echo/thing", "/id", R"({"id":"one"})"}) {
    CHECK(told.find(part) != std::string::npos);
  }
  STRCMP_EQUAL("", complaint().c_str());
}

TEST(ReplyCheck, a_dry_run_that_changes_a_record_is_told) {
  echo->leaks = true;
  rig.send("POST /echo/thing?dryrun=true");
  CHECK(complains_of("echo.things leaked"));
}

TEST(ReplyCheck, a_dry_run_that_says_something_else_than_comes_is_told) {
  echo->lies = true;
  test::forget_tried();
  rig.send("POST /echo/thing");
  CHECK(complains_of("said 201"));
}

TEST(ReplyCheck, a_store_tells_the_changes_of_its_own_thread_alone) {
  test::WatchedStore::Watch watch;
  const auto put = [this](const char* key) {
    CHECK_OK(rig.store().write([key](store::Writer& writer) -> base::Result<void> {
      TRY(writer.put(kThings, key, "1"));
      return {};
    }));
  };
  put("mine");
  std::thread other(put, "another's");
  other.join();
  const base::Result<void> undone =
      rig.store().write([](store::Writer& writer) -> base::Result<void> {
        TRY(writer.put(kThings, "undone", "1"));
        return base::Error{base::Code::internal, "", "internal"};
      });
  CHECK_FALSE(undone.has_value());
  CHECK_EQUAL(1U, watch.transactions().size());
  STRCMP_EQUAL("echo.things mine", watch.transactions().at(0).at(0).c_str());
}

}  // namespace

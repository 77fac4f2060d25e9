// SPDX-License-Identifier: Apache-2.0
// What is appended lies beside the store, and goes through the pipeline like any other change:
// rules, the gate, Idempotency-Key.
#include "services/change/service.h"
#include "services/framework/idempotency.h"
#include "tests/unit/services/event/event_rig.h"

using namespace fixture;

namespace {

// Denies what a test says, and notes what it was asked.
class Rules final : public services::Service, public services::Policy {
 public:
  std::string_view name() const override { return "rules"; }
  std::string_view mount() const override { return "/rules"; }
  std::vector<store::Collection> collections() const override { return {}; }
  void actions(services::ActionTable&) override {}
  base::Result<void> start(services::Host& host) override {
    host.provide(static_cast<services::Policy&>(*this));
    return {};
  }
  base::Result<void> limits(services::Call& call) override {
    if (call.action().name != denied) return {};
    return base::Error{base::Code::failed_precondition, "not on Sundays", "policy_denied"};
  }
  base::Result<bool> before(services::Call& call) override {
    call.mutable_body()["data"] = {{"seen", call.org().fqon}};
    return false;
  }
  base::Result<void> after(services::Call& call, const services::Reply&) override {
    call.emit("rules.passed", {{"action", call.action().name}});
    return {};
  }
  bool concerns(std::string_view action) override { return action == concerned; }
  std::string denied = "none";
  std::string concerned = "none";
};

std::vector<std::unique_ptr<services::Service>> ruled(Rules*& rules) {
  auto all = hosted();
  all.push_back(std::make_unique<services::change::ChangeService>(
      services::change::ChangeService::Systems{}));
  auto made = std::make_unique<Rules>();
  rules = made.get();
  all.push_back(std::move(made));
  return all;
}

struct BesideRig : public Utest {
  Rules* rules = nullptr;
  Rig rig{ruled(rules)};
  void setup() override {
    for (const char* right : {"alice/event:orders:read", "alice/event:orders:write",
                              "bob/change:approve", "root/*", "alice/event:gestalt:read"})
      rig.security.granted.insert(right);
    const Json channel = {{"name", "orders"}, {"org_id", services::test::kAcmeId}};
    send("root", "POST /event/channels", channel, 201);
  }
  rest::Response send(const std::string& as, const std::string& line, const Json& body, int status,
                      const std::string& key = "") {
    services::test::Sent sent{.as = as, .body = body.is_null() ? "" : base::dump_json(body)};
    if (!key.empty()) sent.headers["idempotency-key"] = key;
    auto reply = rig.send(line, sent);
    if (reply.status != status) FAIL((line + ": " + reply.body).c_str());
    return reply;
  }
  rest::Response append(int status, const std::string& key = "") {
    return send("alice", "POST /event/channels/orders/events", {{"event_name", "paid"}}, status,
                key);
  }
  Json events() { return rig.json("GET /event/channels/orders/events", {.as = "alice"})["events"]; }
  void forget_replies() {
    CHECK_OK(rig.store().write([](store::Writer& writer) -> base::Result<void> {
      for (const store::Record& kept : TRY(writer.list(services::kIdempotency, {})))
        TRY(writer.remove(services::kIdempotency, kept.key));
      return {};
    }));
  }
  void hold_appends() {
    send("root", "POST /change/handlers",
         {{"name", "orders"}, {"org_id", services::test::kAcmeId}, {"match_actions", {"event.*"}}},
         201);
  }
};

}  // namespace

TEST_GROUP_BASE(EventBeside, BesideRig){};

TEST(EventBeside, a_call_that_comes_again_under_its_key_appends_once) {
  const rest::Response first = append(200, "k1");
  STRCMP_EQUAL(first.body.c_str(), append(200, "k1").body.c_str());
  LONGS_EQUAL(1, events().size());
  // As when the process dies between the log and the reply that is kept: the ids are the same.
  forget_replies();
  const Json again = Json::parse(append(200, "k1").body);
  CHECK_TRUE(again["placed"][0]["duplicate"].get<bool>());
  LONGS_EQUAL(1, events().size());
  append(200, "k2");
  append(200);
  append(200);
  LONGS_EQUAL(4, events().size());
}

TEST(EventBeside, what_the_gate_holds_is_appended_when_it_is_approved_and_once) {
  hold_appends();
  const rest::Response held = append(202);
  const Json tried = rig.json("POST /event/channels/orders/events?dryrun=true",
                              {.as = "alice", .body = R"({"event_name":"paid"})"});
  LONGS_EQUAL(202, tried["would"]["status"].get<int>());
  LONGS_EQUAL(0, events().size());
  LONGS_EQUAL(1, rig.json("GET /change/orgs/root/changes", {.as = "root"}).size());
  const std::string change = "/change/changes/" + held.headers.at("Change-Id");
  send("bob", "POST " + change + "/approve", Json::object(), 200);
  rig.until([&] {
    rig.drain();
    return rig.json("GET " + change, {.as = "root"})["status"] == "completed";
  });
  LONGS_EQUAL(1, events().size());
  STRCMP_EQUAL("paid", events()[0]["event_name"].get<std::string>().c_str());
}

TEST(EventBeside, records_of_confluents_dialect_are_held_with_their_bytes) {
  hold_appends();
  services::test::Sent sent{.as = "alice", .body = R"({"records":[{"key":"k","value":{"n":7}}]})"};
  sent.headers["content-type"] = kJsonRecords;
  const rest::Response held = rig.send("POST /kafka/topics/orders", sent);
  LONGS_EQUAL(202, held.status);
  const std::string change = "/change/changes/" + held.headers.at("Change-Id");
  send("bob", "POST " + change + "/approve", Json::object(), 200);
  rig.until([&] {
    rig.drain();
    return rig.json("GET " + change, {.as = "root"})["status"] == "completed";
  });
  LONGS_EQUAL(1, events().size());
  LONGS_EQUAL(7, events()[0]["data"]["n"].get<int>());
}

TEST(EventBeside, rules_deny_change_and_hear_of_what_is_appended) {
  rules->denied = "event.append";
  append(409);
  LONGS_EQUAL(0, events().size());
  rules->denied = "none";
  rules->concerned = "event.append";
  append(200);
  STRCMP_EQUAL("acme", events()[0]["data"]["seen"].get<std::string>().c_str());
  rig.drain();
  const Json told = rig.json("GET /event/channels/gestalt/events?filter=" +
                                 base::percent_encode("name == \"rules.passed\""),
                             {.as = "alice"});
  LONGS_EQUAL(1, told["events"].size());
}

TEST(EventBeside, trying_to_make_a_consumer_whose_name_is_taken_says_so) {
  const Json named = {{"name", "one"}, {"format", "json"}};
  send("alice", "POST /kafka/consumers/g?dryrun=true", named, 200);
  send("alice", "POST /kafka/consumers/g", named, 200);
  const rest::Response taken = rig.send("POST /kafka/consumers/g?dryrun=true",
                                        {.as = "alice", .body = base::dump_json(named)});
  LONGS_EQUAL(409, taken.status);
  LONGS_EQUAL(40902, Json::parse(taken.body)["error_code"].get<int>());
}

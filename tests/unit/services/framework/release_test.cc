// SPDX-License-Identifier: Apache-2.0
// Calls that were held, carried out later: unchanged, as their caller, with the rights of then.
#include <CppUTest/TestHarness.h>

#include <nlohmann/json.hpp>

#include "services/framework/call_state.h"
#include "services/framework/running_host.h"
#include "tests/support/services/notes.h"
#include "tests/support/services/rig.h"

namespace {

using namespace services;
using base::Json;
using test::Rig;

std::vector<std::unique_ptr<Service>> with_notes() {
  std::vector<std::unique_ptr<Service>> all;
  all.push_back(std::make_unique<test::Notes>());
  return all;
}

TEST_GROUP(Release) {
  Rig rig{with_notes()};
  void setup() override { rig.security.granted = {"alice/writeNotes", "alice/readNotes"}; }
};

TEST(Release, a_captured_call_runs_again_as_its_caller_and_only_unchanged) {
  Json captured;
  rest::Request made;
  made.method = rest::Method::post;
  made.path = "/notes/acme/notes";
  made.path_parameters = {{"org", "acme"}};
  made.body = R"({"text":"held"})";
  Call call(rig.host());
  call.state().request = &made;
  for (const ActionRow& row : rig.host().actions()) {
    if (row.name == "note.create") call.state().row = &row;
  }
  Caller alice;
  alice.account_id = alice.name = "alice";
  alice.credential = CredentialKind::token;
  call.state().caller = std::make_shared<const Caller>(alice);
  call.mutable_body() = Json::parse(made.body);
  captured = call.capture();

  const auto done = rig.host().perform(captured);
  CHECK_OK(done);
  CHECK_EQUAL(201, done->status);
  CHECK(Json::parse(done->body)["author"] == "alice");
  Json forged = captured;
  forged["raw"] = R"({"text":"forged"})";
  CHECK_ERROR(base::Code::corrupt, "capture_invalid", rig.host().perform(forged));
  // What was taken away between the hold and the release counts.
  rig.security.gone.insert("alice");
  const auto of_nobody = rig.host().perform(captured);
  CHECK_OK(of_nobody);
  CHECK_EQUAL(401, of_nobody->status);
  rig.security.gone.clear();
  rig.security.granted.clear();
  const auto without_right = rig.host().perform(captured);
  CHECK_OK(without_right);
  CHECK_EQUAL(403, without_right->status);
}

}  // namespace

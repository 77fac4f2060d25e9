// SPDX-License-Identifier: Apache-2.0
#include <CppUTest/TestHarness.h>

#include "tests/support/services/notes.h"
#include "tests/support/services/rig.h"

namespace {

using namespace services;

std::vector<std::unique_ptr<Service>> only_notes() {
  std::vector<std::unique_ptr<Service>> all;
  all.push_back(std::make_unique<test::Notes>());
  return all;
}

TEST_GROUP(Edge) {
  test::Rig rig{only_notes(), nullptr, {.cors_origins = {"https://ui.example"}}};
};

TEST(Edge, who_has_no_account_learns_nothing_about_paths) {
  CHECK_EQUAL(401, rig.send("GET /nothing").status);
  CHECK_EQUAL(404, rig.send("GET /nothing", {.as = "bob"}).status);
  CHECK_EQUAL(405, rig.send("PUT /notes/about", {.as = "bob"}).status);
}

TEST(Edge, browsers_may_call_from_the_origins_that_are_allowed_and_no_others) {
  const auto from = [&](const char* origin) {
    return rig.send("GET /notes/about", {.headers = {{"origin", origin}}}).headers;
  };
  CHECK(from("https://ui.example").at("Access-Control-Allow-Origin") == "https://ui.example");
  CHECK(!from("https://evil.example").contains("Access-Control-Allow-Origin"));
}

TEST(Edge, options_tells_the_methods_of_a_path) {
  rest::Request request;
  request.path = "/notes/root/notes";
  request.headers["origin"] = "https://ui.example";
  const auto reply = rig.host().table().options_row()->handler(request);
  CHECK_OK(reply);
  CHECK(reply->headers.at("Allow") == "OPTIONS, GET, POST");
  CHECK(reply->headers.contains("Access-Control-Allow-Headers"));
}

}  // namespace

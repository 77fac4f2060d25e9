// SPDX-License-Identifier: Apache-2.0
#include <CppUTest/TestHarness.h>

#include <nlohmann/json.hpp>
#include <set>

#include "tests/support/services/notes.h"
#include "tests/support/services/rig.h"

namespace {

using namespace services;
using base::Json;

TEST_GROUP(OpenApi) {
  std::vector<std::unique_ptr<Service>> all() {
    std::vector<std::unique_ptr<Service>> made;
    made.push_back(std::make_unique<test::Notes>());
    return made;
  }
  test::Rig rig{all()};
};

TEST(OpenApi, every_row_is_there_in_both_spellings_with_its_schemas) {
  const Json api = rig.host().openapi("1");
  CHECK(api["paths"].contains("/notes/orgs/{org}/notes"));
  const Json& create = api["paths"]["/notes/{org}/notes"]["post"];
  CHECK(create["x-access"] == "right" && create["x-grant"] == "writeNotes");
  CHECK(create["requestBody"]["content"]["application/json"]["schema"]["required"][0] == "text");
  CHECK(api["components"]["schemas"].contains("Note"));
  CHECK(api["paths"]["/notes/about"]["get"]["security"].empty());
}

TEST(OpenApi, replies_of_every_kind_are_there) {
  const Json api = rig.host().openapi("1");
  const Json& responses = api["paths"]["/notes/{org}/notes"]["post"]["responses"];
  const Json& forms = responses["2XX"]["content"]["application/json"]["schema"]["anyOf"];
  STRCMP_EQUAL(
      R"([{"$ref":"#/components/schemas/Note"},{"$ref":"#/components/schemas/DryRun"},{"$ref":"#/components/schemas/Explained"}])",
      base::dump_json(forms).c_str());
  CHECK(responses["202"]["content"]["application/json"]["schema"]["anyOf"][0]["$ref"] ==
        "#/components/schemas/Task");
  const Json& failures = responses["default"]["content"];
  CHECK(failures["application/json"]["schema"]["$ref"] == "#/components/schemas/MetaError");
  CHECK(failures.contains("application/problem+json"));
  // One that has no JSON says so.
  const Json& gone = api["paths"]["/notes/{org}/notes/{note}"]["delete"]["responses"]["2XX"];
  CHECK(gone["content"].contains("*/*"));
}

TEST(OpenApi, no_two_operations_have_one_name) {
  const Json api = rig.host().openapi("1");
  std::set<std::string> names;
  std::size_t count = 0;
  for (const auto& [path, methods] : api["paths"].items()) {
    for (const auto& [method, operation] : methods.items()) {
      names.insert(operation["operationId"].get<std::string>());
      ++count;
    }
  }
  CHECK_EQUAL(count, names.size());
  CHECK(names.contains("notes.about") && names.contains("note.list.get.notes._org.notes"));
}

TEST(OpenApi, every_mutation_can_be_tried_without_effect) {
  const Json api = rig.host().openapi("1");
  for (const auto& [path, methods] : api["paths"].items()) {
    for (const auto& [method, operation] : methods.items()) {
      bool has_dryrun = false;
      for (const Json& each : operation["parameters"]) {
        has_dryrun = has_dryrun || each["name"] == "dryrun";
      }
      CHECK_EQUAL(operation["x-kind"] == "mutation", has_dryrun);
    }
  }
}

}  // namespace

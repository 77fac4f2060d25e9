// SPDX-License-Identifier: Apache-2.0
#include "cli/manifest.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"
#include "tests/support/temp_folder.h"

using base::Code;
using base::Json;
using namespace cli;

TEST_GROUP(Manifest){};

TEST(Manifest, yaml_documents_and_json_lists_give_the_same) {
  const auto yaml = UNWRAP(parse_manifests(
      "a.yaml", "kind: containers\nname: web\nproperties: {n: 1}\n---\nkind: policies\nname: p\n"));
  const auto json = UNWRAP(parse_manifests(
      "a.json",
      R"([{"kind":"containers","name":"web","properties":{"n":1}},{"kind":"policies","name":"p"}])"));
  CHECK_EQUAL(2u, yaml.size());
  CHECK_EQUAL(2u, json.size());
  CHECK(yaml[0].body == json[0].body);
  CHECK_FALSE(yaml[0].body.contains("kind"));
}

TEST(Manifest, what_is_missing_is_named) {
  CHECK_ERROR(Code::invalid_argument, "manifest_invalid",
              parse_manifests("a.yaml", "kind: containers\n"));
  CHECK_ERROR(Code::invalid_argument, "manifest_invalid", parse_manifests("a.yaml", "name: web\n"));
  CHECK_ERROR(Code::invalid_argument, "manifest_invalid",
              parse_manifests("a.yaml", "kind: rules\nname: r\nparent: p\n"));
  CHECK_ERROR(Code::invalid_argument, "manifest_invalid", parse_manifests("a.yaml", "\n"));
  CHECK_ERROR(Code::invalid_argument, "json_invalid", parse_manifests("a.json", "{"));
}

TEST(Manifest, a_folder_is_read_in_order_of_name) {
  TempFolder folder;
  for (const char* name : {"2.yaml", "1.json", "3.txt"}) {
    std::ofstream(folder.path() / name) << R"({"kind":"containers","name":")" << name << "\"}";
  }
  const auto manifests = UNWRAP(read_manifests({folder.path().string()}));
  CHECK_EQUAL(2u, manifests.size());
  STRCMP_EQUAL("1.json", manifests[0].name.c_str());
}

TEST(Manifest, only_what_is_said_is_compared) {
  const Json now = {{"description", "old"},
                    {"properties",
                     {{"n", 1},
                      {"status", "RUNNING"},
                      {"env", {{"A", "1"}}},
                      {"items", "********"},
                      {"lambda", {{"id", "l"}}}}}};
  CHECK(compare(now, {{"properties", {{"n", 1}}}}).empty());
  CHECK(compare(now, {{"properties", {{"items", {{"k", "v"}}}, {"lambda", "l"}}}}).empty());
  const auto found = compare(
      now, {{"description", "new"}, {"properties", {{"n", 2}, {"env", {{"B", "2"}}}, {"x", 1}}}});
  CHECK_EQUAL(4u, found.size());
  STRCMP_EQUAL("/description", found[0].pointer.c_str());
  STRCMP_CONTAINS("~ /properties/n: 1 -> 2", render_differences(found).c_str());
  STRCMP_CONTAINS("+ /properties/env/B: \"2\"", render_differences(found).c_str());
}

TEST(Manifest, a_null_takes_away) {
  const auto found = compare({{"properties", {{"env", {{"A", "1"}}}}}},
                             {{"properties", {{"env", {{"A", nullptr}}}}}});
  CHECK_EQUAL(1u, found.size());
  STRCMP_EQUAL(R"([{"op":"remove","path":"/properties/env/A"}])",
               base::dump_json(patch_of(found)).c_str());
}

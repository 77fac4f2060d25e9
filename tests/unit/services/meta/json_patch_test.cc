// SPDX-License-Identifier: Apache-2.0
#include "services/meta/json_patch.h"

#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"

using base::Code;
using base::Json;
using namespace services::meta;

namespace {

base::Result<Json> patched(const std::string& document, const std::string& patch) {
  const auto body = TRY(base::parse_json(patch));
  const auto operations = TRY(read_patch(body));
  return apply_patch(*base::parse_json(document), operations);
}

void check_patched(const std::string& document, const std::string& patch,
                   const std::string& expected) {
  STRCMP_EQUAL(expected.c_str(), base::dump_json(UNWRAP(patched(document, patch))).c_str());
}

}  // namespace

TEST_GROUP(JsonPatch){};

// The examples of RFC 6902, appendix A, that have no move and no copy.
TEST(JsonPatch, follows_the_examples_of_the_rfc) {
  check_patched(R"({"foo":"bar"})", R"([{"op":"add","path":"/baz","value":"qux"}])",
                R"({"baz":"qux","foo":"bar"})");
  check_patched(R"({"foo":["bar","baz"]})", R"([{"op":"add","path":"/foo/1","value":"qux"}])",
                R"({"foo":["bar","qux","baz"]})");
  check_patched(R"({"baz":"qux","foo":"bar"})", R"([{"op":"remove","path":"/baz"}])",
                R"({"foo":"bar"})");
  check_patched(R"({"foo":["bar","qux","baz"]})", R"([{"op":"remove","path":"/foo/1"}])",
                R"({"foo":["bar","baz"]})");
  check_patched(R"({"baz":"qux"})", R"([{"op":"replace","path":"/baz","value":"boo"}])",
                R"({"baz":"boo"})");
  check_patched(R"({"foo":["bar"]})", R"([{"op":"add","path":"/foo/-","value":["abc"]}])",
                R"({"foo":["bar",["abc"]]})");
  check_patched(R"({"/":9,"~1":10})", R"([{"op":"test","path":"/~01","value":10}])",
                R"({"/":9,"~1":10})");
}

TEST(JsonPatch, a_path_that_is_not_there_is_refused) {
  for (const char* patch :
       {R"([{"op":"remove","path":"/b"}])", R"([{"op":"replace","path":"/b","value":1}])",
        R"([{"op":"add","path":"/b/c","value":1}])", R"([{"op":"add","path":"/a/3","value":1}])",
        R"([{"op":"add","path":"/a/01","value":1}])", R"([{"op":"remove","path":"/a/-"}])"}) {
    CHECK_ERROR(Code::invalid_argument, "patch_path_absent", patched(R"({"a":[1,2]})", patch));
  }
}

TEST(JsonPatch, a_test_that_fails_refuses_the_whole_patch) {
  CHECK_ERROR(Code::failed_precondition, "patch_test_failed",
              patched(R"({"a":1})", R"([{"op":"replace","path":"/a","value":2},
                                        {"op":"test","path":"/a","value":1}])"));
}

TEST(JsonPatch, what_is_no_patch_is_refused_with_its_place) {
  for (const char* patch :
       {R"({})", R"([{"op":"move","path":"/a","from":"/b"}])",
        R"([{"op":"copy","path":"/a","from":"/b"}])", R"([{"op":"add","path":"a","value":1}])",
        R"([{"op":"add","path":"/a"}])", R"([{"op":"add","path":"/~2","value":1}])",
        R"([{"op":"eat","path":"/a"}])"}) {
    CHECK_ERROR(Code::invalid_argument, "patch_invalid", patched("{}", patch));
  }
}

TEST(JsonPatch, null_is_a_value) {
  check_patched(R"({"a":1})", R"([{"op":"replace","path":"/a","value":null}])", R"({"a":null})");
}

TEST(JsonPatch, the_patch_between_two_documents_makes_one_of_the_other) {
  const Json from = {{"a", 1}, {"b", {1, 2, 3}}, {"c", {{"d", "e"}}}};
  const Json to = {{"a", 2}, {"b", {1, 3}}, {"x", nullptr}};
  const auto operations = UNWRAP(read_patch(patch_between(from, to)));
  CHECK(UNWRAP(apply_patch(from, operations)) == to);
}

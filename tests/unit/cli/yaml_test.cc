// SPDX-License-Identifier: Apache-2.0
#include "cli/yaml.h"

#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"

using base::Code;
using base::Json;

namespace {

std::string one(const char* text) {
  const auto documents = UNWRAP(cli::parse_yaml(text));
  return documents.empty() ? "nothing" : base::dump_json(documents.front());
}

}  // namespace

TEST_GROUP(Yaml){};

TEST(Yaml, scalars_follow_the_core_schema) {
  STRCMP_EQUAL(R"([null,null,true,false,1,-2,1.5,"1.5.2","yes","on","0x1f","a b",""])",
               one("[~, null, true, False, 1, -2, 1.5, 1.5.2, yes, on, 0x1f, a b, \"\"]").c_str());
  STRCMP_EQUAL(R"(["1","true","~"])", one("['1', \"true\", '~']").c_str());
}

TEST(Yaml, maps_lists_and_documents) {
  STRCMP_EQUAL(R"({"a":{"b":[1,{"c":2}]},"t":"x\ny\n"})",
               one("a:\n  b:\n  - 1\n  - c: 2\nt: |\n  x\n  y\n").c_str());
  CHECK_EQUAL(2u, UNWRAP(cli::parse_yaml("a: 1\n---\nb: 2\n")).size());
  CHECK(UNWRAP(cli::parse_yaml("")).empty());
  CHECK(UNWRAP(cli::parse_yaml("# only a comment\n")).empty());
}

TEST(Yaml, what_json_has_not_is_refused) {
  for (const char* text :
       {"a: &x 1\nb: *x\n", "a: !!str 1\n", "<<: {a: 1}\n", "a: 1\na: 2\n", "? [a]\n: 1\n",
        "a: [1\n", "a: !custom x\n", "a:\n\t- 1\n", "\xff\xfe"}) {
    CHECK_ERROR(Code::invalid_argument, "yaml_invalid", cli::parse_yaml(text));
  }
}

TEST(Yaml, size_and_depth_are_bounded) {
  CHECK_ERROR(Code::too_large, "yaml_invalid", cli::parse_yaml(std::string(2 << 20, 'a')));
  CHECK_ERROR(Code::invalid_argument, "yaml_invalid", cli::parse_yaml(std::string(100, '[')));
  CHECK_ERROR(Code::invalid_argument, "yaml_invalid",
              cli::parse_yaml("[1, 2, 3]", {.values_max = 3}));
}

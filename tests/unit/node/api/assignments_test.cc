// SPDX-License-Identifier: Apache-2.0
#include "node/api/assignments.h"

#include <string>

#include "tests/support/check_result.h"

using node::api::Assignments;
using node::api::decode_assignments;

namespace {

const std::string kDigest(64, 'a');

std::string one_instance(const std::string& fields) {
  return R"({"generation":7,"instances":[{"id":"a.1","spec":")" + kDigest + "\"" + fields + "}]}";
}

}  // namespace

TEST_GROUP(Assignments){};

TEST(Assignments, what_was_written_is_read_back) {
  Assignments all;
  all.generation = 9;
  all.instances.push_back({node::api::InstanceId("a.1"), kDigest, 3, {3001, 3002}});
  all.instances.push_back({node::api::InstanceId("b.1"), kDigest, 1, {}, node::api::Goal::stopped});
  const Assignments read = UNWRAP(decode_assignments(encode(all)));
  CHECK(read == all);
}

TEST(Assignments, an_empty_list_is_a_valid_wish) {
  LONGS_EQUAL(0, UNWRAP(decode_assignments(R"({"generation":1,"instances":[]})")).instances.size());
}

TEST(Assignments, every_wrong_field_is_named) {
  const struct {
    std::string text;
    const char* reason;
    const char* pointer;
  } cases[] = {
      {"[]", "not_an_object", ""},
      {"{}", "field_missing", "/generation"},
      {R"({"generation":-1})", "field_invalid", "/generation"},
      {R"({"generation":1,"extra":1})", "field_unknown", "/extra"},
      {R"({"generation":1,"instances":{}})", "field_invalid", "/instances"},
      {R"({"generation":1,"instances":[1]})", "not_an_object", "/instances/0"},
      {R"({"generation":1,"instances":[{}]})", "field_missing", "/instances/0/id"},
      {R"({"generation":1,"instances":[{"id":"../x"}]})", "field_invalid", "/instances/0/id"},
      {R"({"generation":1,"instances":[{"id":"a"}]})", "field_missing", "/instances/0/spec"},
      {R"({"generation":1,"instances":[{"id":"a","spec":"ABC"}]})", "field_invalid",
       "/instances/0/spec"},
      {one_instance(R"(,"epoch":-1)"), "field_invalid", "/instances/0/epoch"},
      {one_instance(R"(,"ports":[0])"), "field_invalid", "/instances/0/ports"},
      {one_instance(R"(,"ports":[65536])"), "field_invalid", "/instances/0/ports"},
      {one_instance(R"(,"ports":["3000"])"), "field_invalid", "/instances/0/ports"},
      {one_instance(R"(,"goal":"paused")"), "field_invalid", "/instances/0/goal"},
      {one_instance(R"(,"x":1)"), "field_unknown", "/instances/0/x"},
  };
  for (const auto& each : cases) {
    const auto read = decode_assignments(each.text);
    CHECK_ERROR(base::Code::invalid_argument, each.reason, read);
    STRCMP_EQUAL_TEXT(each.pointer, read.error().pointer.c_str(), each.text.c_str());
  }
}

TEST(Assignments, the_same_instance_twice_is_refused) {
  const std::string item = R"({"id":"a","spec":")" + kDigest + "\"}";
  const auto read =
      decode_assignments(R"({"generation":1,"instances":[)" + item + "," + item + "]}");
  CHECK_ERROR(base::Code::invalid_argument, "field_invalid", read);
  STRCMP_EQUAL("/instances/1/id", read.error().pointer.c_str());
}

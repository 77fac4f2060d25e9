// SPDX-License-Identifier: Apache-2.0
#include "node/api/node.h"

#include <string>

#include "tests/support/check_result.h"

using node::api::decode_node;
using node::api::Node;

TEST_GROUP(Node){};

TEST(Node, what_was_written_is_read_back) {
  Node node;
  node.name = "n1.example";
  node.address = "10.0.0.2";
  node.zone = node::api::Zone::dmz;
  node.attributes = {{"rack", "r1"}};
  node.resources = {4, 8'000'000'000, 1};
  node.port_first = 3100;
  node.port_last = 3100;
  node.boot_id = "7f";
  CHECK(UNWRAP(decode_node(encode(node))) == node);
}

TEST(Node, every_wrong_field_is_named) {
  const struct {
    const char* text;
    const char* reason;
    const char* pointer;
  } cases[] = {
      {"{}", "field_missing", "/name"},
      {R"({"name":"a/b","address":"1"})", "field_invalid", "/name"},
      {R"({"name":"a"})", "field_missing", "/address"},
      {R"({"name":"a","address":"1","zone":"moon"})", "field_invalid", "/zone"},
      {R"({"name":"a","address":"1","attributes":{"k":1}})", "field_invalid", "/attributes/k"},
      {R"({"name":"a","address":"1","resources":{"cpus":-1}})", "field_invalid", "/resources/cpus"},
      {R"({"name":"a","address":"1","resources":{"gpus":1}})", "field_unknown", "/resources/gpus"},
      {R"({"name":"a","address":"1","port_first":9,"port_last":8})", "field_invalid", "/port_last"},
      {R"({"name":"a","address":"1","port_first":0})", "field_invalid", "/port_first"},
  };
  for (const auto& each : cases) {
    const auto read = decode_node(each.text);
    CHECK_ERROR(base::Code::invalid_argument, each.reason, read);
    STRCMP_EQUAL_TEXT(each.pointer, read.error().pointer.c_str(), each.text);
  }
}

// SPDX-License-Identifier: Apache-2.0
#include "node/agent/record.h"

#include "tests/support/check_result.h"

using node::agent::decode_record;
using node::agent::Record;

TEST_GROUP(Record){};

TEST(Record, what_was_written_is_read_back) {
  node::api::RunSpec spec;
  spec.app = "/p";
  spec.version = "v";
  spec.kind = node::api::RunKind::process;
  spec.argv = {"/bin/true"};
  Record record;
  record.status.id = node::api::InstanceId("p.1");
  record.status.state = node::api::InstanceState::running;
  record.spec = std::make_shared<const node::api::RunSpec>(spec);
  record.spec_digest = std::string(64, 'a');
  record.uid_first = 4'000'000'000;
  record.image_digest = "sha256:x";
  record.boot_id = "b";
  record.stop_requested = true;
  const Record read = UNWRAP(decode_record(encode(record)));
  CHECK(read.status == record.status);
  CHECK(*read.spec == spec);
  CHECK(read.uid_first == 4'000'000'000);
  CHECK(read.stop_requested);
  STRCMP_EQUAL("gst-p.1-1.service", read.unit().c_str());
}

TEST(Record, a_damaged_record_is_corrupt) {
  for (const char* bad : {"", "{", "{}", R"({"spec_digest":"a","status":{},"spec":{}})",
                          R"({"spec_digest":"a"})", "[]"}) {
    CHECK_ERROR(base::Code::corrupt, "record_invalid", decode_record(bad));
  }
}

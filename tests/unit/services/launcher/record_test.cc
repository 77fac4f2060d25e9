// SPDX-License-Identifier: Apache-2.0
#include "services/launcher/record.h"

#include "common/store/store.h"
#include "tests/support/check_result.h"

using namespace services::launcher;

TEST_GROUP(LauncherRecord){};

TEST(LauncherRecord, what_was_written_is_read) {
  const Record record{"/gestalt/a/web-1", "eu", {"default"}, {"t1", "t2"}};
  CHECK(record == UNWRAP(parse_record(format_record(record))));
  CHECK_ERROR(base::Code::invalid_argument, "field_missing", parse_record("{}"));
}

TEST(LauncherRecord, it_is_found_by_the_containers_id) {
  auto store = store::make_memory({.collections = {{std::string(kContainers), {}}}});
  const auto written = store->write([](store::Writer& writer) -> base::Result<void> {
    CHECK_FALSE(UNWRAP(find_record(writer, "c")).has_value());
    CHECK_OK(put_record(writer, "c", {.app = "/a"}));
    STRCMP_EQUAL("/a", UNWRAP(find_record(writer, "c"))->app.c_str());
    return {};
  });
  CHECK_OK(written);
}

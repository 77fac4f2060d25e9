// SPDX-License-Identifier: Apache-2.0
#include "cli/event_lines.h"

#include "tests/support/check_result.h"

TEST_GROUP(EventLines){};

TEST(EventLines, a_status_update_is_one_line) {
  STRCMP_EQUAL(
      "08:00:01  status_update_event           /web t1 TASK_FAILED exit status 1\n",
      cli::event_line({"status_update_event",
                       R"({"eventType":"status_update_event","timestamp":"2026-01-31T08:00:01.5Z",
                          "appId":"/web","taskId":"t1","taskStatus":"TASK_FAILED","message":"exit status 1"})",
                       ""},
                      {})
          .c_str());
}

TEST(EventLines, health_changes_and_deployments_say_what_changed) {
  STRCMP_CONTAINS(
      "/web i1 unhealthy",
      cli::event_line({"x", R"({"appId":"/web","instanceId":"i1","alive":false})", ""}, {})
          .c_str());
  STRCMP_CONTAINS(
      "d-1 too slow",
      cli::event_line({"deployment_failed", R"({"id":"d-1","reason":"too slow"})", ""}, {})
          .c_str());
}

TEST(EventLines, data_that_is_no_json_is_shown_safely) {
  STRCMP_EQUAL("          odd?\n", cli::event_line({"odd\033", "x", ""}, {}).c_str());
  STRCMP_EQUAL("{\"data\":\"x\",\"eventType\":\"odd\"}\n",
               cli::event_json_line({"odd", "x", ""}).c_str());
}

TEST(EventLines, a_message_cannot_add_lines) {
  const std::string line = cli::event_line({"a", R"({"message":"x\ny"})", ""}, {});
  LONGS_EQUAL(line.size() - 1, line.find('\n'));
}

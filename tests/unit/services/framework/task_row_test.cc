// SPDX-License-Identifier: Apache-2.0
#include "services/framework/task_row.h"

#include <CppUTest/TestHarness.h>

#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"

namespace {

using namespace services;

constexpr base::WallTime kNow{std::chrono::milliseconds(1'800'000'000'000)};

TaskRow sample() {
  TaskRow task;
  task.id = "6b0ef1f4-1111-4222-8333-444455556666";
  task.service = "launcher";
  task.verb = "create";
  task.resource = "container";
  task.input = R"({"image":"nginx"})";
  task.created_ms = task.changed_ms = to_ms(kNow);
  task.runner = "launcher.deploy";
  return task;
}

TEST_GROUP(Tasks){};

TEST(Tasks, a_task_is_read_back_as_it_was_written) {
  TaskRow task = sample();
  task.errors = {{"no_space", "the node is full"}};
  task.progress = 40;
  const auto read = parse_task({task.id, format_task(task), 7});
  CHECK_OK(read);
  CHECK(read->input == task.input);
  CHECK(read->errors.size() == 1 && read->errors[0].message == "the node is full");
  CHECK_EQUAL(40, read->progress);
  CHECK_EQUAL(7U, read->version);
}

TEST(Tasks, text_that_is_no_task_is_damage) {
  CHECK_ERROR(base::Code::corrupt, "task_unreadable", parse_task({"x", "{", 1}));
  CHECK_ERROR(base::Code::corrupt, "task_unreadable", parse_task({"x", R"({"status":7})", 1}));
}

TEST(Tasks, a_task_that_has_ended_does_not_change) {
  TaskRow task = sample();
  CHECK_OK(end_task(task, {.message = "done", .link = "/meta/x"}, kNow));
  CHECK(task.status == "completed");
  CHECK_ERROR(base::Code::failed_precondition, "task_ended",
              end_task(task, {.succeeded = false}, kNow));
  CHECK_ERROR(base::Code::failed_precondition, "task_ended", cancel_task(task, kNow));
  CHECK(task.status == "completed");
}

TEST(Tasks, a_waiting_task_is_cancelled_at_once_and_a_running_one_when_its_runner_sees_it) {
  TaskRow waiting = sample();
  CHECK_OK(cancel_task(waiting, kNow));
  CHECK(waiting.status == "killed");
  TaskRow running = sample();
  running.status = "running";
  CHECK_OK(cancel_task(running, kNow));
  CHECK(running.status == "running" && running.cancel_wanted);
}

TEST(Tasks, the_api_shape_is_the_originals) {
  TaskRow task = sample();
  CHECK_OK(end_task(task, {.succeeded = false, .message = "no room", .code = "no_space"}, kNow));
  const base::Json json = api_task(task, "http://h/task");
  CHECK(json["href"] == "http://h/task/tasks/" + task.id);
  CHECK(json["status"] == "halted");
  CHECK(json["detail"]["action"]["verb"] == "create");
  CHECK(json["detail"]["request_data"]["image"] == "nginx");
  CHECK(json["detail"]["result"]["errors"][0]["message"] == "no room");
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
// A task as it is stored, and what may become of it. Written by calls and by the task runner, read
// by the task service.
//
//   pending ──▶ running ──▶ completed            scheduled: a start time lies ahead, then pending
//      │           │  └───▶ halted               killed: cancelled before it was done
//      │           └──────▶ pending (retry)      A task that has ended never changes again.
//      └──────────────────▶ killed
// Threads: plain data and functions over a transaction.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"
#include "common/store/store.h"
#include "services/framework/call.h"

namespace services {

inline constexpr std::string_view kTasks = "framework.tasks";

struct TaskError {
  std::string code;
  std::string message;
};

struct TaskRow {
  std::string id;
  std::string service;
  std::string verb;
  std::string resource;
  std::string status = "pending";
  std::string message;
  std::string owner;  // account id
  std::string owner_name;
  std::string org_id;
  std::string org_fqon;
  std::string runner;  // empty: moved on by its owner
  std::string parent;
  std::string input = "null";  // JSON text
  std::string link;            // result
  std::string result_message;
  std::vector<TaskError> errors;
  std::int64_t created_ms = 0;
  std::int64_t changed_ms = 0;
  std::int64_t due_ms = 0;       // not before
  std::int64_t deadline_ms = 0;  // 0: none
  std::int64_t attempt = 0;      // attempts begun
  std::int64_t retries_max = 0;
  std::int64_t progress = 0;  // percent
  bool cancel_wanted = false;
  std::uint64_t version = 0;  // of the record

  bool has_ended() const {
    return status == "completed" || status == "halted" || status == "killed";
  }
};

std::int64_t to_ms(base::WallTime time);
base::WallTime from_ms(std::int64_t ms);

// Errors: corrupt task_unreadable.
base::Result<TaskRow> parse_task(const store::Record& record);
std::string format_task(const TaskRow& task);
// Found by: status, owner, service, org, parent; "due" holds the ids that a runner may take.
store::Collection task_collection();

// Errors: not_found task_unknown.
base::Result<TaskRow> load_task(store::Reader& reader, std::string_view id);
base::Result<void> save_task(store::Writer& writer, TaskRow& task);

// Pure moves. Errors: failed_precondition task_ended.
base::Result<void> end_task(TaskRow& task, const TaskEnd& end, base::WallTime now);
base::Result<void> cancel_task(TaskRow& task, base::WallTime now);

// The original's ApiTask. `base` is the URL of the task service's mount.
base::Json api_task(const TaskRow& task, std::string_view base);

// The runner of calls that are performed later; its tasks' inputs are Call::capture().
inline constexpr std::string_view kPerformRunner = "framework.perform";
// What may be told of a captured call: neither its body nor its caller's rights.
base::Json call_outline(const base::Json& captured);

}  // namespace services

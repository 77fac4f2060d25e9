// SPDX-License-Identifier: Apache-2.0
#include "cli/task_wait.h"

#include <nlohmann/json.hpp>

#include "cli/event_reader.h"
#include "cli/views.h"
#include "common/base/clock.h"
#include "common/base/text.h"

namespace cli {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr int kStreamsMax = 50;  // of one task: a daemon that restarts ends them

bool has_ended(const Json& task) {
  const std::string status = text_at(task, "status");
  return status == "completed" || status == "halted" || status == "killed";
}

class Wait {
 public:
  Wait(const Session& session, Api& api, std::string id, base::Instant end)
      : session_(session), api_(api), id_(std::move(id)), end_(end) {}

  Result<void> run() {
    const std::string path = "/task/tasks/" + id_;
    task_ = TRY(api_.get(path));
    for (int streams = 0; !has_ended(task_); ++streams) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(end_ - base::system_clock().now());
      if (left.count() <= 0) return late();
      if (streams == kStreamsMax)
        return Error{Code::unavailable, "the stream of task " + id_ + " ends at once",
                     "event_stream_broken"};
      EventReader reader;
      Result<void> inner{};
      const auto outcome =
          api_.stream(path + "/stream", "text/event-stream", left, [&](std::string_view bytes) {
            inner = take(reader, bytes);
            return inner && !has_ended(task_);
          });
      if (!inner) return inner;
      if (!outcome && outcome.error().code == Code::timed_out) return late();
      if (!outcome) return outcome.error();
      if (!has_ended(task_)) task_ = TRY(api_.get(path));
    }
    return verdict();
  }

 private:
  Result<void> take(EventReader& reader, std::string_view bytes) {
    for (const ServerEvent& event : TRY(reader.push(bytes))) {
      if (event.type != "task") continue;
      task_ = TRY(base::parse_json(event.data, {.bytes_max = EventReader::kEventMax}));
      const std::string line = name() + ": " + text_at(task_, "detail/action/message");
      if (line != shown_ && !has_ended(task_)) session_.show_progress(line);
      shown_ = line;
    }
    return {};
  }
  std::string name() const {
    return text_at(task_, "detail/action/verb") + " of " +
           text_at(task_, "detail/request_data/name", text_at(task_, "detail/action/resource"));
  }
  Result<void> verdict() {
    session_.end_progress();
    if (text_at(task_, "status") == "completed") return {};
    return Error{Code::failed_precondition,
                 name() + " failed: " + text_at(task_, "detail/result/message", "it was cancelled"),
                 "task_failed"};
  }
  Error late() {
    session_.end_progress();
    return Error{Code::timed_out,
                 name() + " has not ended in time: " + text_at(task_, "detail/action/message") +
                     "; it goes on as task " + id_,
                 "task_not_ended"};
  }

  const Session& session_;
  Api& api_;
  const std::string id_;
  const base::Instant end_;
  Json task_;
  std::string shown_;
};

}  // namespace

std::string task_of(const Json& reply) {
  const bool is_task = reply.is_object() && reply.contains("uuid") && reply.contains("detail");
  return is_task ? text_at(reply, "uuid") : "";
}

Result<void> wait_for_tasks(const Session& session, Api& api, const std::vector<std::string>& tasks,
                            std::chrono::seconds timeout) {
  const base::Instant end = base::system_clock().now() + timeout;
  for (const std::string& task : tasks) TRY(Wait(session, api, task, end).run());
  return {};
}

}  // namespace cli

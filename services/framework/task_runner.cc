// SPDX-License-Identifier: Apache-2.0
#include "services/framework/task_runner.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/log.h"

namespace services {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::size_t kOpenTasksMax = 100'000;
constexpr std::int64_t kPauseMs = 1000;
constexpr std::int64_t kPauseMsMax = 300'000;

bool may_be_tried_again(Code code) {
  return code == Code::unavailable || code == Code::timed_out || code == Code::throttled ||
         code == Code::conflict;
}

std::int64_t pause_ms(std::int64_t attempt) {
  const std::int64_t doublings = std::min<std::int64_t>(attempt - 1, 16);
  return std::min(kPauseMs << std::max<std::int64_t>(doublings, 0), kPauseMsMax);
}

}  // namespace

// What a runner sees of its task.
struct TaskRunner::Attempt final : TaskRun {
  Attempt(TaskRunner& owner, const TaskRow& of, Json parsed)
      : runner(owner), task(of), data(std::move(parsed)) {}
  const std::string& id() const override { return task.id; }
  const Json& input() const override { return data; }
  int attempt() const override { return static_cast<int>(task.attempt); }
  bool is_cancelled() const override { return runner.is_cancelled(task.id); }
  Host& host() override { return runner.host_; }
  Result<void> progress(int percent, std::string message) override {
    return host().transact("task.progress", internal_caller(task.service), [&](Call& call) {
      return call.progress_task(task.id, percent, message);
    });
  }
  Result<void> finish(TaskEnd end, const std::function<Result<void>(Call&)>& work) override {
    if (Result<void> outcome = host().transact("task.finish", internal_caller(task.service),
                                               [&](Call& call) -> Result<void> {
                                                 if (work) TRY(work(call));
                                                 return call.finish_task(task.id, end);
                                               });
        !outcome) {
      return std::move(outcome).error();
    }
    finished = true;
    return {};
  }

  TaskRunner& runner;
  const TaskRow& task;
  const Json data;
  bool finished = false;
};

TaskRunner::TaskRunner(Host& host) : host_(host), self_(std::make_shared<TaskRunner*>(this)) {}
TaskRunner::~TaskRunner() { stop(); }

void TaskRunner::add(std::string name, Runner runner) {
  runners_[std::move(name)] = std::move(runner);
}

Result<void> TaskRunner::start() {
  std::vector<std::string> open;
  if (Result<void> outcome = host_.store().read([&](store::Reader& reader) -> Result<void> {
        store::Range range{.limit = 1000};
        for (;;) {
          const auto found = TRY(reader.find_by(kTasks, "due", "due", range));
          for (const store::Record& record : found) open.push_back(record.key);
          if (found.size() < range.limit || open.size() >= kOpenTasksMax) return {};
          range.after = found.back().key;
        }
      });
      !outcome) {
    return std::move(outcome).error();
  }
  {
    const std::lock_guard lock(mutex_);
    stopped_ = false;
  }
  note(std::move(open));
  return {};
}

void TaskRunner::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  timer_.reset();
  self_.reset();
}

bool TaskRunner::is_cancelled(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  return stopped_ || cancelled_.contains(id);
}

void TaskRunner::note(std::vector<std::string> ids) {
  for (const std::string& id : ids) look(id);
  arm_later();
}

// From any thread; arm() itself is the loop's.
void TaskRunner::arm_later() {
  std::weak_ptr<TaskRunner*> weak;
  {
    const std::lock_guard lock(mutex_);
    weak = self_;
  }
  host_.post([weak] {
    if (const auto runner = weak.lock()) (*runner)->arm();
  });
}

void TaskRunner::look(const std::string& id) {
  std::optional<TaskRow> task;
  const Result<void> read = host_.store().read([&](store::Reader& reader) -> Result<void> {
    const auto found = TRY(reader.find(kTasks, id));
    if (found) task = TRY(parse_task(*found));
    return {};
  });
  if (!read)
    return base::log::failure("TASK_UNREADABLE", "a task is left alone", {{"task", id}},
                              read.error());
  if (!task) return;
  const std::lock_guard lock(mutex_);
  if (task->cancel_wanted) cancelled_.insert(id);
  if (task->has_ended()) {
    due_.erase(id);
    if (!running_.contains(id)) cancelled_.erase(id);
    return;
  }
  if (task->runner.empty() && task->deadline_ms == 0) return;
  if (running_.contains(id) || due_.size() >= kOpenTasksMax) return;
  due_[id] = task->runner.empty() ? task->deadline_ms : task->due_ms;
}

void TaskRunner::arm() {
  const std::lock_guard lock(mutex_);
  if (stopped_ || due_.empty()) return;
  const auto first = std::min_element(
      due_.begin(), due_.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  const std::int64_t now = to_ms(host_.clock().wall());
  const std::int64_t wait = std::clamp<std::int64_t>(first->second - now, 0, 60'000);
  timer_ = host_.timers().after(std::chrono::milliseconds(wait), [this] { fire(); });
}

void TaskRunner::fire() {
  const std::int64_t now = to_ms(host_.clock().wall());
  std::vector<std::string> ready;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    for (const auto& [id, when] : due_) {
      if (when <= now) ready.push_back(id);
    }
    for (const std::string& id : ready) {
      due_.erase(id);
      running_.insert(id);
    }
  }
  for (const std::string& id : ready) {
    if (host_.submit([this, id] { attempt(id); })) continue;
    const std::lock_guard lock(mutex_);  // no room among the workers: a little later
    running_.erase(id);
    due_[id] = now + kPauseMs;
  }
  arm();
}

Result<std::optional<TaskRow>> TaskRunner::claim(const std::string& id) {
  std::optional<TaskRow> claimed;
  if (Result<void> outcome = host_.transact("task.claim", internal_caller("task"),
                                            [&](Call& call) -> Result<void> {
                                              claimed.reset();
                                              TaskRow task = TRY(load_task(call.read(), id));
                                              if (task.has_ended()) return {};
                                              task.changed_ms = to_ms(call.now());
                                              if (task.cancel_wanted) {
                                                task.status = "killed";
                                              } else if (task.deadline_ms != 0 &&
                                                         task.deadline_ms <= to_ms(call.now())) {
                                                TRY(end_task(task,
                                                             {.succeeded = false,
                                                              .message = "its deadline has passed",
                                                              .code = "task_deadline_passed"},
                                                             call.now()));
                                              } else if (task.runner.empty()) {
                                                return {};
                                              } else {
                                                task.status = "running";
                                                ++task.attempt;
                                              }
                                              TRY(save_task(call.write(), task));
                                              if (!task.has_ended()) claimed = task;
                                              return {};
                                            });
      !outcome) {
    return std::move(outcome).error();
  }
  return claimed;
}

void TaskRunner::attempt(const std::string& id) {
  Result<std::optional<TaskRow>> claimed = claim(id);
  if (!claimed) {
    base::log::failure("TASK_CLAIM_FAILED", "a task is tried later", {{"task", id}},
                       claimed.error());
    schedule(id, to_ms(host_.clock().wall()) + kPauseMs);
    return;
  }
  if (!*claimed) {
    const std::lock_guard lock(mutex_);
    running_.erase(id);
    cancelled_.erase(id);
    return;
  }
  const TaskRow& task = **claimed;
  const auto found = runners_.find(task.runner);
  if (found == runners_.end()) {
    return conclude(task, Error{Code::unsupported, "no service here runs '" + task.runner + "'",
                                "task_runner_unknown"});
  }
  Attempt run(*this, task, Json::parse(task.input, nullptr, false));
  Result<TaskEnd> outcome = found->second(run);
  if (run.finished) {
    const std::lock_guard lock(mutex_);
    running_.erase(id);
    cancelled_.erase(id);
    return;
  }
  conclude(task, outcome);
}

void TaskRunner::schedule(const std::string& id, std::int64_t at_ms) {
  {
    const std::lock_guard lock(mutex_);
    running_.erase(id);
    due_[id] = at_ms;
  }
  arm_later();
}

void TaskRunner::conclude(const TaskRow& task, const Result<TaskEnd>& outcome) {
  std::int64_t retry_at = 0;
  const Result<void> written =
      host_.transact("task.end", internal_caller(task.service), [&](Call& call) -> Result<void> {
        retry_at = 0;
        TaskRow now = TRY(load_task(call.read(), task.id));
        if (now.has_ended()) return {};
        if (outcome) {
          TRY(end_task(now, *outcome, call.now()));
        } else if (now.cancel_wanted) {
          now.status = "killed";
        } else if (may_be_tried_again(outcome.error().code) && now.attempt <= now.retries_max) {
          now.status = "pending";
          now.message = outcome.error().detail;
          now.due_ms = retry_at = to_ms(call.now()) + pause_ms(now.attempt);
        } else {
          TRY(end_task(now,
                       {.succeeded = false,
                        .message = outcome.error().detail,
                        .code = std::string(outcome.error().reason)},
                       call.now()));
        }
        now.changed_ms = to_ms(call.now());
        call.emit("task." + now.service + "." + now.resource + "." + now.verb + "." + now.status,
                  Json{{"uuid", now.id}});
        return save_task(call.write(), now);
      });
  if (!written) {
    base::log::failure("TASK_END_FAILED", "a task is tried again", {{"task", task.id}},
                       written.error());
    retry_at = to_ms(host_.clock().wall()) + kPauseMs;
  }
  if (retry_at != 0) return schedule(task.id, retry_at);
  const std::lock_guard lock(mutex_);
  running_.erase(task.id);
  cancelled_.erase(task.id);
}

}  // namespace services

// SPDX-License-Identifier: Apache-2.0
// Runs tasks that have a runner: each open one until it has ended, whatever dies in between.
//
// 1. What is to be done is in the store; this keeps only when to look at which id. A task found
// "running" at the start was cut off and is run again.
// 2. An attempt is counted before it begins. Pauses between attempts double from 1 s to 5 min.
// 3. Deadlines and cancellations end a task also between attempts.
// Threads: note() from any; start and stop on the loop; runners on workers.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "services/framework/host.h"
#include "services/framework/task_row.h"

namespace services {

class TaskRunner {
 public:
  explicit TaskRunner(Host& host);
  ~TaskRunner();
  void add(std::string name, Runner runner);
  // Finds open tasks. Errors: those of the store.
  base::Result<void> start();
  void stop();
  // These tasks are new or have changed.
  void note(std::vector<std::string> ids);
  bool is_cancelled(const std::string& id) const;

 private:
  struct Attempt;
  void look(const std::string& id);
  void schedule(const std::string& id, std::int64_t at_ms);
  void arm_later();
  void arm();
  void fire();
  // Claims the task for an attempt, or ends it when it is past its deadline or cancelled.
  base::Result<std::optional<TaskRow>> claim(const std::string& id);
  void attempt(const std::string& id);
  void conclude(const TaskRow& task, const base::Result<TaskEnd>& outcome);

  Host& host_;
  std::map<std::string, Runner, std::less<>> runners_;
  mutable std::mutex mutex_;  // of the four below
  std::set<std::string> running_;
  std::set<std::string> cancelled_;
  std::map<std::string, std::int64_t> due_;  // id → when
  bool stopped_ = true;
  std::shared_ptr<TaskRunner*> self_;  // held weakly by what is posted: gone when the runner is
  base::TimerHandle timer_;
};

}  // namespace services

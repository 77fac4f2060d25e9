// SPDX-License-Identifier: Apache-2.0
// The host: one process, one store, any subset of the services; the pipeline in front of them and
// the outbox, audit and task rows behind them.
//
// Used by services (start, timers, runners, other services' stages), by the daemon and by tests,
// which give it a memory store, a fake clock and call handle() without HTTP.
// Threads: construction, start, stop and provide on the loop thread; the rest from any.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/result.h"
#include "common/base/timers.h"
#include "common/rest/metrics.h"
#include "common/rest/route.h"
#include "common/store/store.h"
#include "common/sys/event_loop.h"
#include "common/sys/http_client.h"
#include "services/framework/service.h"
#include "services/framework/stages.h"

namespace services {

// One attempt at a task. Threads: the runner's worker.
class TaskRun {
 public:
  virtual ~TaskRun() = default;
  virtual const std::string& id() const = 0;
  virtual const base::Json& input() const = 0;
  virtual int attempt() const = 0;  // 1 is the first
  virtual bool is_cancelled() const = 0;
  virtual base::Result<void> progress(int percent, std::string message) = 0;
  // Ends the task in the same transaction as `work`'s changes.
  virtual base::Result<void> finish(TaskEnd end,
                                    const std::function<base::Result<void>(Call&)>& work) = 0;
  virtual Host& host() = 0;
};
// Success ends the task, unless finish() has. An error of the codes unavailable, timed_out,
// throttled and conflict is tried again; any other halts it. May run more than once for one task.
using Runner = std::function<base::Result<TaskEnd>(TaskRun&)>;
// At-least-once, in commit order, on the dispatcher's thread: must not block for long. An error
// makes the dispatcher come again with the same event.
using Subscriber = std::function<base::Result<void>(const Event&)>;
// Ids of tasks that have begun or changed, after the commit, on the thread that committed.
using TaskWatcher = std::function<void(const std::vector<std::string>& ids)>;

class Host {
 public:
  struct Parts {
    store::Store& store;
    const base::Clock& clock;
    base::Rng& rng;
    base::Timers& timers;
    sys::WorkerPool& workers;
    rest::Metrics& metrics;
    std::string state_folder;                         // "/var/lib/gestalt/services"
    std::function<void(std::function<void()>)> post;  // runs work on the loop thread
  };
  virtual ~Host() = default;

  // ---- what services use instead of opening things
  virtual store::Store& store() = 0;
  virtual const base::Clock& clock() const = 0;
  virtual base::Rng& rng() = 0;
  virtual base::Timers& timers() = 0;
  virtual rest::Metrics& metrics() = 0;
  virtual sys::HttpClient& http() = 0;                             // on workers only
  virtual std::string state_folder(std::string_view service) = 0;  // made, 0700
  // Runs on a worker. Errors: throttled worker_queue_full.
  virtual base::Result<void> submit(std::function<void()> work) = 0;
  virtual void post(std::function<void()> work) = 0;  // on the loop
  // `work` on a worker, every `period` after its last end, until the host stops.
  virtual void every(base::Duration period, std::function<void()> work) = 0;

  // ---- stages
  virtual void provide(Identity& stage) = 0;
  virtual void provide(Orgs& stage) = 0;
  virtual void provide(Access::Kind kind, Authorizer& stage) = 0;  // right or entitlement
  virtual void provide(Policy& stage) = 0;
  virtual void provide(Gate& stage) = 0;
  virtual void provide(EventSink& stage) = 0;
  virtual void provide(AuditSink& stage) = 0;
  virtual Orgs& orgs() = 0;
  virtual Authorizer& authorizer(Access::Kind kind) = 0;
  virtual bool hosts(std::string_view service) const = 0;
  virtual Service* find(std::string_view service) = 0;

  // ---- work
  virtual void subscribe(std::string subscriber, std::string name_prefix, Subscriber callback) = 0;
  virtual void add_runner(std::string name, Runner runner) = 0;
  virtual void watch_tasks(TaskWatcher watcher) = 0;  // one: the task service
  // These tasks were changed by other ways than a Call's.
  virtual void note_tasks(std::vector<std::string> ids) = 0;
  // A transaction of a service acting by itself (timers, synchronisation, subscribers), with
  // events, audit and tasks as in a handler. Blocks: not on the loop.
  virtual base::Result<void> transact(std::string_view action, CallerPtr caller,
                                      const std::function<base::Result<void>(Call&)>& work) = 0;
  // Runs what Call::capture() holds through the whole pipeline but the gate, as its caller.
  // Errors: corrupt capture_invalid. Failures of the call itself are replies with their status.
  virtual base::Result<rest::Response> perform(const base::Json& captured) = 0;
  // A request as the HTTP server hands it over, through the whole pipeline.
  virtual rest::Response handle(const rest::Request& request) = 0;
  virtual const std::vector<ActionRow>& actions() const = 0;
};

}  // namespace services

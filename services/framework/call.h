// SPDX-License-Identifier: Apache-2.0
// One call on its way through the pipeline: what handlers and stages see and may do.
//
// 1. What a handler does through the Call (records, events, audit, tasks) is one transaction: all
// of it is durable when the client has the reply, or none of it is.
// 2. `?dryrun=true`: everything runs, then the transaction is rolled back and the reply says what
// would have been. Handlers need no code for it.
// 3. Nothing outside the store is changed from a handler: side effects come from events and tasks,
// after the commit.
// Threads: a Call stays on the thread that runs the present stage.
#pragma once

#include <any>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/result.h"
#include "common/rest/http.h"
#include "common/store/store.h"
#include "services/framework/caller.h"

namespace services {

struct ActionRow;
class Host;

// What a handler returns. JSON lists of records are best built as text (Response::json_text).
using Reply = rest::Response;

// A task row (the 202 contract, services.md 1b Task). With a `runner` the framework runs it after
// the commit, again after a crash, until it succeeds, fails for good or its deadline passes;
// without one its owner moves it on through Call::finish_task and friends.
struct TaskSpec {
  std::string verb;                // "create"
  std::string resource;            // "container", or a link to it
  std::string runner = {};         // a name given to Host::add_runner
  std::string status = "pending";  // pending, running, scheduled
  std::string message = {};
  std::string parent = {};                   // task id
  std::optional<base::WallTime> start = {};  // not before (status scheduled)
  std::optional<base::WallTime> deadline = {};
  int retries_max = 3;  // after the first attempt, with growing pauses
};
struct TaskEnd {
  bool succeeded = true;
  std::string message = {};
  std::string link = {};  // href of what came of it
  std::string code = {};  // of errors[0] when it failed
};

class Call {
 public:
  explicit Call(Host& host);
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // ---- the request
  const rest::Request& request() const;
  const std::string& parameter(std::string_view name) const;  // Requires: the row's path has it
  std::optional<std::string> query(std::string_view name) const;
  // `?expand=true` and the like. Errors: invalid_argument query_invalid.
  base::Result<bool> flag(std::string_view name) const;
  // The body as JSON; null when there was none. Validated against the row's schema.
  const base::Json& body() const;
  base::Json& mutable_body();  // for pre-rules and the gate's amendments
  const ActionRow& action() const;
  const std::string& action_name() const;  // Target::action, or the row's name
  const std::string& href_base() const;    // "http://host:port/meta", as the client sees the mount

  // ---- who and what
  const Caller& caller() const;
  CallerPtr caller_ptr() const;
  const Target& target() const;
  const Org& org() const { return target().org; }
  base::WallTime now() const;  // the same during the whole call
  std::string new_id();        // UUID version 7, of now()
  // The same for each try of a call with an Idempotency-Key, by number; a new one without.
  std::string once_id(std::size_t number);
  const std::string& id() const;  // of the request; in log, audit and X-Request-Id

  // ---- state
  store::Reader& read();
  // Requires: a mutation's handler, or the work of Host::transact.
  store::Writer& write();

  // ---- what goes out with the commit
  // An event for the outbox: delivered in commit order, at least once, to the EventSink and to
  // subscribers. `name` as "meta.environment.created".
  void emit(std::string_view name, base::Json payload);
  void emit_text(std::string_view name, std::string payload);  // JSON text
  void audit(std::string_view key, base::Json value);  // extra fields of this call's audit record
  // Returns the id of a new task. `input` reaches the runner.
  base::Result<std::string> task(TaskSpec spec, base::Json input);
  base::Result<void> progress_task(const std::string& id, int percent, std::string message);
  base::Result<void> finish_task(const std::string& id, TaskEnd end);
  // A task that was written by save_task(): followers and its runner look at it after the commit.
  void note_task(std::string id);
  // 202 with the ApiTask of a task made by this call.
  base::Result<Reply> accepted(const std::string& task_id);
  // Requests that a conditional change stands on: sets ETag of the reply from `version`, and
  // compares If-Match. Errors: conflict revision_moved_on.
  base::Result<void> check_version(std::uint64_t version);

  // ---- between prepare and handler
  void keep(std::any value);
  template <class T>
  T* kept() {
    return std::any_cast<T>(&kept_any());
  }

  // ---- explanations
  bool dryrun() const;
  bool explaining() const;
  // A line of the derivation, by stage: "authorise", "policy", "config", … Cheap when nobody asks.
  void explain(std::string_view stage, base::Json detail);

  // The call as data: method, path, query, body, caller, target and a hash over them, from which
  // Host::perform runs it again as the same caller. What the gate holds.
  base::Json capture() const;

  Host& host();

  struct State;  // call_state.h, for the framework only
  State& state() { return *state_; }
  const State& state() const { return *state_; }

 private:
  std::any& kept_any();
  std::unique_ptr<State> state_;
};

}  // namespace services

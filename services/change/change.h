// SPDX-License-Identifier: Apache-2.0
// A held change and what may become of it: the state machine, without store or clock.
//
//   pending ──▶ approved ──▶ applying ──▶ completed
//      │  ▲        │            └───────▶ failed
//      │  └─amend──┤
//      └───────────┴──▶ rejected, cancelled, expired
//
// Used by service.cc and sweep.cc; has most of the tests.
// 1. An approval is bound to the hash of the payload that was approved: an amendment takes all
// approvals back.
// 2. Who asked for the change, who acts in his name and who amended it cannot approve it.
// 3. What has ended never changes again. `applying` ends only as completed or failed.
// Threads: plain values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace services::change {

enum class State {
  pending,
  approved,
  applying,
  completed,
  failed,
  rejected,
  cancelled,
  expired,
};
std::string_view state_name(State state);
std::optional<State> find_state(std::string_view name);
bool has_ended(State state);

struct Approval {
  std::string account_id;
  std::string account_name;
  std::int64_t time_ms = 0;
  std::string payload_hash;
  std::string comment;
};

// What is held: a call that the pipeline captured, or (the original's contract) an event that is
// sent on approval.
enum class PayloadKind { call, event };

struct Change {
  std::string id;
  State state = State::pending;
  std::string status_text;  // why it is where it is, for people
  std::string org_id;
  std::string org_fqon;
  std::string requester_id;
  std::string requester_name;
  std::vector<std::string> on_behalf;  // accounts that acted in the requester's name
  std::string action;                  // "environment.create"
  // All that it does, as "ORG_ID ACTION": freezes of all of these organisations hold it.
  std::vector<std::string> also;
  std::string service;
  std::string handler_id;  // the rule that held it
  std::string adapter = "native";
  std::string external_id;     // in the adapter's system
  std::string external_state;  // as that system says it
  std::string reason;
  PayloadKind kind = PayloadKind::call;
  std::string payload;   // JSON text
  std::string original;  // the first payload, once it was amended
  std::string payload_hash;
  std::string event_name;                 // of kind event: the outStateName
  std::string task_id;                    // that the caller polls
  std::vector<std::string> dependencies;  // changes that must have completed
  std::vector<Approval> approvals;
  std::vector<std::string> amended_by;  // account ids
  std::string decided_by;               // who rejected or cancelled
  std::int64_t quorum = 1;
  std::vector<std::string> approver_groups;  // empty: whoever has the right
  bool overrides_freeze = false;
  std::string override_by;
  std::int64_t created_ms = 0;
  std::int64_t changed_ms = 0;
  std::int64_t schedule_ms = 0;  // not before; 0: at once
  std::int64_t deadline_ms = 0;  // expires then; 0: never
  std::int64_t applied_ms = 0;
  std::int64_t wake_ms = 0;        // of its wake-up in the store, 0: none
  std::int64_t result_status = 0;  // HTTP status of the released call
  std::string result_message;
  std::string result_link;
};

struct Actor {
  std::string account_id;
  std::string account_name;
  std::vector<std::string> group_ids;
  std::vector<std::string> on_behalf;
};

// Errors of all: failed_precondition change_state_forbids; change_expired when the deadline has
// passed (the sweep has not got to it yet).

// True when the quorum is reached with this approval. Errors: permission_denied
// change_self_approval, change_not_approver; failed_precondition change_already_approved; conflict
// change_payload_differs when `hash` (what the approver saw, may be empty) is another one.
base::Result<bool> approve(Change& change, const Actor& by, std::string_view hash,
                           std::string comment, std::int64_t now_ms);
base::Result<void> reject(Change& change, const Actor& by, std::string why, std::int64_t now_ms);
// Takes the approvals back. The caller has replaced nothing yet: `payload` and `hash` are new.
base::Result<void> amend(Change& change, const Actor& by, std::string payload, std::string hash,
                         std::int64_t now_ms);
// Errors: invalid_argument field_invalid when the time is behind the deadline or in the past.
base::Result<void> schedule(Change& change, std::int64_t at_ms, std::int64_t now_ms);
base::Result<void> cancel(Change& change, const Actor& by, std::string why, std::int64_t now_ms);
// A pending or approved change goes out also while changes are frozen.
base::Result<void> override_freeze(Change& change, const Actor& by, std::int64_t now_ms);
base::Result<void> begin(Change& change, std::int64_t now_ms);
base::Result<void> finish(Change& change, bool succeeded, std::int64_t status, std::string message,
                          std::string link, std::int64_t now_ms);

// What the sweep knows about a change's surroundings.
struct Surroundings {
  std::optional<std::int64_t> frozen_until_ms;  // set while a freeze covers it
  bool dependencies_done = true;
  bool dependency_failed = false;
};
enum class Step { wait, expire, cancel, release };
struct Next {
  Step step = Step::wait;
  std::int64_t wake_ms = 0;  // of wait: look again then, 0: only when somebody acts
  std::string why = {};
};
// What is due now. An applying change is released again: the process died meanwhile.
Next next_step(const Change& change, const Surroundings& around, std::int64_t now_ms);

}  // namespace services::change

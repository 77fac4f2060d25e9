// SPDX-License-Identifier: Apache-2.0
#include "services/change/change.h"

#include <algorithm>
#include <array>
#include <utility>

namespace services::change {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr std::array<std::pair<State, std::string_view>, 8> kNames{{
    {State::pending, "pending"},
    {State::approved, "approved"},
    {State::applying, "applying"},
    {State::completed, "completed"},
    {State::failed, "failed"},
    {State::rejected, "rejected"},
    {State::cancelled, "cancelled"},
    {State::expired, "expired"},
}};
// How soon a change that waits for others is looked at again.
constexpr std::int64_t kDependencyPollMs = 5000;

bool contains(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

bool meet(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::any_of(a.begin(), a.end(),
                     [&b](const std::string& each) { return contains(b, each); });
}

Result<void> check_open(const Change& change, std::string_view verb, std::int64_t now_ms) {
  if (change.state != State::pending && change.state != State::approved)
    return Error{Code::failed_precondition,
                 "a change that is " + std::string(state_name(change.state)) + " cannot be " +
                     std::string(verb),
                 "change_state_forbids"};
  if (change.deadline_ms != 0 && change.deadline_ms <= now_ms)
    return Error{Code::failed_precondition, "the deadline of the change has passed",
                 "change_expired"};
  return {};
}

bool is_involved(const Change& change, const Actor& by) {
  if (by.account_id == change.requester_id || contains(change.amended_by, by.account_id) ||
      contains(change.on_behalf, by.account_id))
    return true;
  // Somebody who acts for the requester is the requester.
  return contains(by.on_behalf, change.requester_id);
}

void end(Change& change, State state, std::string text, std::int64_t now_ms) {
  change.state = state;
  change.status_text = std::move(text);
  change.changed_ms = now_ms;
}

}  // namespace

std::string_view state_name(State state) {
  for (const auto& [each, name] : kNames)
    if (each == state) return name;
  return "";
}

std::optional<State> find_state(std::string_view name) {
  for (const auto& [state, each] : kNames)
    if (each == name) return state;
  return std::nullopt;
}

bool has_ended(State state) {
  return state != State::pending && state != State::approved && state != State::applying;
}

Result<bool> approve(Change& change, const Actor& by, std::string_view hash, std::string comment,
                     std::int64_t now_ms) {
  TRY(check_open(change, "approved", now_ms));
  if (change.state == State::approved)
    return Error{Code::failed_precondition, "the change is approved already",
                 "change_state_forbids"};
  if (is_involved(change, by))
    return Error{Code::permission_denied, "who asked for a change or amended it cannot approve it",
                 "change_self_approval"};
  if (!change.approver_groups.empty() && !meet(change.approver_groups, by.group_ids))
    return Error{Code::permission_denied, "only members of the approvers' groups can approve this",
                 "change_not_approver"};
  if (!hash.empty() && hash != change.payload_hash)
    return Error{Code::conflict, "the payload was amended since; look at it again",
                 "change_payload_differs"};
  for (const Approval& approval : change.approvals)
    if (approval.account_id == by.account_id)
      return Error{Code::failed_precondition, "this account has approved the change already",
                   "change_already_approved"};
  change.approvals.push_back(
      {by.account_id, by.account_name, now_ms, change.payload_hash, std::move(comment)});
  change.changed_ms = now_ms;
  const auto count = static_cast<std::int64_t>(change.approvals.size());
  const bool is_enough = count >= change.quorum;
  if (is_enough) change.state = State::approved;
  change.status_text = std::to_string(count) + " of " + std::to_string(change.quorum) +
                       (change.quorum == 1 ? " approval" : " approvals");
  return is_enough;
}

Result<void> reject(Change& change, const Actor& by, std::string why, std::int64_t now_ms) {
  TRY(check_open(change, "rejected", now_ms));
  change.decided_by = by.account_id;
  end(change, State::rejected, "rejected by " + by.account_name + (why.empty() ? "" : ": " + why),
      now_ms);
  return {};
}

Result<void> amend(Change& change, const Actor& by, std::string payload, std::string hash,
                   std::int64_t now_ms) {
  TRY(check_open(change, "amended", now_ms));
  if (hash == change.payload_hash) return {};
  if (!contains(change.amended_by, by.account_id)) change.amended_by.push_back(by.account_id);
  if (change.original.empty()) change.original = std::move(change.payload);
  change.payload = std::move(payload);
  change.payload_hash = std::move(hash);
  change.approvals.clear();
  end(change, State::pending, "amended by " + by.account_name + ", to be approved anew", now_ms);
  return {};
}

Result<void> schedule(Change& change, std::int64_t at_ms, std::int64_t now_ms) {
  TRY(check_open(change, "scheduled", now_ms));
  const auto refuse = [](std::string detail) {
    return Error{Code::invalid_argument, std::move(detail), "field_invalid", 0, "/schedule"};
  };
  if (at_ms < now_ms) return refuse("the time has passed");
  if (change.deadline_ms != 0 && at_ms >= change.deadline_ms)
    return refuse("the time is behind the deadline of the change");
  change.schedule_ms = at_ms;
  change.changed_ms = now_ms;
  return {};
}

Result<void> cancel(Change& change, const Actor& by, std::string why, std::int64_t now_ms) {
  TRY(check_open(change, "cancelled", now_ms));
  change.decided_by = by.account_id;
  end(change, State::cancelled, "cancelled by " + by.account_name + (why.empty() ? "" : ": " + why),
      now_ms);
  return {};
}

Result<void> override_freeze(Change& change, const Actor& by, std::int64_t now_ms) {
  TRY(check_open(change, "let through a freeze", now_ms));
  if (is_involved(change, by))
    return Error{Code::permission_denied,
                 "who asked for a change or amended it cannot override a freeze for it",
                 "change_self_approval"};
  change.overrides_freeze = true;
  change.override_by = by.account_id;
  change.changed_ms = now_ms;
  return {};
}

Result<void> begin(Change& change, std::int64_t now_ms) {
  if (change.state == State::applying) return {};
  TRY(check_open(change, "applied", now_ms));
  if (change.state != State::approved)
    return Error{Code::failed_precondition, "the change is not approved", "change_state_forbids"};
  for (const Approval& approval : change.approvals)
    if (approval.payload_hash != change.payload_hash)
      return Error{Code::conflict, "an approval is for another payload", "change_payload_differs"};
  change.applied_ms = now_ms;
  end(change, State::applying, "released", now_ms);
  return {};
}

Result<void> finish(Change& change, bool succeeded, std::int64_t status, std::string message,
                    std::string link, std::int64_t now_ms) {
  if (change.state != State::applying)
    return Error{Code::failed_precondition,
                 "a change that is " + std::string(state_name(change.state)) + " cannot end",
                 "change_state_forbids"};
  change.result_status = status;
  change.result_message = message;
  change.result_link = std::move(link);
  end(change, succeeded ? State::completed : State::failed, std::move(message), now_ms);
  return {};
}

Next next_step(const Change& change, const Surroundings& around, std::int64_t now_ms) {
  if (has_ended(change.state)) return {};
  if (change.state == State::applying) return {Step::release, 0, "released before a restart"};
  if (change.deadline_ms != 0 && change.deadline_ms <= now_ms)
    return {Step::expire, 0, "the deadline has passed"};
  if (around.dependency_failed)
    return {Step::cancel, 0, "a change that this one depends on did not complete"};
  if (change.state == State::pending) return {Step::wait, change.deadline_ms, "not approved"};
  std::int64_t wake = 0;
  std::string why;
  if (change.schedule_ms > now_ms) {
    wake = change.schedule_ms;
    why = "scheduled";
  }
  if (around.frozen_until_ms && *around.frozen_until_ms > now_ms && !change.overrides_freeze) {
    wake = std::max(wake, *around.frozen_until_ms);
    why = "changes are frozen";
  }
  if (!around.dependencies_done) {
    wake = std::max(wake, now_ms + kDependencyPollMs);
    why = "waits for other changes";
  }
  if (wake == 0) return {Step::release};
  if (change.deadline_ms != 0) wake = std::min(wake, change.deadline_ms);
  return {Step::wait, wake, std::move(why)};
}

}  // namespace services::change

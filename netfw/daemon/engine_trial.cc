// SPDX-License-Identifier: Apache-2.0
// The engine's policy: changed at once, or on trial under the eyes of the guardian.
//
//   in force and stored ──begin_trial──▶ on trial ──confirm_policy──▶ in force and stored
//            ▲                              │
//            └── take_back, end_trial_when_over, the guardian, the next life ──┘
// 1. A policy that takes the management of the node away from somebody is never stored before it is
// confirmed, so every way out of a trial but that one leads back.
#include <poll.h>

#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "netfw/daemon/engine.h"

namespace netfw {
namespace {

bool is_readable(int fd) {
  pollfd wait = {fd, POLLIN, 0};
  return poll(&wait, 1, 0) > 0;
}

base::Error no_trial() {
  return {.code = base::Code::failed_precondition,
          .detail = "no policy is on trial",
          .reason = "policy_no_trial"};
}

}  // namespace

base::Result<void> Engine::set_policy(const Policy& policy) {
  policy_ = policy;
  if (!parts_.firewall) return {};
  const FirewallIr wanted = desired_firewall();
  const auto applied = parts_.firewall->apply(wanted, Scope::all_sets, kFirewallDeadline);
  firewall_applied_ = applied.has_value();
  if (!applied) return applied.error();
  last_applied_ = *applied;
  known_sets_ = wanted.sets;
  return {};
}

// Without a packet filter everybody reaches everything, whatever the policy says.
std::vector<AccessLoss> Engine::losses(const Policy& policy) const {
  if (!parts_.firewall) return {};
  return access_lost(compile_policy(policy_), compile_policy(policy));
}

base::Result<void> Engine::replace_policy(const Policy& policy) {
  const Policy before = policy_;
  const auto done = set_policy(policy);
  if (!done && !set_policy(before)) hooks_.wake();
  return done;
}

base::Result<std::optional<Engine::Trial>> Engine::put_policy(
    const Policy& policy, std::optional<std::chrono::seconds> trial, const Caller& caller) {
  TRY(check_invariants(compile_policy(policy)));
  std::optional<Trial> begun;
  {
    const std::lock_guard lock(mutex_);
    end_trial_when_over();
    if (on_trial_) {
      return base::Error{.code = base::Code::failed_precondition,
                         .detail = "another policy is on trial; confirm it or roll it back first",
                         .reason = "policy_trial_pending"};
    }
    std::vector<AccessLoss> lost = losses(policy);
    if (!lost.empty() && !trial) trial = kTrialForced;
    if (trial) {
      TRY(begin_trial(policy, *trial, std::move(lost), caller));
      begun = on_trial_->trial;
    } else {
      TRY(replace_policy(policy));
      keep_policy("a new policy is in force", caller);
    }
    converge();  // what services may claim depends on the policy
  }
  // A trial leaves nothing to store.
  if (!begun) {
    TRY(flush());
  } else if (!begun->takes_away.empty()) {
    TRY(note_flows(begun->id));
  }
  return begun;
}

base::Result<void> Engine::begin_trial(const Policy& policy, std::chrono::seconds window,
                                       std::vector<AccessLoss> lost, const Caller& caller) {
  const Policy before = policy_;
  Guardian guardian =
      TRY(Guardian::arm(parts_.guardian_program, before, window, parts_.guardian_firewall));
  const base::WallTime until = parts_.clock.wall() + window;
  if (const auto done = set_policy(policy); !done) {
    // A guardian that is not released restores as well.
    const auto back = set_policy(before);
    if (!back || !guardian.release()) hooks_.wake();
    return done;
  }
  on_trial_ = OnTrial{.trial = {base::system_rng().uuid(), until, std::move(lost)},
                      .before = before,
                      .flows = {},
                      .guardian = std::move(guardian)};
  hooks_.watch_guardian(on_trial_->guardian.fd());
  base::log::notice("NETFW_POLICY_ON_TRIAL", "a new policy is in force until it is confirmed",
                    {{"trial", on_trial_->trial.id},
                     {"seconds", std::to_string(window.count())},
                     {"losses", std::to_string(on_trial_->trial.takes_away.size())},
                     {"caller", caller.name},
                     {"peer", caller.peer},
                     {"request", caller.request}});
  return {};
}

// After the policy is in force: what the one before let in up to then is in the list and proves
// nothing. Not under the lock: the list of many connections takes the kernel a while.
base::Result<void> Engine::note_flows(const std::string& trial) {
  auto flows = parts_.find_flows();
  const std::lock_guard lock(mutex_);
  if (!on_trial_ || on_trial_->trial.id != trial) return {};
  if (flows) {
    on_trial_->flows = *std::move(flows);
    return {};
  }
  // Without the list nothing could ever prove it.
  if (!take_back()) hooks_.wake();
  base::log::notice("NETFW_POLICY_ROLLED_BACK", "the node's connections cannot be listed",
                    {{"trial", trial}});
  return flows.error();
}

base::Result<void> Engine::check_confirmation(const Confirmation& confirmation,
                                              const base::Result<Flows>& now) const {
  const Trial& trial = on_trial_->trial;
  if (confirmation.trial != trial.id) {
    return base::Error{.code = base::Code::failed_precondition,
                       .detail = "another policy is on trial by now than the one to be confirmed",
                       .reason = "policy_trial_other"};
  }
  if (trial.takes_away.empty()) return {};
  if (!now) return now.error();
  if (!confirmation.connection || !on_trial_->flows) {
    return base::Error{.code = base::Code::failed_precondition,
                       .detail =
                           "this policy takes access away and nothing shows that a new "
                           "connection gets through; open a new SSH session to the node and "
                           "confirm in it before the time is over",
                       .reason = "policy_unproven"};
  }
  return check_new_flow(*confirmation.connection, *on_trial_->flows, *now, policy_);
}

// What is in force is stored by the next flush.
void Engine::keep_policy(std::string_view message, const Caller& caller) {
  follows_networks_ = false;
  unsaved_[StateStore::policy_key()] = base::dump_json(write_policy(policy_));
  base::log::notice("NETFW_POLICY_CHANGED", message,
                    {{"caller", caller.name}, {"peer", caller.peer}, {"request", caller.request}});
}

base::Result<void> Engine::confirm_policy(const Confirmation& confirmation, const Caller& caller) {
  const auto now = parts_.find_flows();
  {
    const std::lock_guard lock(mutex_);
    end_trial_when_over();
    if (!on_trial_) return no_trial();
    TRY(check_confirmation(confirmation, now));
    hooks_.watch_guardian(-1);
    const auto released = on_trial_->guardian.release();
    const Policy before = on_trial_->before;
    on_trial_.reset();
    if (!released) {
      if (!set_policy(before)) hooks_.wake();
      return released;
    }
    keep_policy("the policy on trial was confirmed", caller);
  }
  return flush();
}

base::Result<void> Engine::take_back() {
  hooks_.watch_guardian(-1);
  const auto done = set_policy(on_trial_->before);
  // When this did not work the guardian does it, at the end of its connection; when it has begun
  // already, it restores the same.
  if (!done || !on_trial_->guardian.release()) hooks_.wake();
  on_trial_.reset();
  return done;
}

base::Result<void> Engine::rollback_policy(const Caller& caller) {
  const std::lock_guard lock(mutex_);
  end_trial_when_over();
  if (!on_trial_) return no_trial();
  auto done = take_back();
  base::log::notice("NETFW_POLICY_ROLLED_BACK", "the policy on trial was taken back",
                    {{"caller", caller.name}, {"peer", caller.peer}, {"request", caller.request}});
  return done;
}

// The guardian has restored, or it died and cannot any more: both end the trial.
bool Engine::end_trial_when_over() {
  if (!on_trial_ || !is_readable(on_trial_->guardian.fd())) return false;
  hooks_.watch_guardian(-1);
  const Policy before = on_trial_->before;
  const std::string trial = on_trial_->trial.id;
  on_trial_.reset();
  const auto done = set_policy(before);
  if (done) {
    base::log::notice("NETFW_POLICY_ROLLED_BACK", "the policy on trial was not confirmed in time",
                      {{"trial", trial}});
  } else {
    base::log::failure("NETFW_RESTORE_FAILED", "the old policy is not in force yet, trying again",
                       {{"trial", trial}}, done.error());
    hooks_.wake();
  }
  return true;
}

}  // namespace netfw

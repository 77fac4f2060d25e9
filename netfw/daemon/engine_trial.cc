// SPDX-License-Identifier: Apache-2.0
// The engine's policy: changed at once, or on trial under the eyes of the guardian.
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

base::Result<void> Engine::put_policy(const Policy& policy,
                                      std::optional<std::chrono::seconds> trial) {
  TRY(check_invariants(compile_policy(policy)));
  {
    const std::lock_guard lock(mutex_);
    end_trial_when_over();
    if (guardian_) {
      return base::Error{.code = base::Code::failed_precondition,
                         .detail = "another policy is on trial; confirm it or roll it back first",
                         .reason = "policy_trial_pending"};
    }
    const Policy before = policy_;
    if (trial) {
      guardian_ =
          TRY(Guardian::arm(parts_.guardian_program, before, *trial, parts_.guardian_firewall));
    }
    if (const auto done = set_policy(policy); !done) {
      const auto back = set_policy(before);
      if (guardian_ && back) {
        if (!guardian_->release()) hooks_.wake();
      }
      guardian_.reset();
      return done.error();
    }
    if (trial) {
      policy_before_trial_ = before;
      hooks_.watch_guardian(guardian_->fd());
      base::log::notice("NETFW_POLICY_ON_TRIAL", "a new policy is in force until it is confirmed",
                        {{"seconds", std::to_string(trial->count())}});
    } else {
      follows_networks_ = false;
      unsaved_[StateStore::policy_key()] = base::dump_json(write_policy(policy));
      base::log::notice("NETFW_POLICY_CHANGED", "a new policy is in force");
    }
    converge();  // what services may claim depends on the policy
  }
  return flush();
}

base::Result<void> Engine::confirm_policy() {
  {
    const std::lock_guard lock(mutex_);
    end_trial_when_over();
    if (!guardian_) {
      return base::Error{.code = base::Code::failed_precondition,
                         .detail = "no policy is on trial",
                         .reason = "policy_no_trial"};
    }
    hooks_.watch_guardian(-1);
    if (const auto released = guardian_->release(); !released) {
      guardian_.reset();
      const auto back = set_policy(*policy_before_trial_);
      policy_before_trial_.reset();
      if (!back) hooks_.wake();
      return released;
    }
    guardian_.reset();
    policy_before_trial_.reset();
    follows_networks_ = false;
    unsaved_[StateStore::policy_key()] = base::dump_json(write_policy(policy_));
    base::log::notice("NETFW_POLICY_CHANGED", "the policy on trial was confirmed");
  }
  return flush();
}

base::Result<void> Engine::rollback_policy() {
  const std::lock_guard lock(mutex_);
  end_trial_when_over();
  if (!guardian_) {
    return base::Error{.code = base::Code::failed_precondition,
                       .detail = "no policy is on trial",
                       .reason = "policy_no_trial"};
  }
  hooks_.watch_guardian(-1);
  auto done = set_policy(*policy_before_trial_);
  policy_before_trial_.reset();
  // When it restores as well, it restores the same.
  if (!guardian_->release()) hooks_.wake();
  guardian_.reset();
  base::log::notice("NETFW_POLICY_ROLLED_BACK", "the policy on trial was taken back");
  return done;
}

// The guardian has restored, or it died and cannot any more: both end the trial.
bool Engine::end_trial_when_over() {
  if (!guardian_ || !is_readable(guardian_->fd())) return false;
  hooks_.watch_guardian(-1);
  guardian_.reset();
  const Policy before = *policy_before_trial_;
  policy_before_trial_.reset();
  const auto done = set_policy(before);
  if (done) {
    base::log::notice("NETFW_POLICY_ROLLED_BACK", "the policy on trial was not confirmed in time");
  } else {
    base::log::failure("NETFW_RESTORE_FAILED", "the old policy is not in force yet, trying again",
                       {}, done.error());
    hooks_.wake();
  }
  return true;
}

}  // namespace netfw

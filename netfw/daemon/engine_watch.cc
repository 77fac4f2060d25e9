// SPDX-License-Identifier: Apache-2.0
// The engine's comparison with the world: ticks, draining, files.
#include "common/base/log.h"
#include "netfw/daemon/engine.h"

namespace netfw {
namespace {

constexpr unsigned kThoroughEvery = 15;  // ticks
constexpr unsigned kDrainsMax = 32;      // at once; more answer at once
constexpr std::chrono::milliseconds kDrainPauseMin{5};
constexpr std::chrono::milliseconds kDrainPauseMax{50};

}  // namespace

// An address that comes or goes changes who manages; one that goes with its interface does not, so
// that a cable that is pulled and put back changes nothing.
void Engine::follow_networks() {
  if (!follows_networks_ || on_trial_) return;
  const std::vector<IpNet> networks = parts_.find_networks();
  if (networks.empty() || networks == state_.networks) return;
  state_.networks = networks;
  Policy policy = policy_;
  policy.management = networks;
  policy.management_tcp = parts_.first_policy.management_tcp;
  if (!set_policy(policy)) hooks_.wake();
  unsaved_[StateStore::networks_key()] = StateStore::encode(networks);
  std::string text;
  for (const IpNet& net : networks) text += (text.empty() ? "" : " ") + net.text();
  base::log::notice("NETFW_NETWORKS_FOLLOWED", "the node's own networks manage it",
                    {{"networks", text}});
}

bool Engine::verify_firewall() {
  if (!parts_.firewall) return true;
  const bool had_error = firewall_error_.has_value();
  const FirewallIr wanted = desired_firewall();
  const auto applied = parts_.firewall->apply(wanted, Scope::all_sets, kFirewallDeadline);
  firewall_applied_ = applied.has_value();
  if (!applied) {
    firewall_error_ = applied.error();
    if (!had_error) {
      base::log::failure("NETFW_FIREWALL_FAILED", "keeping the rules that are there, trying again",
                         {}, applied.error());
    }
    return false;
  }
  firewall_error_.reset();
  known_sets_ = wanted.sets;
  if (last_applied_.rules != 0 && (applied->rules_written || applied->elements_written != 0)) {
    base::log::warning("NETFW_FIREWALL_MENDED", "somebody changed our rules or sets, put back",
                       {{"elements", std::to_string(applied->elements_written)},
                        {"rules", applied->rules_written ? "yes" : "no"}});
  }
  last_applied_ = *applied;
  return true;
}

// Only one tick is under way at a time, so the folder needs no lock.
void Engine::refresh_certificates() {
  if (!parts_.certificates || !parts_.balancer) return;
  const auto changed = parts_.certificates->refresh();
  if (!changed) {
    base::log::failure("NETFW_CERTIFICATES_FAILED", "those in use go on, trying again", {},
                       changed.error());
  } else if (*changed) {
    const std::lock_guard lock(mutex_);
    parts_.limits.certified = parts_.certificates->names();
    parts_.balancer->set_certificates(parts_.certificates->set());
  }
}

bool Engine::use_certificates() {
  const auto done = parts_.balancer->use_certificates();
  const std::string error = done ? "" : base::to_string(done.error());
  if (!done && error != certificate_error_) {
    base::log::warning("NETFW_CERTIFICATE_REFUSED", "HAProxy goes on with what it has", {},
                       done.error());
  }
  certificate_error_ = error;
  return done.has_value();
}

bool Engine::verify_balancer(bool thorough) {
  if (!parts_.balancer) return true;
  Balancer& balancer = *parts_.balancer;
  const bool was_connected = balancer.is_connected();
  if (was_connected) {
    const auto alive = thorough ? balancer.read_back() : balancer.check();
    if (!alive) balancer.disconnect();
  }
  if (!balancer.is_connected()) {
    const auto connected = balancer.connect();
    if (!connected) {
      if (was_connected || !balancer_error_) {
        base::log::warning("NETFW_HAPROXY_LOST", "the firewall goes on alone, trying again", {},
                           connected.error());
      }
      balancer_error_ = connected.error();
      return false;
    }
    base::log::notice("NETFW_HAPROXY_CONNECTED", "in step with HAProxy again",
                      {{"pid", std::to_string(balancer.pid())}});
  }
  const Balancer::Outcome outcome = balancer.converge(desired_balance(), parts_.clock.now());
  if (outcome.error) {
    base::log::warning("NETFW_HAPROXY_REFUSED", "what it has is read back and tried again", {},
                       *outcome.error);
  }
  balancer_error_ = outcome.error;
  const bool certified = !balancer.is_connected() || use_certificates();
  if (balancer.is_connected()) balancer_back_.notify_all();
  return certified && balancer.is_connected() && !outcome.busy && !outcome.error;
}

bool Engine::tick() {
  bool well = true;
  refresh_certificates();
  {
    const std::lock_guard lock(mutex_);
    ++ticks_;
    end_trial_when_over();
    follow_networks();
    well = verify_firewall();
    well = verify_balancer(ticks_ % kThoroughEvery == 0) && well;
    note_figures();
  }
  if (!revoke_pending()) well = false;
  const auto saved = flush();
  if (!saved) {
    base::log::failure("NETFW_STATE_NOT_SAVED", "kept in memory, trying again", {}, saved.error());
    well = false;
  }
  return !well;
}

void Engine::write_files() {
  std::optional<Balancer::Files> files;
  {
    const std::lock_guard lock(mutex_);
    if (parts_.balancer && parts_.balancer->is_dirty()) files = parts_.balancer->take_files();
  }
  if (!files) return;
  const auto done = write_config(files->skeleton, files->state);
  if (done) return;
  base::log::failure("NETFW_HAPROXY_FILES_FAILED",
                     "a restart of HAProxy would bring an old state, trying again", {},
                     done.error());
  const std::lock_guard lock(mutex_);
  parts_.balancer->note_write_failed();
}

std::vector<std::pair<PoolName, ServerName>> Engine::members_of(const Instance& instance) const {
  std::vector<std::pair<PoolName, ServerName>> out;
  for (std::size_t i = 0; i < instance.ports.size(); ++i) {
    const auto index = static_cast<unsigned>(i);
    const auto pool = state_.assignments.find(PoolKey(instance.service, index));
    if (pool == state_.assignments.end() || instance.ports[i] == 0) continue;
    out.emplace_back(pool->second,
                     ServerName::make(instance.id, index,
                                      {Transport::tcp, instance.address, instance.ports[i]}));
  }
  return out;
}

base::Result<unsigned> Engine::count_sessions(const InstanceId& id) {
  const std::lock_guard lock(mutex_);
  const auto found = state_.instances.find(id);
  if (found == state_.instances.end() || !parts_.balancer) return 0U;
  return parts_.balancer->sessions(members_of(found->second));
}

base::Result<Engine::DrainReply> Engine::drain(const InstanceId& id,
                                               std::chrono::milliseconds deadline) {
  Round round;
  {
    const std::lock_guard lock(mutex_);
    const auto found = state_.instances.find(id);
    if (found == state_.instances.end()) {
      return base::Error{.code = base::Code::not_found,
                         .detail = "no instance " + id.text(),
                         .reason = "instance_unknown"};
    }
    Instance instance = found->second;
    instance.state = InstanceState::draining;
    if (!(instance == found->second)) set_instance(std::move(instance));
    round = converge();
  }
  TRY(finish(round, false));
  struct Slot {
    explicit Slot(std::atomic<unsigned>& count) : count_(count) { ++count_; }
    ~Slot() { --count_; }
    std::atomic<unsigned>& count_;
  };
  const Slot slot(drains_);
  const bool may_wait = drains_ <= kDrainsMax;
  // HAProxy 2.6 has no event for a member without sessions; 3.0's `wait` would do.
  const base::Instant end = parts_.clock.now() + deadline;
  auto pause = kDrainPauseMin;
  for (;;) {
    const auto sessions = count_sessions(id);
    if (sessions && *sessions == 0) return DrainReply{true, 0};
    const bool over = parts_.clock.now() + pause >= end;
    if (over || !may_wait) return DrainReply{false, sessions ? *sessions : 0};
    // Woken early when an instance goes: then there is nothing left to wait for.
    std::unique_lock lock(mutex_);
    instance_gone_.wait_for(lock, pause);
    pause = std::min(pause * 2, kDrainPauseMax);
  }
}

}  // namespace netfw

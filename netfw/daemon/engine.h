// SPDX-License-Identifier: Apache-2.0
// What the daemon knows and does: desired state in, firewall and load balancer brought to it, the
// state kept on disk.
//
// Used by the routes (on workers) and by the daemon's body (ticks). Knows no HTTP and no event
// loop.
// 1. Every change is level-triggered: it changes the desired state, then the difference to what is
// known of kernel and HAProxy is carried out; a tick compares with what they really have.
// 2. A call returns when kernel and HAProxy agree and the state is on disk, or with the error that
// stands in the way; the change stays desired then and is tried again by ticks.
// 3. Disk writes and walks of the kernel's flow table never happen under the lock that guards the
// fast path; concurrent calls share them.
// Threads: any; lock order flush_mutex_ or revoke_mutex_, mutex_.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "netfw/daemon/balancer.h"
#include "netfw/daemon/certificates.h"
#include "netfw/daemon/flows.h"
#include "netfw/daemon/guardian.h"
#include "netfw/daemon/state_store.h"
#include "netfw/dns/zone.h"
#include "netfw/model/access.h"
#include "netfw/model/backend.h"

namespace netfw {

class Engine {
 public:
  struct Parts {
    StateStore store;
    std::unique_ptr<FwBackend> firewall;              // none: the packet filter is left alone
    std::unique_ptr<Balancer> balancer;               // none: no HAProxy on this node
    std::unique_ptr<CertificateFolder> certificates;  // none: no https frontend
    LbLimits limits;
    Policy first_policy;
    // The networks that manage while no policy is stored; empty: those of first_policy do.
    std::function<std::vector<IpNet>()> find_networks;
    FirewallOptions guardian_firewall;
    std::filesystem::path guardian_program;  // empty: no trials
    // What a confirmation is compared with.
    std::function<base::Result<Flows>()> find_flows = read_flows;
    base::Clock& clock;
    dns::ZoneOptions names = {};
  };
  struct Hooks {
    // Something needs a tick soon. Threads: any.
    std::function<void()> wake;
    // A trial began: watch this descriptor and tick when it is readable; -1 when it is over.
    std::function<void(int fd)> watch_guardian;
    // The names of what runs have changed; none: names are not served.
    std::function<void(std::shared_ptr<const dns::Zone>)> publish_names = {};
  };

  static base::Result<std::unique_ptr<Engine>> make(Parts parts, Hooks hooks);

  struct ServicesReply {
    std::int64_t generation = 0;
    std::vector<Problem> problems;
  };
  // `text` is what is stored: the same set as JSON.
  base::Result<ServicesReply> put_services(ServiceSet set, std::string text);
  base::Result<void> put_instance(Instance instance);
  base::Result<void> put_node_instances(const NodeName& node, std::vector<Instance> instances);
  base::Result<void> remove_instance(const InstanceId& id);
  struct DrainReply {
    bool drained = false;
    unsigned sessions = 0;
  };
  // Errors: not_found instance_unknown.
  base::Result<DrainReply> drain(const InstanceId& id, std::chrono::milliseconds deadline);

  // Who changes the policy, for the log; as in rest::Request.
  struct Caller {
    std::string name;
    std::string peer;
    std::string request;
  };
  // A policy that is in force and not stored.
  struct Trial {
    std::string id;        // another for each trial
    base::WallTime until;  // the policy before comes back then
    // What a confirmation gives away for good; empty: nobody loses access, and it needs no proof.
    std::vector<AccessLoss> takes_away;
  };
  static constexpr std::chrono::seconds kTrialForced{60};
  // With `trial` the policy before comes back after that time unless confirm_policy() is called; so
  // it does after kTrialForced without `trial` when somebody who can manage the node now could not
  // afterwards. Returns the trial that began; none: the policy is in force and stored.
  // Errors: failed_precondition policy_locks_out, policy_trial_pending, guardian_not_armed; those
  // of the firewall, of find_flows and of the store.
  base::Result<std::optional<Trial>> put_policy(const Policy& policy,
                                                std::optional<std::chrono::seconds> trial,
                                                const Caller& caller);
  struct Confirmation {
    std::string trial;  // its id
    // The other end of one that began under the new policy.
    std::optional<Endpoint> connection = {};
  };
  // A trial that is not confirmed goes on; when the store fails, the policy is in force and is
  // stored later. Errors: failed_precondition policy_no_trial, policy_trial_other, policy_unproven,
  // guardian_gone; those of the store.
  base::Result<void> confirm_policy(const Confirmation& confirmation, const Caller& caller);
  // Errors: failed_precondition policy_no_trial.
  base::Result<void> rollback_policy(const Caller& caller);

  // Compares with kernel and HAProxy and mends; reconnects. Returns whether another tick is wanted
  // soon.
  bool tick();
  // Writes HAProxy's files when they are behind. Call it at most a second after a change.
  void write_files();

  base::Json status();
  base::Json services();
  base::Json instances();
  base::Json firewall();
  base::Json policy();
  Judgement judge(const Packet& packet);
  // What put_policy() with this policy would change in the sets of the firewall now; changes
  // nothing. Errors: failed_precondition policy_locks_out.
  base::Result<base::Json> plan(const Policy& policy);
  // Kept up to date by every change, so that a reader never waits for one under way.
  struct Figures {
    std::atomic<bool> firewall_good = false;
    std::atomic<bool> balancer_good = false;
    std::atomic<bool> haproxy_connected = false;
    std::atomic<std::size_t> instances = 0;
    std::atomic<std::size_t> services = 0;
    std::atomic<std::size_t> rules = 0;
    std::atomic<std::uint64_t> reloads = 0;
    std::atomic<long> haproxy_pid = 0;
  };
  const Figures& figures() const { return figures_; }
  // {"status": "ok" or "degraded", "problems": ["…"]}, from the figures.
  base::Json health() const;

 private:
  Engine(Parts parts, Hooks hooks, StoredState state);
  base::Result<void> start();

  struct Round {
    std::optional<base::Error> firewall;
    std::optional<base::Error> balancer;
  };
  Round converge();                            // needs the lock
  bool is_served(const InstanceId& id) const;  // needs the lock
  base::Result<void> wait_served(const InstanceId& id);
  base::Result<void> finish(const Round& round, bool wait_for_balancer);
  std::optional<base::Error> carry_out(const std::vector<Step>& steps);
  FirewallIr desired_firewall();
  std::set<Endpoint> unhealthy_endpoints() const;
  LbDesired desired_balance();
  void set_instance(Instance instance);
  void note_problems(const std::vector<Problem>& problems);
  void publish_names();  // needs the lock
  base::Result<void> flush();
  base::Result<void> revoke_pending();
  void refresh_certificates();          // reads files, takes the lock
  bool use_certificates();              // needs the lock
  void follow_networks();               // needs the lock
  bool verify_firewall();               // needs the lock; true when all is well
  bool verify_balancer(bool thorough);  // needs the lock
  // These need the lock.
  base::Result<void> set_policy(const Policy& policy);
  std::vector<AccessLoss> losses(const Policy& policy) const;
  base::Result<void> replace_policy(const Policy& policy);
  base::Result<void> begin_trial(const Policy& policy, std::chrono::seconds window,
                                 std::vector<AccessLoss> lost, const Caller& caller);
  base::Result<void> check_confirmation(const Confirmation& confirmation,
                                        const base::Result<Flows>& now) const;
  void keep_policy(std::string_view message, const Caller& caller);
  base::Result<void> take_back();
  bool end_trial_when_over();
  void note_figures();

  base::Result<void> note_flows(const std::string& trial);
  std::vector<std::pair<PoolName, ServerName>> members_of(const Instance& instance) const;
  base::Result<unsigned> count_sessions(const InstanceId& id);

  // For what the packet filter is told from here.
  static constexpr std::chrono::milliseconds kFirewallDeadline{5000};

  Parts parts_;
  const Hooks hooks_;

  std::mutex flush_mutex_;   // held while a commit is under way
  std::mutex revoke_mutex_;  // held while the flow table is walked
  std::mutex mutex_;         // guards all below
  std::condition_variable balancer_back_;
  std::condition_variable instance_gone_;
  StoredState state_;
  Policy policy_;
  bool follows_networks_ = false;  // nobody has put a policy
  struct OnTrial {
    Trial trial;
    Policy before;
    std::optional<Flows> flows;  // that there were when it began; none: not known yet
    Guardian guardian;
  };
  std::optional<OnTrial> on_trial_;
  Writes unsaved_;
  std::set<Endpoint> unrevoked_endpoints_;
  std::set<std::uint16_t> unrevoked_ports_;
  std::vector<Problem> problems_;
  FirewallSets known_sets_;  // what the kernel has as far as we know
  bool firewall_applied_ = false;
  FirewallApplied last_applied_;
  std::optional<base::Error> firewall_error_;
  std::optional<base::Error> balancer_error_;
  std::string certificate_error_;
  std::uint64_t ticks_ = 0;
  std::uint64_t rounds_ = 0;
  std::uint32_t names_serial_ = 0;
  std::atomic<unsigned> drains_ = 0;
  Figures figures_;
};

}  // namespace netfw

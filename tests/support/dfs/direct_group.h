// SPDX-License-Identifier: Apache-2.0
// A replication::Group of one member without replication: entries take effect in the order of
// propose(), after a delay that the caller chooses. For tests of state machines and of the servers
// in front of them; the real group is tested on its own.
//
// 1. The log outlives the group, as a journal outlives a process: a group that is made over a log
// first applies what is behind the machine's durable position.
// 2. Callbacks never run from within propose(). Those of a group that was destroyed never run, and
// what it had not applied yet is lost or not by `keeps_unapplied`.
// Threads: the loop's.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/timers.h"
#include "dfs/replication/group.h"

namespace dfs::testing {

// What a journal would hold. Entry n is at [n - 1].
struct DirectLog {
  std::vector<replication::Entry> entries;
};

struct DirectOptions {
  // How long the next entry takes; asked per proposal. Empty: none.
  std::function<base::Duration()> delay = {};
  // Whether a proposal that was under way when the group was destroyed is in the log. Empty: no.
  std::function<bool()> keeps_unapplied = {};
  replication::NodeId self{"direct"};
};

class DirectGroup final : public replication::Group {
 public:
  // Requires: the log, the machine and the timers outlive it. Serves at once.
  DirectGroup(DirectLog& log, replication::StateMachine& machine, base::Timers& timers,
              DirectOptions options = {});
  ~DirectGroup() override;

  void propose(replication::Payload payload, OnApplied applied) override;
  bool may_read() const override { return serving_; }
  bool is_serving() const override { return serving_; }
  const replication::Configuration& configuration() const override { return configuration_; }
  replication::Index applied() const override { return log_.entries.size(); }
  void on_message(const replication::NodeId&, std::string_view) override {}

  // Ceases to be, or becomes again, the primary: the machine's on_role(); proposals are refused
  // with not_primary meanwhile and those under way end with it, though they may have taken effect.
  void set_serving(bool serving);

 private:
  struct Waiting {
    replication::Payload payload;
    OnApplied applied;
    base::Instant due;
    bool refused = false;
  };
  void arm();
  void take_due();
  std::string append(replication::Payload payload);

  DirectLog& log_;
  replication::StateMachine& machine_;
  base::Timers& timers_;
  DirectOptions options_;
  replication::Configuration configuration_;
  bool serving_ = false;
  std::deque<Waiting> waiting_;  // by due, which never falls
  base::TimerHandle timer_;      // for the first of them
};

}  // namespace dfs::testing

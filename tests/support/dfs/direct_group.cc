// SPDX-License-Identifier: Apache-2.0
#include "tests/support/dfs/direct_group.h"

#include <algorithm>

namespace dfs::testing {
namespace {

using base::Code;
using base::Error;
using replication::Entry;

Error not_primary() { return {Code::unavailable, "this member does not lead", "not_primary"}; }

}  // namespace

DirectGroup::DirectGroup(DirectLog& log, replication::StateMachine& machine, base::Timers& timers,
                         DirectOptions options)
    : log_(log), machine_(machine), timers_(timers), options_(std::move(options)) {
  configuration_.epoch = 1;
  configuration_.primary = options_.self;
  configuration_.in_sync = {options_.self};
  for (std::size_t i = machine_.durable().index; i < log_.entries.size(); ++i)
    machine_.apply(log_.entries[i]);
  set_serving(true);
}

DirectGroup::~DirectGroup() {
  for (Waiting& waiting : waiting_) {
    if (waiting.refused) continue;
    if (!options_.keeps_unapplied || !options_.keeps_unapplied()) break;
    log_.entries.push_back(
        {configuration_.epoch, log_.entries.size() + 1, 0, std::move(waiting.payload)});
  }
}

std::string DirectGroup::append(replication::Payload payload) {
  log_.entries.push_back({configuration_.epoch, log_.entries.size() + 1, 0, std::move(payload)});
  return machine_.apply(log_.entries.back());
}

void DirectGroup::propose(replication::Payload payload, OnApplied applied) {
  const base::Duration delay = options_.delay ? options_.delay() : base::Duration(0);
  base::Instant due = timers_.clock().now() + delay;
  if (!waiting_.empty()) due = std::max(due, waiting_.back().due);
  waiting_.push_back({std::move(payload), std::move(applied), due, !serving_});
  arm();
}

void DirectGroup::arm() {
  if (timer_ || waiting_.empty()) return;
  timer_ = timers_.at(waiting_.front().due, [this] { take_due(); });
}

void DirectGroup::take_due() {
  const base::TimerHandle fired = std::move(timer_);
  Waiting first = std::move(waiting_.front());
  waiting_.pop_front();
  arm();
  if (first.refused) return first.applied(not_primary());
  std::string answer = append(std::move(first.payload));
  first.applied(std::move(answer));  // may destroy this
}

void DirectGroup::set_serving(bool serving) {
  if (serving_ == serving) return;
  serving_ = serving;
  if (!serving) {
    bool keeps = true;  // what survives is a prefix
    for (Waiting& waiting : waiting_) {
      if (waiting.refused) continue;
      waiting.refused = true;
      keeps = keeps && options_.keeps_unapplied && options_.keeps_unapplied();
      if (keeps) append(std::move(waiting.payload));
    }
  }
  machine_.on_role(serving);
}

}  // namespace dfs::testing

// SPDX-License-Identifier: Apache-2.0
// The client's session: how it begins, stays alive, is carried over to a new metadata primary, and
// ends.
//
//   opening ─open()─▶ live ─renewal not answered in time─▶ suspended ─answered─▶ live
//   live, suspended ─session_unknown─▶ lost (the owner opens anew)
//   any ─stale_epoch─▶ fenced (for good)
// 1. Leases count from when the last answered renewal was sent, on this machine's boot clock, and
// end early by a tenth.
// Threads: the loop's.
#pragma once

#include "dfs/client/meta_link.h"

namespace dfs::client {

enum class SessionState : std::uint8_t { opening, live, suspended, lost, fenced };

class Session {
 public:
  struct Events {
    std::function<std::vector<LeaseClaim>()> leases;  // all that are held, for a new primary
    std::function<void(SessionState)> changed;
    std::function<void()> ended;  // a lost one is about to be replaced: nothing of it is left
  };
  Session(MetaLink& link, base::Timers& timers, Events events);

  void open(const OpenSession& request, Done<Nothing> done);
  // Requires: everything was flushed.
  void close(Done<Nothing> done);

  // Whether leases hold right now.
  bool is_live() const {
    return state_ == SessionState::live && timers_.clock().now() < valid_until_;
  }
  SessionState state() const { return state_; }
  const OpenSessionReply& terms() const { return terms_; }
  SessionNumber number() const { return terms_.session; }

  // From whoever met such an error.
  void on_error(const base::Error& error);
  // From MetaLink.
  void reclaim();

 private:
  void renew();
  void on_renewed(base::Instant sent, const base::Result<Nothing>& reply);
  void suspend_if_late();
  void set_state(SessionState state);
  base::Duration lease() const { return std::chrono::milliseconds(terms_.lease_ms); }

  MetaLink& link_;
  base::Timers& timers_;
  const Events events_;
  OpenSessionReply terms_;
  SessionState state_ = SessionState::opening;
  base::Instant valid_until_;
  bool is_reclaiming_ = false;
  bool is_closing_ = false;
  bool is_renewing_ = false;
  base::TimerHandle renew_timer_, silence_timer_, late_timer_;
};

}  // namespace dfs::client

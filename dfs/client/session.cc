// SPDX-License-Identifier: Apache-2.0
#include "dfs/client/session.h"

#include <algorithm>

namespace dfs::client {

using base::Error;
using base::Result;

namespace {

constexpr base::Duration kRenewEvery = std::chrono::milliseconds(300);
constexpr base::Duration kSilenceMax = std::chrono::milliseconds(700);
// More than a cache holds: a claim in two parts would lose the first one when the primary changes
// in between.
constexpr std::size_t kClaimsPerCall = 200'000;

}  // namespace

Session::Session(MetaLink& link, base::Timers& timers, Events events)
    : link_(link), timers_(timers), events_(std::move(events)) {}

void Session::open(const OpenSession& request, Done<Nothing> done) {
  const base::Instant sent = timers_.clock().now();
  link_.call(
      request,
      [this, sent, done = std::move(done)](Result<OpenSessionReply> reply) {
        if (!reply) return done(reply.error());
        if (state_ == SessionState::lost) events_.ended();
        terms_ = *std::move(reply);
        valid_until_ = sent + lease() * 9 / 10;
        is_closing_ = false;
        is_renewing_ = false;
        set_state(SessionState::live);
        suspend_if_late();
        renew_timer_ = timers_.after(std::min(kRenewEvery, lease() / 4), [this] { renew(); });
        done(Nothing{});
      },
      MetaLink::Way::session);
}

void Session::close(Done<Nothing> done) {
  is_closing_ = true;
  renew_timer_.reset();
  silence_timer_.reset();
  late_timer_.reset();
  CloseSession request;
  request.session = number();
  link_.call(request, std::move(done), MetaLink::Way::session, std::chrono::seconds(10));
}

void Session::renew() {
  if (is_closing_ || state_ == SessionState::lost || state_ == SessionState::fenced) return;
  renew_timer_ = timers_.after(std::min(kRenewEvery, lease() / 4), [this] { renew(); });
  if (is_renewing_) return;
  is_renewing_ = true;
  // A server that does not answer this is as good as gone, whatever its link says.
  silence_timer_ = timers_.after(kSilenceMax, [this] {
    const base::TimerHandle fired = std::move(silence_timer_);
    is_renewing_ = false;  // the repeated request is answered to nobody's harm
    link_.give_up_server();
    renew();
  });
  Renew request;
  request.session = number();
  link_.call(
      request,
      [this, sent = timers_.clock().now()](const Result<Nothing>& reply) {
        on_renewed(sent, reply);
      },
      MetaLink::Way::session, lease());
}

void Session::on_renewed(base::Instant sent, const Result<Nothing>& reply) {
  is_renewing_ = false;
  silence_timer_.reset();
  if (!reply) return on_error(reply.error());
  valid_until_ = std::max(valid_until_, sent + lease() * 9 / 10);
  suspend_if_late();
  if (state_ == SessionState::suspended && timers_.clock().now() < valid_until_)
    set_state(SessionState::live);
}

void Session::suspend_if_late() {
  if (is_closing_) return;
  late_timer_ = timers_.at(valid_until_, [this] {
    if (state_ == SessionState::live && timers_.clock().now() >= valid_until_)
      set_state(SessionState::suspended);
  });
}

void Session::on_error(const Error& error) {
  if (error.reason == "stale_epoch") return set_state(SessionState::fenced);
  if (error.reason == "session_unknown" && !is_closing_ && state_ != SessionState::opening)
    set_state(SessionState::lost);
}

void Session::reclaim() {
  if (is_reclaiming_ || is_closing_) return;
  is_reclaiming_ = true;
  link_.hold();
  std::vector<LeaseClaim> claims = events_.leases();
  for (std::size_t first = 0;; first += kClaimsPerCall) {
    Reclaim request;
    request.session = number();
    const std::size_t end = std::min(claims.size(), first + kClaimsPerCall);
    request.leases.assign(claims.begin() + static_cast<std::ptrdiff_t>(std::min(first, end)),
                          claims.begin() + static_cast<std::ptrdiff_t>(end));
    request.last = end == claims.size();
    const bool is_last = request.last;
    link_.call(
        request,
        [this, is_last](const Result<Nothing>& reply) {
          if (!reply) on_error(reply.error());
          if (!is_last) return;
          is_reclaiming_ = false;
          link_.resume();
        },
        MetaLink::Way::session);
    if (is_last) return;
  }
}

void Session::set_state(SessionState state) {
  if (state_ == state || state_ == SessionState::fenced) return;
  state_ = state;
  events_.changed(state);
}

}  // namespace dfs::client

// SPDX-License-Identifier: Apache-2.0
#include "dfs/client/meta_link.h"

#include <algorithm>

namespace dfs::client {

using base::Code;
using base::Error;
using base::Result;

namespace {

// One attempt. Answers that take their time (recalls, locks) are waited for; whether the server
// lives is the renewal's business.
constexpr base::Duration kMetaAttempt = std::chrono::hours(24);
constexpr base::Duration kPauseFirst = std::chrono::milliseconds(5);
constexpr base::Duration kPauseMax = std::chrono::milliseconds(200);

}  // namespace

bool is_passing(const Error& error) {
  if (error.code == Code::unavailable || error.code == Code::timed_out) return true;
  return error.reason == "too_many_calls" || error.reason == "link_full" ||
         error.reason == "in_flight_full" || error.reason == "request_dropped";
}

MetaLink::MetaLink(base::Net& net, base::Timers& timers, std::vector<base::Endpoint> servers,
                   Events events)
    : net_(net), timers_(timers), servers_(std::move(servers)), events_(std::move(events)) {
  CHECK_THAT(!servers_.empty());
}

MetaLink::~MetaLink() { *alive_ = false; }

std::uint64_t MetaLink::start(std::uint8_t kind, std::string body, Way way, base::Duration patience,
                              OnBody answered) {
  const std::uint64_t number = next_++;
  Call& call = calls_[number];
  call = {kind, std::move(body), way, timers_.clock().now() + patience, std::move(answered), false};
  if (!timer_ && (!is_held_ || way == Way::session)) send(number, call);
  return number;
}

void MetaLink::send(std::uint64_t number, Call& call) {
  if (!client_) {
    ++life_;
    client_ = std::make_unique<RpcClient>(net_, timers_, servers_[current_]);
    client_->on_notice([this](std::uint8_t kind, std::string_view body) {
      if (kind != static_cast<std::uint8_t>(MetaKind::recall)) return;
      // A recall that cannot be read is not answered: the server will end the session.
      const Result<Recall> recall = decode<Recall>(body);
      if (recall) events_.recall(*recall);
    });
  }
  call.is_sent = true;
  client_->call(call.kind, call.body, {}, kMetaAttempt,
                [this, number, life = life_, alive = alive_](Result<Answer> answer) {
                  if (!*alive) return;
                  if (life == life_) return on_answer(number, std::move(answer));
                });
}

void MetaLink::send_all() {
  for (auto& [number, call] : calls_)
    if (!call.is_sent && (!is_held_ || call.way == Way::session)) send(number, call);
}

void MetaLink::resume() {
  is_held_ = false;
  if (!timer_) send_all();
}

void MetaLink::on_answer(std::uint64_t number, Result<Answer> answer) {
  const auto found = calls_.find(number);
  if (found == calls_.end()) return;
  if (answer) {
    failures_ = 0;
    return finish(number, answer->body);
  }
  const Error& error = answer.error();
  found->second.is_sent = false;
  if (error.reason == "reclaim_first") {
    hold();
    return events_.reclaim_first();
  }
  if (!is_passing(error)) {
    failures_ = 0;
    return finish(number, error);
  }
  if (timers_.clock().now() >= found->second.patience_end) return finish(number, error);
  // Too few copies, and the like: the same server will do better soon.
  const bool is_elsewhere = error.reason == "not_primary" || error.reason == "link_closed" ||
                            error.os_errno != 0 || error.code == Code::timed_out;
  if (is_elsewhere) return give_up_server();
  again_later();
}

void MetaLink::finish(std::uint64_t number, Result<std::string_view> body) {
  const OnBody answered = std::move(calls_.at(number).answered);
  calls_.erase(number);
  answered(body);
}

void MetaLink::give_up_server() {
  current_ = (current_ + 1) % servers_.size();
  ++life_;
  client_.reset();
  for (auto& [number, call] : calls_) call.is_sent = false;
  again_later();
}

void MetaLink::again_later() {
  if (timer_) return;
  // All servers are tried once before the first long pause.
  const int rounds = failures_++ / static_cast<int>(servers_.size());
  const base::Duration pause = std::min(kPauseMax, kPauseFirst * (1 << std::min(rounds, 10)));
  timer_ = timers_.after(pause, [this] {
    const base::TimerHandle fired = std::move(timer_);
    const base::Instant now = timers_.clock().now();
    std::vector<std::uint64_t> tired;
    for (const auto& [number, call] : calls_)
      if (!call.is_sent && now >= call.patience_end) tired.push_back(number);
    const auto alive = alive_;
    for (const std::uint64_t number : tired) {
      finish(number,
             Error{Code::timed_out, "no metadata server answers", "call_timed_out", ETIMEDOUT});
      if (!*alive) return;
    }
    send_all();
  });
}

void MetaLink::fail_all(const Error& error) {
  const auto alive = alive_;
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, call] : calls_)
    if (call.way == Way::ordinary) numbers.push_back(number);
  for (const std::uint64_t number : numbers) {
    if (!*alive) return;
    if (calls_.contains(number)) finish(number, error);
  }
}

}  // namespace dfs::client

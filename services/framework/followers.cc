// SPDX-License-Identifier: Apache-2.0
#include "services/framework/followers.h"

#include <nlohmann/json.hpp>

#include "common/base/json.h"

namespace services {

using base::Code;
using base::Error;
using base::Result;

namespace {

// So that a client that has gone is noticed, and proxies keep the connection.
constexpr base::Duration kHeartbeat = std::chrono::seconds(15);
constexpr std::string_view kComment = ": \r\n\r\n";

}  // namespace

// All but the count is touched on the loop only.
struct Followers::State : std::enable_shared_from_this<Followers::State> {
  explicit State(Host& its_host) : host(its_host) {}

  void begin(std::uint64_t id, Wish wish, std::shared_ptr<rest::ByteStream> stream) {
    if (is_stopped) {
      --count;
      return stream->finish();
    }
    Follower& follower = all[id];
    follower.wish = std::move(wish);
    follower.stream = std::move(stream);
    arm(id, follower);
    run(id);
  }

  void arm(std::uint64_t id, Follower& follower) {
    const bool is_poll = follower.wish.wait.count() > 0;
    follower.timer = host.timers().after(
        is_poll ? follower.wish.wait : kHeartbeat, [weak = weak_from_this(), id, is_poll] {
          const auto self = weak.lock();
          if (!self || !self->all.contains(id)) return;
          Follower& its = self->all.at(id);
          if (is_poll) {
            its.is_over = true;
            return self->run(id);
          }
          if (!its.stream->is_open() || !its.stream->write(kComment)) return self->end(id);
          self->arm(id, its);
        });
  }

  void run(std::uint64_t id) {
    Follower& follower = all.at(id);
    if (!follower.stream->is_open()) return end(id);
    follower.must_repeat = follower.is_running;
    if (follower.is_running) return;
    follower.is_running = true;
    auto submitted = host.submit([self = shared_from_this(), id, attempt = follower.wish.attempt,
                                  is_last = follower.is_over] {
      Outcome outcome = attempt(is_last);
      self->host.post([self, id, outcome = std::move(outcome)] { self->take(id, outcome); });
    });
    // Every worker is busy: the client comes again.
    if (!submitted) end(id);
  }

  void take(std::uint64_t id, const Outcome& outcome) {
    const auto found = all.find(id);
    if (found == all.end()) return;
    Follower& follower = found->second;
    follower.is_running = false;
    const bool is_written = outcome.bytes.empty() || follower.stream->write(outcome.bytes);
    if (!is_written || outcome.is_done || !follower.stream->is_open()) return end(id);
    if (follower.must_repeat) run(id);
  }

  void end(std::uint64_t id) {
    const auto found = all.find(id);
    if (found == all.end()) return;
    const auto stream = found->second.stream;
    all.erase(found);
    --count;
    stream->finish();
  }

  void notify(const std::string& channel) {
    std::vector<std::uint64_t> concerned;
    for (const auto& [id, follower] : all)
      if (follower.wish.channels.contains(channel)) concerned.push_back(id);
    for (const std::uint64_t id : concerned) run(id);
  }

  Host& host;
  std::atomic<std::size_t> count = 0;
  std::map<std::uint64_t, Follower> all;
  std::atomic<std::uint64_t> next = 1;
  bool is_stopped = false;
};

Followers::Outcome Followers::Outcome::failure(const Error& error) {
  return {base::dump_json({{"reason", std::string(error.reason)}, {"message", error.detail}}),
          true};
}

Followers::Followers(Host& host) : state_(std::make_shared<State>(host)) {}

Result<std::shared_ptr<rest::ByteStream>> Followers::follow(Wish wish) {
  if (state_->count >= kFollowersMax)
    return Error{Code::throttled, "1000 clients wait already", "too_many_followers"};
  auto stream = std::make_shared<rest::ByteStream>(8 << 20);
  const std::uint64_t id = state_->next++;
  ++state_->count;
  state_->host.post([state = state_, id, wish = std::move(wish), stream]() mutable {
    state->begin(id, std::move(wish), stream);
  });
  return stream;
}

void Followers::notify(const std::string& channel) {
  if (state_->count == 0) return;
  state_->host.post([state = state_, channel] { state->notify(channel); });
}

std::size_t Followers::size() const { return state_->count; }

void Followers::stop() {
  state_->is_stopped = true;
  std::vector<std::uint64_t> ids;
  for (const auto& [id, follower] : state_->all) ids.push_back(id);
  for (const std::uint64_t id : ids) state_->end(id);
}

}  // namespace services

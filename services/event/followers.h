// SPDX-License-Identifier: Apache-2.0
// Those who wait for events: long polls and server-sent events, woken by what is appended.
//
// Used by service.cc and confluent.cc.
// 1. Nothing polls: an attempt to read runs when its channel got events, and once more when a long
// poll's time is over.
// 2. Attempts of one follower never overlap; what is appended during one leads to another.
// Threads: follow, notify and stop from any; attempts on workers; streams on the loop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "common/rest/http.h"
#include "services/framework/host.h"

namespace services::event {

inline constexpr std::size_t kFollowersMax = 1000;

class Followers {
 public:
  struct Outcome {
    std::string bytes;  // for the client, may be empty
    bool is_done = false;
  };
  struct Wish {
    std::set<std::string> channels;
    base::Duration wait{0};  // of a long poll; 0: until the client goes
    // `is_last`: the time is over, the answer must be complete now.
    std::function<Outcome(bool is_last)> attempt;
  };

  explicit Followers(Host& host);
  // Errors: throttled too_many_followers.
  base::Result<std::shared_ptr<rest::ByteStream>> follow(Wish wish);
  void notify(const std::string& channel);
  void stop();
  std::size_t size() const;

 private:
  struct Follower {
    Wish wish;
    std::shared_ptr<rest::ByteStream> stream;  // shared with the HTTP frame
    base::TimerHandle timer;
    bool is_running = false;
    bool must_repeat = false;
    bool is_over = false;  // the time has come
  };
  struct State;

  std::shared_ptr<State> state_;  // shared with work under way
};

}  // namespace services::event

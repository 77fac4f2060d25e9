// SPDX-License-Identifier: Apache-2.0
// Clients who wait for something to change: long polls and server-sent events.
//
// Used by the event service (channels that are appended to) and by meta (resources whose
// configuration is watched).
// 1. Nothing polls: an attempt to answer runs at first, when one of its channels is notified, and
// once more when a long poll's time is over.
// 2. Attempts of one follower never overlap; a notice during one leads to another.
// Threads: follow, notify and stop from any; attempts on workers; streams on the loop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "common/rest/http.h"
#include "services/framework/host.h"

namespace services {

inline constexpr std::size_t kFollowersMax = 1000;

class Followers {
 public:
  struct Outcome {
    std::string bytes;  // for the client, may be empty
    bool is_done = false;
    // The end of a poll that failed; its status has been sent, so the body says it.
    static Outcome failure(const base::Error& error);
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

}  // namespace services

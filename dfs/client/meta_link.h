// SPDX-License-Identifier: Apache-2.0
// Calls to the metadata service, wherever its primary is.
//
// Used by everything in dfs/client; calls dfs/api/rpc.h.
// 1. A call is sent again, unchanged, until somebody has answered it or its patience is over: a
// fail-over costs time, never an error. All requests of the protocol can be repeated.
// 2. Calls leave in the order they were made, also after a link has ended.
// 3. While held, only the calls of the session itself (Way::session) are sent.
// Threads: the loop's.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "dfs/api/meta_protocol.h"
#include "dfs/api/rpc.h"
#include "dfs/client/outcome.h"

namespace dfs::client {

inline constexpr base::Duration kPatience = std::chrono::minutes(10);

// An answer that says "somewhere else" or "not now".
bool is_passing(const base::Error& error);

class MetaLink {
 public:
  enum class Way : std::uint8_t { ordinary, session };
  struct Events {
    std::function<void(const Recall&)> recall;
    std::function<void()> reclaim_first;  // the primary is new; called before anything is repeated
  };

  // Requires: `servers` is not empty; the addresses of all metadata servers.
  MetaLink(base::Net& net, base::Timers& timers, std::vector<base::Endpoint> servers,
           Events events);
  ~MetaLink();  // what is unanswered is dropped without a callback
  MetaLink(const MetaLink&) = delete;
  MetaLink& operator=(const MetaLink&) = delete;

  // Errors: those of the request; unavailable and timed_out once the patience is over.
  template <class Request>
  std::uint64_t call(const Request& request, Done<typename Request::Reply> done,
                     Way way = Way::ordinary, base::Duration patience = kPatience) {
    return start(static_cast<std::uint8_t>(Request::kKind), encode(request), way, patience,
                 [done = std::move(done)](base::Result<std::string_view> body) {
                   if (!body) return done(std::move(body).error());
                   done(decode<typename Request::Reply>(*body));
                 });
  }

  void hold() { is_held_ = true; }
  void resume();
  // The server is silent: everything goes to the next one.
  void give_up_server();
  // Ends every call with `error`.
  void fail_all(const base::Error& error);
  const base::Endpoint& server() const { return servers_[current_]; }

 private:
  using OnBody = std::function<void(base::Result<std::string_view>)>;
  struct Call {
    std::uint8_t kind = 0;
    std::string body;
    Way way = Way::ordinary;
    base::Instant patience_end;
    OnBody answered;
    bool is_sent = false;
  };

  std::uint64_t start(std::uint8_t kind, std::string body, Way way, base::Duration patience,
                      OnBody answered);
  void send(std::uint64_t number, Call& call);
  void send_all();
  void on_answer(std::uint64_t number, base::Result<Answer> answer);
  void finish(std::uint64_t number, base::Result<std::string_view> body);
  void again_later();

  base::Net& net_;
  base::Timers& timers_;
  const std::vector<base::Endpoint> servers_;
  const Events events_;
  std::size_t current_ = 0;
  std::uint64_t life_ = 0;  // of client_: answers of an earlier one say nothing about this one
  std::unique_ptr<RpcClient> client_;
  std::map<std::uint64_t, Call> calls_;
  std::uint64_t next_ = 1;
  bool is_held_ = false;
  int failures_ = 0;  // since the last answer
  base::TimerHandle timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace dfs::client

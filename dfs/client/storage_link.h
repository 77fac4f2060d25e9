// SPDX-License-Identifier: Apache-2.0
// Calls to the storage servers: each goes to the primary of its chunk group.
//
// 1. A call is sent again until it is answered, or the session has ended: a fail-over costs time.
// 2. A request that was sent is not sent anew because its answer is slow, only when its link has
// ended or the group has another primary: two copies of one write must not be under way.
// 3. Content is verified against its checksums before it is handed on.
// Threads: the loop's.
#pragma once

#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "dfs/api/rpc.h"
#include "dfs/api/storage_protocol.h"
#include "dfs/client/meta_link.h"

namespace dfs::client {

// CRC-32C of each part of `data` between multiples of kBlockBytes, `data` being at `offset`.
std::vector<std::uint32_t> block_checksums(std::string_view data, std::uint64_t offset);

class StorageLink {
 public:
  StorageLink(base::Net& net, base::Timers& timers, MetaLink& meta);
  ~StorageLink();
  StorageLink(const StorageLink&) = delete;
  StorageLink& operator=(const StorageLink&) = delete;

  void set_groups(const std::vector<GroupPlace>& groups);
  // Where a new object is to live. 0: no group is known.
  GroupNumber group_for(ObjectNumber object) const;

  // Whether metadata is to be asked first: none is known, nor was asked a moment ago.
  bool should_learn() const;
  void learn(Done<Nothing> done);

  // `data` must live until `done` is called. Errors of all: stale_epoch, no_space, block_corrupt,
  // and what fail_all() was given.
  void write(const ObjectPlace& place, std::uint64_t offset, std::string_view data,
             Done<ChangeReply> done);
  // May be shorter than asked for: zeros follow. The content lives until `done` returns.
  void read(const ObjectPlace& place, std::uint64_t offset, std::uint32_t size,
            Done<std::string_view> done);
  template <class Request>
  void call(const Request& request, Done<typename Request::Reply> done) {
    start(static_cast<std::uint8_t>(Request::kKind), request.place.group, encode(request), {},
          [done = std::move(done)](base::Result<Answer> answer) {
            if (!answer) return done(std::move(answer).error());
            done(decode<typename Request::Reply>(answer->body));
          });
  }
  // Nothing is sent, nor sent again, until resume(): the session may have ended, and others may be
  // changing what it had.
  void hold() { is_held_ = true; }
  void resume();
  void fail_all(const base::Error& error);
  std::size_t under_way() const { return calls_.size(); }

 private:
  struct Call {
    std::uint8_t kind = 0;
    GroupNumber group = 0;
    std::string body;
    std::string_view data;
    OnAnswer answered;
    base::Endpoint sent_to;  // empty host: not sent
    std::uint64_t attempt = 0;
    base::Instant sent_at;
  };

  void start(std::uint8_t kind, GroupNumber group, std::string body, std::string_view data,
             OnAnswer answered);
  void send(std::uint64_t number, Call& call);
  void send_all();
  void on_answer(std::uint64_t number, std::uint64_t attempt, base::Result<Answer> answer);
  void finish(std::uint64_t number, base::Result<Answer> answer);
  void ask_where();
  void watch_slow();
  const base::Endpoint* primary_of(GroupNumber group) const;

  base::Net& net_;
  base::Timers& timers_;
  MetaLink& meta_;
  std::map<GroupNumber, GroupPlace> groups_;
  std::map<GroupNumber, base::Endpoint> primaries_;
  std::map<base::Endpoint, std::unique_ptr<RpcClient>> clients_;
  std::map<std::uint64_t, Call> calls_;
  std::uint64_t next_ = 1;
  bool is_asking_ = false;
  bool is_held_ = false;
  base::Instant learned_;
  base::TimerHandle again_timer_, slow_timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace dfs::client

// SPDX-License-Identifier: Apache-2.0
// What netfwd should know of this node's instances, brought there and kept there.
//
// 1. Level-triggered: the owner says what is so; this sends what netfwd does not know yet, one call
//    per instance at a time, the newest state only.
// 2. After a failure, at the start and every kResync it sends the whole truth at once.
// 3. Nobody waits long for netfwd: a caller's `done` comes when netfwd agreed, when it failed, or
//    after kPatience.
// Threads: loop thread.
// Source: docs/reference/internal-apis.md, "agentd → netfwd: instances".
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/sys/event_loop.h"
#include "common/sys/http_client.h"
#include "node/agent/backoff.h"
#include "node/api/ids.h"

namespace node::agent {

enum class Exposure { starting, healthy, unhealthy, draining };

struct NetfwInstance {
  std::string service;
  std::string address;
  std::vector<std::uint16_t> ports;
  Exposure exposure = Exposure::starting;
  friend bool operator==(const NetfwInstance&, const NetfwInstance&) = default;
};

class NetfwLink {
 public:
  using Done = std::function<void()>;
  struct Parts {
    sys::EventLoop& loop;
    sys::AsyncHttp& http;
    std::string socket;
    std::string node;
  };
  explicit NetfwLink(Parts parts);

  // The owner has said all that is so; from here on it is sent.
  void start();
  void set(const api::InstanceId& id, NetfwInstance instance, Done done = {});
  void remove(const api::InstanceId& id);
  // `done` when the instance has no sessions any more, at the deadline, or when netfwd is away.
  void drain(const api::InstanceId& id, std::chrono::milliseconds deadline, Done done);
  bool is_connected() const { return !away_; }

 private:
  struct Entry {
    std::optional<NetfwInstance> wanted;  // nullopt: to be deleted
    bool sent = false;                    // netfwd agreed to `wanted`
    bool skip_ack = false;                // `wanted` changed while a call was under way
    std::vector<Done> waiters;
    sys::WatchHandle call;
    sys::WatchHandle patience;
  };
  using Entries = std::map<api::InstanceId, Entry>;

  void push(Entries::iterator at);
  void finish(const api::InstanceId& id, bool accepted);
  void release(Entry& entry);
  void resync();
  void finish_resync(bool accepted);
  void set_away(const std::string& detail);

  Parts parts_;
  Entries entries_;
  std::map<std::uint64_t, sys::WatchHandle> drains_;
  std::uint64_t drain_next_ = 0;
  bool started_ = false;
  bool away_ = true;  // until the first resync has succeeded
  bool told_away_ = false;
  Backoff backoff_;
  sys::WatchHandle resync_call_;
  sys::WatchHandle retry_;
  sys::WatchHandle periodic_;
};

}  // namespace node::agent

// SPDX-License-Identifier: Apache-2.0
// Reports of this node's instances to masterd: at once, in order, one at a time.
//
// 1. What changes while a report is under way goes into the next one.
// 2. After any failure the next report is a full one, so masterd never has to guess what it missed.
// 3. Without changes there is an empty report every second: by its answer the agent learns that
// masterd has started anew and wants everything.
// Threads: loop thread.
// Source: docs/reference/internal-apis.md, "agentd → masterd: status".
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "common/sys/event_loop.h"
#include "common/sys/http_client.h"
#include "node/agent/backoff.h"
#include "node/api/status.h"

namespace node::agent {

class MasterLink {
 public:
  struct Parts {
    sys::EventLoop& loop;
    sys::AsyncHttp& http;
    std::string socket;
    std::string node;
    std::string boot;  // a UUID of this process
    std::function<std::vector<api::InstanceStatus>()> all;
    // nullopt when the instance is gone.
    std::function<std::optional<api::InstanceStatus>(const api::InstanceId&)> find;
  };
  explicit MasterLink(Parts parts);

  // From here on reports are sent; the first one is full.
  void start();
  void changed(const api::InstanceId& id);
  bool is_connected() const { return connected_; }

 private:
  void send();
  void finish(base::Result<sys::HttpReply> reply);

  Parts parts_;
  std::set<api::InstanceId> changed_;
  std::int64_t sequence_ = 0;
  bool started_ = false;
  bool full_ = true;
  bool connected_ = false;
  bool told_away_ = false;
  Backoff backoff_;
  sys::WatchHandle call_;
  sys::WatchHandle retry_;
  sys::WatchHandle idle_;
};

}  // namespace node::agent

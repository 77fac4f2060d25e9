// SPDX-License-Identifier: Apache-2.0
// This node in the coordination tree: says that it is there, and brings what masterd wishes.
//
// 1. /gestalt/nodes/<node> and the ephemeral /gestalt/live/<node> are written with each new
// session.
// 2. A change of /gestalt/assign/<node> is read at once; specs come from /gestalt/specs/<digest>,
//    are compared with their digest and kept as long as an assignment names them.
// 3. A lost session is opened anew; meanwhile the last wishes stay in force.
// Threads: loop thread; the engine's calls are made on workers, one at a time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/coordination/coordination.h"
#include "common/sys/event_loop.h"
#include "node/agent/backoff.h"
#include "node/api/assignments.h"
#include "node/api/node.h"
#include "node/api/run_spec.h"

namespace node::agent {

struct Wishes {
  api::Assignments assignments;
  std::map<std::string, std::shared_ptr<const api::RunSpec>> specs;  // by digest
  std::map<std::string, base::Error> spec_errors;                    // by digest
};

class CoordinationLink {
 public:
  using Open = std::function<base::Result<std::unique_ptr<coordination::Coordination>>()>;
  struct Parts {
    sys::EventLoop& loop;
    sys::WorkerPool& workers;
    api::Node self;
    Open open;  // called on a worker
    std::function<void(std::shared_ptr<const Wishes>)> on_wishes;
  };
  explicit CoordinationLink(Parts parts);
  ~CoordinationLink();

  void start() { look(); }
  bool is_connected() const { return connected_; }

 private:
  struct Session;

  void look();
  void finish(base::Result<std::shared_ptr<const Wishes>> wishes);

  Parts parts_;
  std::shared_ptr<Session> session_;  // used by one worker at a time
  std::shared_ptr<CoordinationLink*> self_;
  bool looking_ = false;
  bool look_again_ = false;
  bool connected_ = false;
  bool told_away_ = false;
  Backoff backoff_;
  sys::WatchHandle retry_;
};

}  // namespace node::agent

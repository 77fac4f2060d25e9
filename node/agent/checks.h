// SPDX-License-Identifier: Apache-2.0
// The health and readiness checks of one instance, run on the event loop.
//
// Used by the supervisor, which makes one for each running instance and drops it at its end.
// 1. A check has at most one look under way; its next look is set by CheckState.
// 2. `healthy()` is nullopt until every check has decided; one unhealthy check decides for all.
// 3. What instances answer to readiness checks is foreign text: at most kCheckBodyMax bytes for all
// checks of an instance together are kept, without control characters.
// Threads: loop thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/sys/event_loop.h"
#include "common/sys/http_client.h"
#include "node/agent/check_state.h"
#include "node/agent/record.h"

namespace node::agent {

// The outcome of one look: empty when good, otherwise what was wrong.
using LookDone = std::function<void(std::string failure)>;

class Checks {
 public:
  struct Parts {
    sys::EventLoop& loop;
    sys::AsyncHttp& http;
    // Runs a command inside the instance.
    std::function<void(std::vector<std::string> argv, std::chrono::milliseconds timeout, LookDone)>
        run_command;
    std::function<void()> on_change;  // healthy(), ready() or a result changed; may end the object
  };
  // `was_healthy`: of an instance that runs already.
  Checks(Parts parts, const Record& record, base::Instant started, bool was_healthy);
  ~Checks();

  std::optional<bool> healthy() const;
  bool ready() const;
  std::vector<api::HealthResult> results() const;
  std::vector<api::ReadinessResult> readiness() const;

 private:
  struct Health;
  struct Readiness;

  void look(Health& check);
  void finish(Health& check, const std::string& failure);
  void look(Readiness& check);
  void finish(Readiness& check, const base::Result<sys::HttpReply>& reply);
  sys::WatchHandle probe_http(bool tls, std::uint16_t port, const std::string& path,
                              std::chrono::milliseconds timeout, sys::AsyncHttp::Done done);

  Parts parts_;
  std::string address_;
  std::size_t kept_body_max_;  // of each response that is kept
  std::vector<std::unique_ptr<Health>> health_;
  std::vector<std::unique_ptr<Readiness>> readiness_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace node::agent

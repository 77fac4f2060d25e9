// SPDX-License-Identifier: Apache-2.0
// An agent without a machine: it stands in the coordination tree as a node, takes its assignments
// and reports what a real agent would, so that masterd can be tried with real clients.
//
// Usage: fake_agent COORDINATION_FOLDER MASTERD_SOCKET NODE_NAME ADDRESS
// An instance runs at once and is healthy and ready. Variables of the app change that:
// FAKE=crash ends it as failed as soon as it runs, FAKE=ill reports it unhealthy, FAKE=stuck leaves
// it staging. It refuses what no agent could do: a port twice, a spec that is not there.
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>

#include "common/coordination/coordination.h"
#include "common/sys/http_client.h"
#include "node/api/assignments.h"
#include "node/api/node.h"
#include "node/api/run_spec.h"
#include "node/api/status.h"

namespace {

using base::Result;
using node::api::Goal;
using node::api::InstanceState;
using node::api::InstanceStatus;

class FakeAgent {
 public:
  FakeAgent(coordination::Coordination& tree, std::string socket, node::api::Node info)
      : tree_(tree), socket_(std::move(socket)), info_(std::move(info)) {
    report_.boot = base::system_rng().uuid();
    report_.full = true;
  }

  Result<void> run() {
    for (const auto folder : {node::api::kNodesPath, node::api::kLivePath, node::api::kAssignPath})
      TRY(coordination::ensure_path(tree_, std::string(folder)));
    const std::string place = node::api::place(node::api::kNodesPath, info_.name);
    const std::string text = node::api::encode(info_);
    if (const auto made = tree_.create({place, text}); !made) TRY(tree_.set({place, text}));
    TRY(tree_.create(
        {node::api::place(node::api::kLivePath, info_.name), "", coordination::Kind::ephemeral}));
    std::printf("live\n");
    std::fflush(stdout);
    while (true) {
      TRY(take_assignments());
      while (work()) send();
      send();
      std::unique_lock lock(mutex_);
      // Once a second there is a report anyway: a masterd that started anew asks for everything.
      changed_.wait_for(lock, std::chrono::seconds(1), [this] { return fired_; });
      fired_ = false;
    }
  }

 private:
  struct Known {
    InstanceStatus status;
    Goal goal = Goal::running;
    std::string spec;
    std::string mode;
    bool checked = false;
  };

  Result<void> take_assignments() {
    const auto value =
        TRY(tree_.find(node::api::place(node::api::kAssignPath, info_.name), [this] { wake(); }));
    if (!value) return {};
    const auto wanted = TRY(node::api::decode_assignments(value->data));
    std::map<node::api::InstanceId, Known> next;
    std::set<int> ports;
    for (const auto& assignment : wanted.instances) {
      for (const auto port : assignment.ports) CHECK_THAT(ports.insert(port).second);
      Known known;
      if (const auto found = known_.find(assignment.id); found != known_.end())
        known = found->second;
      known.goal = assignment.goal;
      if (known.spec != assignment.spec) {
        const auto spec = TRY(tree_.find(node::api::place(node::api::kSpecsPath, assignment.spec)));
        if (!spec) return {};  // newer assignments are on their way; the watch tells
        const auto read = TRY(node::api::decode_run_spec(spec->data));
        known.spec = assignment.spec;
        known.checked = !read.health_checks.empty();
        const auto mode = read.environment.find("FAKE");
        known.mode = mode == read.environment.end() ? "" : mode->second;
      }
      known.status.id = assignment.id;
      known.status.epoch = assignment.epoch;
      known.status.ports = assignment.ports;
      known.status.address = info_.address;
      if (known.status.staged_at.empty()) known.status.staged_at = now();
      next[assignment.id] = known;
    }
    known_ = std::move(next);
    return {};
  }

  static std::string now() { return base::format_time(base::system_clock().wall()); }

  // One step of every instance towards its goal; true when something changed.
  bool work() {
    bool moved = false;
    for (auto& [id, known] : known_) {
      InstanceStatus& status = known.status;
      if (node::api::is_terminal(status.state)) continue;
      const InstanceStatus before = status;
      if (known.goal == Goal::stopped) {
        status.state = InstanceState::killed;
        status.finished_at = now();
      } else if (status.state == InstanceState::staging && known.mode != "stuck") {
        status.state = InstanceState::running;
        status.started_at = now();
        status.pid = 4711;
      } else if (status.state == InstanceState::running) {
        step_running(known);
      }
      if (status == before) continue;
      changed_instances_[id] = status;
      moved = true;
    }
    return moved;
  }

  static void step_running(Known& known) {
    InstanceStatus& status = known.status;
    if (known.mode == "crash") {
      status.state = InstanceState::failed;
      status.exit_status = 1;
      status.message = "exit status 1";
      status.finished_at = now();
      return;
    }
    status.ready = true;
    if (!known.checked || status.healthy) return;
    status.healthy = known.mode != "ill";
    status.health_results.resize(1);
    status.health_results[0].alive = *status.healthy;
    (*status.healthy ? status.health_results[0].last_success
                     : status.health_results[0].last_failure) = now();
    status.health_results[0].consecutive_failures = *status.healthy ? 0 : 1;
  }

  // Sends what changed; everything when masterd asks for it. What does not arrive goes next time.
  void send() {
    for (int attempt = 0; attempt < 2; ++attempt) {
      report_.instances.clear();
      if (report_.full) {
        for (const auto& [id, known] : known_) report_.instances.push_back(known.status);
      } else {
        for (const auto& [id, status] : changed_instances_) report_.instances.push_back(status);
      }
      ++report_.sequence;
      sys::HttpCall call;
      call.method = "PUT";
      call.url = "http://masterd/internal/v1/agents/" + info_.name + "/status";
      call.unix_socket = socket_;
      call.headers["Content-Type"] = "application/json";
      call.body = base::dump_json(node::api::to_json(report_));
      const auto reply = http_.send(call);
      if (!reply) {
        report_.full = true;
        return;
      }
      if (reply->status == 200) {
        report_.full = false;
        changed_instances_.clear();
        return;
      }
      CHECK_THAT(reply->status == 409);
      report_.full = true;
    }
  }

  void wake() {
    const std::lock_guard lock(mutex_);
    fired_ = true;
    changed_.notify_all();
  }

  coordination::Coordination& tree_;
  std::string socket_;
  node::api::Node info_;
  node::api::StatusReport report_;
  sys::HttpClient http_;
  std::map<node::api::InstanceId, Known> known_;
  std::map<node::api::InstanceId, InstanceStatus> changed_instances_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool fired_ = false;
};

Result<void> run(char** argv) {
  const auto tree = TRY(coordination::open_local({.folder = argv[1]}));
  node::api::Node info;
  info.name = argv[3];
  info.address = argv[4];
  info.resources = {16, std::int64_t{64} << 30, std::int64_t{1} << 40};
  info.boot_id = base::system_rng().uuid();
  return FakeAgent(*tree, argv[2], info).run();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: fake_agent COORDINATION_FOLDER MASTERD_SOCKET NODE ADDRESS\n");
    return 2;
  }
  const auto result = run(argv);
  if (!result) std::fprintf(stderr, "fake_agent: %s\n", base::to_string(result.error()).c_str());
  return 1;
}

// SPDX-License-Identifier: Apache-2.0
// The running masterd: one scheduler, the tree it writes to, the agents' nodes it watches, the
// clients that wait for their change to be durable, the event stream and netfwd.
//
// 1. A change is acknowledged when the batch that holds it is in the tree; events of a batch follow
// it.
// 2. One batch is written at a time; what changes meanwhile is the next batch, so many changes
// share one write.
// 3. A write that fails is repeated until it succeeds or another masterd leads; then this one ends.
// Threads: all on the loop thread, but commit() and read(), which route handlers call on workers.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/coordination/coordination.h"
#include "common/rest/http.h"
#include "common/rest/metrics.h"
#include "common/sys/event_loop.h"
#include "node/master/event_bus.h"
#include "node/master/scheduler.h"
#include "node/master/services_client.h"
#include "node/master/tree_store.h"
#include "node/master/views.h"

namespace node::master {

struct ServiceOptions {
  std::string address = "127.0.0.1";  // that clients are told to use
  int http_port = 8080;
  int mesos_port = 5050;
  std::string netfw_socket = "/run/gestalt/netfwd.sock";
  std::string agent_socket = "/run/gestalt/agentd.sock";
};

class MasterService {
 public:
  struct Parts {
    sys::EventLoop& loop;
    coordination::Coordination& tree;
    base::Clock& clock;
    base::Rng& rng;
    rest::Metrics& metrics;
  };
  // Becomes the leader and reads the state back. Blocks. Errors: those of TreeStore.
  static base::Result<std::unique_ptr<MasterService>> start(Parts parts, ServiceOptions options);
  MasterService(Parts parts, ServiceOptions options);
  ~MasterService();  // callers of commit() that still wait get an error

  const Scheduler& scheduler() const { return *scheduler_; }
  EventBus& events() { return events_; }
  const ServiceOptions& options() const { return options_; }
  MesosIdentity identity() const;
  rest::Metrics& metrics() { return parts_.metrics; }
  base::Json health() const;
  // Everything that was decided is durable.
  bool is_idle() const { return !writing_ && !pending_.must_write(); }

  // Runs `work` on the loop thread and returns its response once everything it changed is durable.
  // Threads: any but the loop's. Errors: those of `work`; timed_out commit_timed_out; unavailable
  // master_stopping.
  using Work = std::function<base::Result<rest::Response>(Scheduler&)>;
  base::Result<rest::Response> commit(Work work);

  // Runs `look` on the loop thread, between the loop's other work, and returns when it has run.
  // Threads: any but the loop's. Errors: timed_out read_timed_out; unavailable master_stopping.
  base::Result<void> read(std::function<void(const Scheduler&)> look);

  base::Result<std::int64_t> report(const std::string& node, const api::StatusReport& report);
  // An event of the API itself, api_post_event for instance.
  void tell(const std::string& type, base::Json data);

 private:
  struct Waiter {
    std::promise<base::Result<rest::Response>> promise;
    std::optional<rest::Response> response;
    std::int64_t batch = 0;
    std::mutex mutex;        // held while the work runs, which uses what the caller owns
    bool abandoned = false;  // guarded by mutex; the caller has gone
  };
  struct NodeList {
    std::vector<api::Node> nodes;
    std::set<std::string> live;
  };

  base::Result<void> load();
  void register_metrics();
  void flush();
  void write_batch();
  void send_writes();
  void batch_written(base::Result<void> result);
  void arm_timer();
  void look_at_nodes();
  void nodes_read(base::Result<NodeList> list);
  static base::Result<NodeList> read_nodes(coordination::Coordination& tree,
                                           std::function<void()> changed);
  void stop_leading(const base::Error& error);

  Parts parts_;
  ServiceOptions options_;
  TreeStore store_;  // the writer thread's after load()
  std::unique_ptr<Scheduler> scheduler_;
  std::string framework_id_;
  EventBus events_;
  std::unique_ptr<ServicesClient> services_;

  Effects pending_;
  std::int64_t batch_ = 0;  // number of the batch that is being written or was written last
  bool writing_ = false;
  std::shared_ptr<std::vector<Write>> writes_;  // shared with the writer thread while it writes
  std::vector<Event> events_in_flight_;
  base::Instant write_began_{};
  base::Duration retry_delay_{};
  std::vector<std::shared_ptr<Waiter>> waiters_;  // shared with the worker that waits
  WrittenVersions written_;
  std::map<std::string, std::int64_t> generations_;
  std::map<std::string, api::Node> nodes_;
  bool reading_nodes_ = false;
  bool nodes_changed_ = false;
  std::optional<base::Instant> timer_for_;
  sys::WatchHandle timer_;
  sys::WatchHandle retry_timer_;
  sys::WatchHandle nodes_timer_;
  sys::WatchHandle keep_alive_;
  // Callbacks from other threads hold this weakly: they do nothing once the service is gone.
  std::shared_ptr<MasterService*> self_;
  // Last, so that their threads end first.
  std::unique_ptr<sys::WorkerPool> writer_;
  std::unique_ptr<sys::WorkerPool> reader_;
};

}  // namespace node::master

// SPDX-License-Identifier: Apache-2.0
#include "node/master/service.h"

#include <nlohmann/json.hpp>

#include "common/base/config.h"
#include "common/base/log.h"
#include "common/base/text.h"
#include "common/sys/tls.h"

namespace node::master {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

constexpr auto kLeaderPatience = std::chrono::seconds(10);
constexpr auto kCommitMax = std::chrono::seconds(30);
constexpr auto kReadMax = std::chrono::seconds(30);
constexpr base::Duration kRetryMin = std::chrono::milliseconds(20);
constexpr base::Duration kRetryMax = std::chrono::seconds(2);
constexpr auto kKeepAlive = std::chrono::seconds(15);

// Another masterd leads, or our session is over: this one has nothing to say any more.
bool is_final(const Error& error) {
  return error.reason == "session_expired" || error.reason == "node_absent" ||
         error.reason == "version_moved_on" || error.code == Code::corrupt;
}

// Empty when the kernel does not tell: deadlines then go by wall time after a restart.
std::string read_boot_id() {
  auto text = base::read_file("/proc/sys/kernel/random/boot_id", 100);
  return text ? std::string(base::trim(*text)) : "";
}

void merge(Effects& into, Effects from) {
  into.nodes.merge(from.nodes);
  into.apps.merge(from.apps);
  into.deployments.merge(from.deployments);
  into.specs.merge(from.specs);
  into.history.merge(from.history);
  into.groups = into.groups || from.groups;
  into.services = into.services || from.services;
  std::move(from.events.begin(), from.events.end(), std::back_inserter(into.events));
}

}  // namespace

MasterService::MasterService(Parts parts, ServiceOptions options)
    : parts_(parts),
      options_(std::move(options)),
      store_(parts.tree),
      scheduler_(std::make_unique<Scheduler>(
          parts.clock, parts.rng,
          SchedulerSettings{.boot = read_boot_id(), .digest = sys::sha256_hex})),
      events_(parts.clock),
      self_(std::make_shared<MasterService*>(this)),
      writer_(std::make_unique<sys::WorkerPool>(sys::WorkerPool::Limits{1, 16})),
      reader_(std::make_unique<sys::WorkerPool>(sys::WorkerPool::Limits{1, 16})) {}

MasterService::~MasterService() {
  // The threads end first: what they still do may use the members.
  writer_.reset();
  reader_.reset();
  self_.reset();
  for (const auto& waiter : waiters_)
    waiter->promise.set_value(Error{Code::unavailable, "masterd is stopping", "master_stopping"});
}

Result<std::unique_ptr<MasterService>> MasterService::start(Parts parts, ServiceOptions options) {
  auto service = std::make_unique<MasterService>(parts, std::move(options));
  TRY(service->load());
  return service;
}

Result<void> MasterService::load() {
  TRY(store_.lead(options_.address, kLeaderPatience));
  TreeStore::Loaded loaded = TRY(store_.load(parts_.rng));
  framework_id_ = loaded.framework_id;
  for (const auto& record : loaded.snapshot.apps) {
    for (const App& app : record.versions) written_[record.app.id].insert(app.version);
  }
  for (const auto& [node, assignments] : loaded.snapshot.assignments)
    generations_[node] = assignments.generation;
  services_ = TRY(ServicesClient::make(parts_.loop, options_.netfw_socket));
  auto problems = scheduler_->restore(std::move(loaded.snapshot));
  problems.insert(problems.end(), loaded.problems.begin(), loaded.problems.end());
  for (const std::string& problem : problems)
    base::log::write(base::log::Level::error, "MASTER_RECORD_UNREADABLE",
                     "a stored record is unusable, going on without it and leaving it as it is",
                     {{"record", problem}});
  // Nodes that have assignments and are not live must be known as lost.
  const std::weak_ptr<MasterService*> self = self_;
  NodeList nodes = TRY(read_nodes(parts_.tree, [self, &loop = parts_.loop] {
    loop.post([self] {
      if (const auto alive = self.lock()) (*alive)->look_at_nodes();
    });
  }));
  nodes_read(std::move(nodes));
  keep_alive_ = parts_.loop.every(kKeepAlive, [this] { events_.keep_alive(); });
  parts_.tree.on_session_lost([self, &loop = parts_.loop] {
    loop.post([self] {
      if (const auto alive = self.lock())
        (*alive)->stop_leading({Code::failed_precondition,
                                "the session with the coordination "
                                "service has ended",
                                "session_expired"});
    });
  });
  register_metrics();
  flush();
  return {};
}

void MasterService::register_metrics() {
  rest::Metrics& metrics = parts_.metrics;
  metrics.on_render([this, &metrics] {
    metrics.gauge("gestalt_master_apps", "Applications")
        .set(static_cast<double>(scheduler_->apps().size()));
    metrics.gauge("gestalt_master_deployments", "Deployments under way")
        .set(static_cast<double>(scheduler_->deployments().size()));
    metrics.gauge("gestalt_master_event_subscribers", "Clients of GET /v2/events")
        .set(static_cast<double>(events_.subscribers()));
    std::map<std::string, double> states = {{"TASK_RUNNING", 0}, {"TASK_STAGING", 0}};
    for (const auto& [id, instance] : scheduler_->instances()) states[task_state(instance)] += 1;
    for (const auto& [state, count] : states)
      metrics.gauge("gestalt_master_instances", "Instances by state", {{"state", state}})
          .set(count);
    double waiting = 0;
    for (const auto& [id, app] : scheduler_->apps()) waiting += static_cast<double>(app.missing);
    metrics.gauge("gestalt_master_instances_waiting", "Instances without a place or in back-off")
        .set(waiting);
    const auto unreadable =
        std::count_if(scheduler_->apps().begin(), scheduler_->apps().end(),
                      [](const auto& entry) { return !entry.second.unreadable.empty(); });
    metrics.gauge("gestalt_master_apps_unreadable", "Applications held for a damaged record")
        .set(static_cast<double>(unreadable));
    double live = 0;
    for (const auto& [name, node] : scheduler_->nodes()) live += node.live ? 1 : 0;
    metrics.gauge("gestalt_master_nodes_live", "Nodes whose agent holds its lease").set(live);
  });
}

MesosIdentity MasterService::identity() const {
  return {framework_id_, options_.address, options_.mesos_port};
}

base::Json MasterService::health() const {
  const bool writes = retry_delay_.count() == 0;
  Json apps = Json::array();
  for (const auto& [id, app] : scheduler_->apps()) {
    if (!app.unreadable.empty()) apps.push_back({{"app", id}, {"problem", app.unreadable}});
  }
  Json nodes = Json::array();
  for (const auto& [name, node] : scheduler_->nodes()) {
    if (!node.unreadable.empty()) nodes.push_back({{"node", name}, {"problem", node.unreadable}});
  }
  const bool readable = apps.empty() && nodes.empty();
  return {{"status", writes && readable ? "ok" : "degraded"},
          {"coordination", writes ? "ok" : "writes fail"},
          {"netfw", services_->is_applied() ? "ok" : "behind"},
          {"apps", scheduler_->apps().size()},
          {"deployments", scheduler_->deployments().size()},
          {"unreadable_apps", std::move(apps)},
          {"unreadable_nodes", std::move(nodes)}};
}

Result<rest::Response> MasterService::commit(Work work) {
  auto waiter = std::make_shared<Waiter>();
  std::future<Result<rest::Response>> answer = waiter->promise.get_future();
  const std::weak_ptr<MasterService*> self = self_;
  parts_.loop.post([self, waiter, work = std::move(work)] {
    const auto alive = self.lock();
    if (!alive) {
      waiter->promise.set_value(Error{Code::unavailable, "masterd is stopping", "master_stopping"});
      return;
    }
    MasterService& service = **alive;
    Result<rest::Response> response = Error{};
    {
      const std::lock_guard lock(waiter->mutex);
      if (waiter->abandoned) return;
      response = work(*service.scheduler_);
    }
    if (!response) {
      waiter->promise.set_value(std::move(response));
      service.flush();
      return;
    }
    waiter->response = *std::move(response);
    merge(service.pending_, service.scheduler_->take_effects());
    if (!service.pending_.must_write() && !service.writing_) {
      waiter->promise.set_value(std::move(*waiter->response));
    } else {
      waiter->batch = service.batch_ + 1;
      service.waiters_.push_back(waiter);
    }
    service.flush();
  });
  if (answer.wait_for(kCommitMax) != std::future_status::ready) {
    const std::lock_guard lock(waiter->mutex);
    waiter->abandoned = true;
    return Error{Code::timed_out, "the change is accepted but could not be made durable in time",
                 "commit_timed_out"};
  }
  return answer.get();
}

Result<void> MasterService::read(std::function<void(const Scheduler&)> look) {
  struct Reader {
    std::promise<Result<void>> promise;
    std::mutex mutex;  // held while the look runs, which uses what the caller owns
    bool abandoned = false;
  };
  const auto reader = std::make_shared<Reader>();
  std::future<Result<void>> done = reader->promise.get_future();
  const std::weak_ptr<MasterService*> self = self_;
  parts_.loop.post([self, reader, look = std::move(look)] {
    const auto alive = self.lock();
    if (!alive) {
      reader->promise.set_value(Error{Code::unavailable, "masterd is stopping", "master_stopping"});
      return;
    }
    const std::lock_guard lock(reader->mutex);
    if (reader->abandoned) return;
    look(*(*alive)->scheduler_);
    reader->promise.set_value({});
  });
  if (done.wait_for(kReadMax) != std::future_status::ready) {
    const std::lock_guard lock(reader->mutex);
    reader->abandoned = true;
    return Error{Code::timed_out, "masterd is too busy to be read", "read_timed_out"};
  }
  return done.get();
}

Result<std::int64_t> MasterService::report(const std::string& node,
                                           const api::StatusReport& report) {
  auto acknowledged = scheduler_->report(node, report);
  flush();
  return acknowledged;
}

void MasterService::tell(const std::string& type, base::Json data) {
  data["eventType"] = type;
  data["timestamp"] = scheduler_->now_text();
  pending_.events.push_back({type, base::dump_json(data), ""});
}

// Called after everything that may have changed the scheduler.
void MasterService::flush() {
  merge(pending_, scheduler_->take_effects());
  if (std::exchange(pending_.services, false)) services_->send(*scheduler_);
  if (!writing_) write_batch();
  arm_timer();
}

void MasterService::write_batch() {
  if (!pending_.must_write()) {
    events_.publish(std::exchange(pending_.events, {}));
    // Nothing to write: whoever waits for this batch waits for nothing.
    for (const auto& waiter : std::exchange(waiters_, {}))
      waiter->promise.set_value(std::move(*waiter->response));
    return;
  }
  Effects effects = std::exchange(pending_, {});
  ++batch_;
  writing_ = true;
  write_began_ = parts_.clock.now();
  events_in_flight_ = std::move(effects.events);
  writes_ = std::make_shared<std::vector<Write>>(
      make_writes(*scheduler_, effects, written_, generations_));
  send_writes();
}

void MasterService::send_writes() {
  const std::weak_ptr<MasterService*> self = self_;
  const auto submitted =
      writer_->submit([self, &store = store_, &loop = parts_.loop, writes = writes_] {
        Result<void> result = store.write(*writes);
        loop.post([self, result = std::move(result)] {
          if (const auto alive = self.lock()) (*alive)->batch_written(result);
        });
      });
  // One job at a time: the queue cannot be full.
  CHECK_THAT(submitted.has_value());
}

void MasterService::batch_written(Result<void> result) {
  if (!result) {
    if (is_final(result.error())) {
      stop_leading(result.error());
      return;
    }
    if (retry_delay_.count() == 0)
      base::log::failure("MASTER_WRITE_FAILED",
                         "the coordination service did not take a batch, trying again", {},
                         result.error());
    retry_delay_ = std::clamp(retry_delay_ * 2, kRetryMin, kRetryMax);
    retry_timer_ = parts_.loop.after(retry_delay_, [this] { send_writes(); });
    return;
  }
  retry_delay_ = {};
  writing_ = false;
  writes_.reset();
  parts_.metrics
      .histogram("gestalt_master_commit_seconds", "Time to make a batch of changes durable")
      .observe(std::chrono::duration<double>(parts_.clock.now() - write_began_).count());
  events_.publish(std::exchange(events_in_flight_, {}));
  std::vector<std::shared_ptr<Waiter>> later;
  for (auto& waiter : std::exchange(waiters_, {})) {
    if (waiter->batch <= batch_) {
      waiter->promise.set_value(std::move(*waiter->response));
    } else {
      later.push_back(std::move(waiter));
    }
  }
  waiters_ = std::move(later);
  flush();
}

void MasterService::stop_leading(const Error& error) {
  base::log::failure("MASTER_LEADERSHIP_LOST",
                     "this masterd may not write any more, ending so that it starts anew", {},
                     error);
  parts_.loop.stop();
}

void MasterService::arm_timer() {
  const auto next = scheduler_->next_deadline();
  if (next == timer_for_) return;
  timer_for_ = next;
  timer_.reset();
  if (!next) return;
  timer_ = parts_.loop.at(*next, [this] {
    timer_for_.reset();
    scheduler_->tick();
    flush();
  });
}

Result<MasterService::NodeList> MasterService::read_nodes(coordination::Coordination& tree,
                                                          std::function<void()> changed) {
  NodeList list;
  const auto names = TRY(tree.children(std::string(api::kNodesPath), changed));
  const auto live = TRY(tree.children(std::string(api::kLivePath), changed));
  list.live.insert(live.begin(), live.end());
  for (const std::string& name : names) {
    const auto value = TRY(tree.find(api::place(api::kNodesPath, name), changed));
    // At its first start an agent makes its place and then fills it; the watch tells when.
    if (!value || value->data.empty()) continue;
    auto node = api::decode_node(value->data);
    if (node && node->name == name) {
      list.nodes.push_back(*std::move(node));
    } else {
      base::log::warning("MASTER_NODE_SKIPPED", "a node's record cannot be used, leaving it out",
                         {{"node", name}});
    }
  }
  return list;
}

// Reads what nodes there are on the reader thread, and again when something changed meanwhile.
void MasterService::look_at_nodes() {
  if (reading_nodes_) {
    nodes_changed_ = true;
    return;
  }
  reading_nodes_ = true;
  nodes_changed_ = false;
  const std::weak_ptr<MasterService*> self = self_;
  const auto submitted = reader_->submit([self, &tree = parts_.tree, &loop = parts_.loop] {
    auto list = std::make_shared<Result<NodeList>>(read_nodes(tree, [self, &loop] {
      loop.post([self] {
        if (const auto alive = self.lock()) (*alive)->look_at_nodes();
      });
    }));
    loop.post([self, list] {
      if (const auto alive = self.lock()) (*alive)->nodes_read(std::move(*list));
    });
  });
  CHECK_THAT(submitted.has_value());
}

void MasterService::nodes_read(Result<NodeList> list) {
  reading_nodes_ = false;
  if (!list) {
    base::log::warning("MASTER_NODES_UNREAD", "the nodes could not be read, trying again", {},
                       list.error());
    nodes_timer_ = parts_.loop.after(kRetryMax, [this] { look_at_nodes(); });
    return;
  }
  std::set<std::string> names;
  for (const api::Node& node : list->nodes) {
    names.insert(node.name);
    const auto known = nodes_.find(node.name);
    if (known != nodes_.end() && known->second == node) continue;
    nodes_[node.name] = node;
    scheduler_->node_info(node);
  }
  for (const auto& [name, node] : scheduler_->nodes()) names.insert(name);
  for (const std::string& name : names) scheduler_->node_live(name, list->live.contains(name));
  flush();
  if (nodes_changed_) look_at_nodes();
}

}  // namespace node::master

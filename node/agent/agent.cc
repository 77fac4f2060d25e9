// SPDX-License-Identifier: Apache-2.0
#include "node/agent/agent.h"

#include <pwd.h>

#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "common/base/text.h"
#include "common/rest/auth.h"
#include "common/sys/files.h"

namespace node::agent {

namespace {

using std::chrono::seconds;

constexpr seconds kCollectEvery{60};
constexpr const char* kObservedPrefix = "gs";  // of the units of instances and of their mounts
constexpr std::size_t kFetchThreads = 2;
constexpr std::size_t kCommandThreads = 4;
constexpr std::chrono::milliseconds kServerGrace{2000};

std::map<uid_t, std::vector<std::string>> resolve_users(const Config& config) {
  std::map<uid_t, std::vector<std::string>> out;
  for (const auto& [name, scopes] : config.peer_scopes) {
    // A user that this machine does not have cannot call either.
    if (const passwd* entry = getpwnam(name.c_str())) out[entry->pw_uid] = scopes;
  }
  return out;
}

std::string read_boot_id() {
  auto text = base::read_file("/proc/sys/kernel/random/boot_id", 100);
  return text ? std::string(base::trim(*text)) : std::string();
}

class Agent final : public rest::DaemonBody {
 public:
  Agent(rest::DaemonContext context, Config config)
      : context_(context),
        config_(std::move(config)),
        boot_id_(read_boot_id()),
        fetchers_({.threads = kFetchThreads, .queue_max = 1024}),
        commands_({.threads = kCommandThreads, .queue_max = 4096}) {}

  base::Result<void> start();
  base::Result<void> reload(const base::Json& config) override {
    return server_ ? server_->reload(TRY(rest::read_limits(config))) : base::Result<void>();
  }
  void stop(std::function<void()> done) override;

 private:
  base::Result<void> make_folders();
  base::Result<void> make_parts();
  void make_links();
  base::Result<void> make_server();
  void begin();
  void remove_orphans();
  base::Json links() const;
  void add_gauges();

  rest::DaemonContext context_;
  const Config config_;
  const std::string boot_id_;
  sys::Fd lock_;
  // In order of need. The pools end before the parts their work posts to are gone: every callback
  // from a worker looks first whether its owner is still there.
  std::unique_ptr<sys::AsyncHttp> http_;
  std::unique_ptr<sys::ServiceManager> services_;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<Images> images_;
  std::unique_ptr<NetfwLink> netfw_;
  std::unique_ptr<MasterLink> master_;
  std::unique_ptr<Supervisor> supervisor_;
  std::unique_ptr<CoordinationLink> coordination_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<rest::TokenFile> tokens_;
  rest::RouteTable table_;
  std::unique_ptr<rest::Server> server_;
  sys::WatchHandle collector_;
  sys::WorkerPool fetchers_;
  sys::WorkerPool commands_;
};

base::Result<void> Agent::make_folders() {
  // Searchable for all: a process instance must reach its own sandbox below.
  TRY(sys::make_folder(config_.state_folder, 0711));
  TRY(sys::make_folder(config_.state_folder / "instances", 0711));
  TRY(sys::make_folder(config_.run_folder / "instances", 0711));
  lock_ = TRY(sys::lock_file(config_.state_folder / "lock"));
  return {};
}

base::Result<void> Agent::make_parts() {
  http_ = TRY(sys::AsyncHttp::make(context_.loop));
  sys::ServiceManager::Observer observer;
  observer.on_unit_changed = [this](const std::string& unit) {
    if (supervisor_) supervisor_->on_unit_changed(unit);
  };
  observer.on_reconnect = [this] {
    if (supervisor_) supervisor_->on_bus_back();
  };
  services_ = TRY(sys::ServiceManager::make(context_.loop, kObservedPrefix, std::move(observer)));
  ledger_ = TRY(Ledger::open(config_.state_folder / "ledger", context_.loop, context_.workers));
  images_ = TRY(Images::open({context_.loop, fetchers_, config_}));
  return {};
}

void Agent::make_links() {
  netfw_ = std::make_unique<NetfwLink>(
      NetfwLink::Parts{context_.loop, *http_, config_.netfw_socket, config_.name});
  MasterLink::Parts master{context_.loop,
                           *http_,
                           config_.master_socket,
                           config_.name,
                           base::system_rng().uuid(),
                           {},
                           {}};
  master.all = [this] { return supervisor_->statuses(); };
  master.find = [this](const api::InstanceId& id) -> std::optional<api::InstanceStatus> {
    const Instance* instance = supervisor_->find(id);
    if (instance == nullptr) return std::nullopt;
    return instance->record.status;
  };
  master_ = std::make_unique<MasterLink>(std::move(master));
  supervisor_ = std::make_unique<Supervisor>(
      Supervisor::Parts{context_.loop, context_.workers, commands_, *services_, *http_, *ledger_,
                        *images_, *netfw_, *master_, context_.metrics, config_, boot_id_});
  CoordinationLink::Parts coordination{
      context_.loop, context_.workers,
      api::Node{config_.name, config_.address, config_.zone, config_.attributes, config_.resources,
                config_.port_first, config_.port_last, boot_id_},
      [folder = config_.coordination_folder] {
        return coordination::open_local({.folder = folder});
      },
      [this](std::shared_ptr<const Wishes> wishes) { supervisor_->set_wishes(std::move(wishes)); }};
  coordination_ = std::make_unique<CoordinationLink>(std::move(coordination));
}

base::Json Agent::links() const {
  return {{"coordination", coordination_->is_connected()},
          {"masterd", master_->is_connected()},
          {"netfwd", netfw_->is_connected()},
          {"dfs", supervisor_->volumes().is_reachable()}};
}

base::Result<void> Agent::make_server() {
  api_ = std::make_unique<Api>(Api::Parts{context_.loop, *supervisor_, *images_, context_.metrics,
                                          config_, [this] { return links(); }});
  add_routes(table_, *api_);
  add_mesos_routes(table_, *api_);
  rest::add_standard_routes(table_, context_.metrics, "agentd", [this] { return api_->health(); });
  tokens_ = std::make_unique<rest::TokenFile>(
      rest::TokenFile::Options{config_.tokens_file, resolve_users(config_)});
  const auto listeners = TRY(rest::read_listeners(
      context_.config, "listen",
      {{.unix_path = config_.run_folder / "agentd.sock"}, {.address = "127.0.0.1", .port = 5051}}));
  const auto limits = TRY(rest::read_limits(context_.config));
  server_ = TRY(rest::Server::make({context_.loop, context_.workers, *tokens_, context_.metrics},
                                   table_, listeners, limits));
  return {};
}

void Agent::add_gauges() {
  context_.metrics.on_render([this] {
    std::map<api::InstanceState, int> counts;
    for (const auto& [id, instance] : supervisor_->instances()) {
      ++counts[instance.record.status.state];
    }
    for (int i = 0; i <= static_cast<int>(api::InstanceState::error); ++i) {
      const auto state = static_cast<api::InstanceState>(i);
      context_.metrics
          .gauge("gestalt_agentd_instances", "Instances by state",
                 {{"state", std::string(api::state_word(state))}})
          .set(counts[state]);
    }
    context_.metrics.gauge("gestalt_agentd_image_fetches", "Images being fetched")
        .set(static_cast<double>(images_->fetches_under_way()));
    const base::Json peers = links();  // items() does not keep its object alive
    for (const auto& [name, connected] : peers.items()) {
      context_.metrics
          .gauge("gestalt_agentd_connected", "Whether the other side answers", {{"peer", name}})
          .set(connected.get<bool>() ? 1 : 0);
    }
  });
}

base::Result<void> Agent::start() {
  TRY(make_folders());
  TRY(make_parts());
  auto loaded = TRY(ledger_->load());
  for (const std::string& key : loaded.unreadable) {
    base::log::warning("AGENT_RECORD_UNREADABLE", "a record cannot be read, going by the unit",
                       {{"instance", key}});
  }
  make_links();
  add_gauges();
  TRY(make_server());
  supervisor_->adopt(std::move(loaded.records), [this] { begin(); });
  return {};
}

void Agent::begin() {
  netfw_->start();
  master_->start();
  coordination_->start();
  remove_orphans();
  collector_ = context_.loop.every(kCollectEvery, [this] {
    const auto removed = images_->collect(supervisor_->images_in_use(), false);
    for (const std::string& digest : removed) {
      base::log::info("AGENT_IMAGE_COLLECTED", "an unused image is removed", {{"digest", digest}});
    }
  });
}

// Folders of instances that nobody knows any more.
void Agent::remove_orphans() {
  std::set<std::string> known;
  for (const auto& [id, instance] : supervisor_->instances()) {
    known.insert(supervisor_->folder_of(instance.record));
    known.insert(supervisor_->run_folder_of(instance.record));
  }
  for (const std::string& name : supervisor_->stray_folders()) known.insert(name);
  const std::vector<std::filesystem::path> folders{config_.state_folder / "instances",
                                                   config_.run_folder / "instances"};
  // When no worker is free the next start of the agent does it.
  [[maybe_unused]] auto submitted = context_.workers.submit([known, folders] {
    for (const auto& folder : folders) {
      std::error_code failed;
      for (const auto& each : std::filesystem::directory_iterator(folder, failed)) {
        if (known.contains(each.path())) continue;
        [[maybe_unused]] auto removed = sys::remove_tree(each.path());
      }
    }
  });
}

void Agent::stop(std::function<void()> done) {
  // Instances go on: they are systemd's. What is known of them is on disk after this.
  server_->shutdown(kServerGrace, [this, done = std::move(done)] { ledger_->flush(done); });
}

}  // namespace

base::Result<std::unique_ptr<rest::DaemonBody>> start_agent(rest::DaemonContext context) {
  Config config = TRY(read_config(context.config));
  TRY(complete_from_machine(config));
  auto agent = std::make_unique<Agent>(context, std::move(config));
  TRY(agent->start());
  return std::unique_ptr<rest::DaemonBody>(std::move(agent));
}

}  // namespace node::agent

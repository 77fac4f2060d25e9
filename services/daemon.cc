// SPDX-License-Identifier: Apache-2.0
#include "services/daemon.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/store/postgres.h"
#include "common/sys/loop_timers.h"
#include "common/sys/shared_file.h"
#include "services/audit/service.h"
#include "services/change/service.h"
#include "services/event/service.h"
#include "services/framework/running_host.h"
#include "services/front.h"
#include "services/launcher/service.h"
#include "services/meta/service.h"
#include "services/security/api/renewal.h"
#include "services/security/service.h"
#include "services/task/service.h"

namespace services {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::chrono::milliseconds kShutdownGrace{2000};
// The feed is there for backups and watchers of this process, not for history.
constexpr std::uint64_t kChangesKept = 10'000;

constexpr ServiceMaker kMakers[] = {
    {"audit", audit::make_audit},
    {"task", task::make_task},
    {"security", security::Security::make},
    {"meta", meta::Meta::make},
    {"launcher", launcher::Launcher::make},
    {"event", event::make_event_service},
    {"kafka", event::make_confluent_service},
    {"change", change::make_change_service},
};
// What every process has, whatever else it hosts.
constexpr std::string_view kAlways[] = {"audit", "task"};

struct Config {
  std::vector<rest::ListenerOptions> listen;
  std::set<std::string, std::less<>> hosted;  // empty: all
  std::string state = "/var/lib/gestalt/services";
  std::string tokens = "/var/lib/gestalt/credentials/tokens.json";
  std::string engine = "lmdb";
  std::string connection;
  std::int64_t map_size_mib = 16384;
  HostOptions host;
  rest::ServerLimits limits;
  Json settings = Json::object();
};

std::vector<rest::ListenerOptions> default_listeners() {
  rest::ListenerOptions socket;
  socket.unix_path = "/run/gestalt/services.sock";
  socket.unix_mode = 0666;  // who calls is decided by peer credentials and keys
  rest::ListenerOptions port;
  port.port = 9000;
  return {socket, port};
}

Result<std::set<std::string, std::less<>>> read_names(const std::vector<std::string>& names) {
  std::set<std::string, std::less<>> hosted;
  for (const std::string& name : names) {
    if (name == "all") return std::set<std::string, std::less<>>();
    const bool known = std::any_of(std::begin(kMakers), std::end(kMakers),
                                   [&](const ServiceMaker& each) { return each.name == name; });
    if (!known) {
      return Error{Code::invalid_argument, "there is no service '" + name + "'", "service_unknown",
                   0, "/services"};
    }
    hosted.insert(name);
  }
  if (!hosted.empty()) hosted.insert(std::begin(kAlways), std::end(kAlways));
  return hosted;
}

void read_store(base::Fields& fields, Config& config) {
  const Json* object = fields.find_object("store");
  if (object == nullptr) return;
  base::Fields store(*object, "/store");
  store.optional("engine", config.engine);
  store.optional("connection", config.connection);
  store.optional("map_size_mib", config.map_size_mib, {.min = 64, .max = 1 << 20});
  if (config.engine != "lmdb" && config.engine != "postgresql") {
    store.reject("engine", "an engine is lmdb or postgresql");
  }
  if (config.engine == "postgresql" && config.connection.empty()) {
    store.reject("connection", "postgresql needs a connection string", "field_missing");
  }
  if (Result<void> read = store.finish(base::UnknownFields::refuse); !read) {
    fields.reject(read.error());
  }
}

Result<Config> read_config(const Json& json, const std::string& wanted) {
  Config config;
  base::Fields fields(json);
  std::vector<std::string> names;
  fields.optional("services", names, 100);
  fields.optional("state", config.state);
  fields.optional("tokens", config.tokens);
  fields.optional("external_url", config.host.external_url);
  fields.optional("cors_origins", config.host.cors_origins, 100);
  fields.find("listen");
  fields.find("limits");
  read_store(fields, config);
  if (const Json* settings = fields.find_object("settings")) config.settings = *settings;
  TRY(fields.finish(base::UnknownFields::refuse));
  if (!wanted.empty()) {
    names.clear();
    for (const std::string_view each : base::split(wanted, ',')) names.emplace_back(each);
  }
  config.hosted = TRY(read_names(names));
  config.listen = TRY(rest::read_listeners(json, "listen", default_listeners()));
  config.limits = TRY(rest::read_limits(json));
  config.host.caller_rate = config.limits.per_principal;
  if (config.engine != "lmdb") config.host.queries = rest::Run::on_worker;
  return config;
}

Result<std::vector<std::unique_ptr<Service>>> make_services(const Config& config) {
  std::vector<std::unique_ptr<Service>> made;
  std::set<std::string, std::less<>> known;
  for (const ServiceMaker& maker : kMakers) {
    const std::string name(maker.name);
    known.insert(name);
    if (!config.hosted.empty() && !config.hosted.contains(name)) continue;
    auto service = maker.make(config.settings.value(name, Json::object()));
    if (!service) {
      Error error = std::move(service).error();
      error.pointer = "/settings/" + name + error.pointer;
      return error;
    }
    made.push_back(*std::move(service));
  }
  for (const auto& [name, settings] : config.settings.items()) {
    if (!known.contains(name)) {
      return Error{Code::invalid_argument, "there is no service '" + name + "'", "service_unknown",
                   0, base::child_pointer("/settings", name)};
    }
  }
  return made;
}

StoreSettings settings_of(const Config& config, std::vector<store::Collection> collections) {
  return {config.state,
          config.engine,
          config.connection,
          {.collections = std::move(collections),
           .map_size_bytes = static_cast<std::size_t>(config.map_size_mib) << 20,
           .changes_kept = kChangesKept}};
}

class Body final : public rest::DaemonBody {
 public:
  Body(rest::DaemonContext context, Config config)
      : context_(context),
        config_(std::move(config)),
        timers_(context.loop),
        front_(config_.tokens) {}
  ~Body() override {
    alive_.reset();
    if (host_) host_->stop();
  }
  Result<void> start();
  Result<void> reload(const Json& config) override {
    return server_->reload(TRY(rest::read_limits(config)));
  }
  void stop(std::function<void()> done) override {
    server_->shutdown(kShutdownGrace, std::move(done));
  }

 private:
  void add_standard_routes();
  rest::DaemonContext context_;
  const Config config_;
  sys::LoopTimers timers_;
  Front front_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Renewal> renewal_;
  std::unique_ptr<RunningHost> host_;
  std::unique_ptr<rest::Server> server_;
  // What is posted to the loop holds it weakly: gone when the body is.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

void Body::add_standard_routes() {
  rest::RouteTable& table = host_->mutable_table();
  const auto add = [&table](const char* path, rest::Scope scope, std::string summary,
                            rest::Handler handler) {
    table.add(rest::Row{rest::Method::get,
                        path,
                        scope,
                        rest::Run::on_loop,
                        std::move(handler),
                        std::move(summary),
                        {}});
  };
  add("/health", rest::kPublic, "State of the services",
      [this](const rest::Request&) -> Result<rest::Response> {
        return rest::Response::json(host_->health());
      });
  add("/metrics", rest::Scope("metrics:read"), "Figures in Prometheus' text format",
      [this](const rest::Request&) -> Result<rest::Response> {
        return rest::Response::text(context_.metrics.render(),
                                    "text/plain; version=0.0.4; charset=utf-8");
      });
  add("/openapi.json", rest::kPublic, "This interface",
      [this](const rest::Request&) -> Result<rest::Response> {
        return rest::Response::json(host_->openapi(GESTALT_VERSION));
      });
}

Result<void> Body::start() {
  auto services = TRY(make_services(config_));
  TRY(sys::make_synced_folder(config_.state, 0700));
  store_ = TRY(open_store(settings_of(config_, collections_of(services))));
  const auto post = [&loop = context_.loop,
                     alive = std::weak_ptr(alive_)](std::function<void()> work) {
    loop.post([alive, work = std::move(work)] {
      if (alive.lock()) work();
    });
  };
  host_ = TRY(RunningHost::make({*store_, base::system_clock(), base::system_rng(), timers_,
                                 context_.workers, context_.metrics, config_.state, post},
                                std::move(services), config_.host));
  if (Service* security = host_->find("security"); security != nullptr) {
    renewal_ = security::make_renewal(*security);
    host_->provide(*renewal_);
  }
  add_standard_routes();
  TRY(host_->start());
  server_ = TRY(rest::Server::make({context_.loop, context_.workers, front_, context_.metrics},
                                   host_->table(), config_.listen, config_.limits));
  return {};
}

}  // namespace

std::span<const ServiceMaker> makers() { return kMakers; }

Result<void> check_services_config(const Json& config, const std::string& wanted) {
  const Config read = TRY(read_config(config, wanted));
  TRY(make_services(read));
  return {};
}

Result<std::unique_ptr<rest::DaemonBody>> start_services(rest::DaemonContext context,
                                                         const std::string& wanted) {
  Config config = TRY(read_config(context.config, wanted));
  auto body = std::make_unique<Body>(context, std::move(config));
  TRY(body->start());
  return std::unique_ptr<rest::DaemonBody>(std::move(body));
}

Result<StoreSettings> store_settings(const Json& config, const std::string& wanted) {
  const Config read = TRY(read_config(config, wanted));
  const auto services = TRY(make_services(read));
  return settings_of(read, collections_of(services));
}

Result<std::unique_ptr<store::Store>> open_store(const StoreSettings& settings) {
  if (settings.engine == "lmdb") return store::open_lmdb(settings.lmdb_folder(), settings.options);
  return store::open_postgres({.connection = settings.connection, .schema = "gestalt_services"},
                              settings.options);
}

Result<std::unique_ptr<store::Store>> open_store_to_read(const StoreSettings& settings) {
  if (settings.engine != "lmdb") return open_store(settings);
  return store::open_lmdb_to_read(settings.lmdb_folder(), settings.options);
}

std::string_view program_version() { return GESTALT_VERSION; }

void describe_services(rest::RouteTable& table) {
  const auto made = make_services(Config());
  CHECK_THAT(made.has_value());
  describe_actions(*made, table);
  for (const char* path : {"/health", "/openapi.json"}) {
    table.add(rest::Row{rest::Method::get, path, rest::kPublic, rest::Run::on_loop, {}, "", {}});
  }
  table.add(rest::Row{
      rest::Method::get, "/metrics", rest::Scope("metrics:read"), rest::Run::on_loop, {}, "", {}});
}

}  // namespace services

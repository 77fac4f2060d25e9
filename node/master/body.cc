// SPDX-License-Identifier: Apache-2.0
#include "node/master/body.h"

#include <pwd.h>

#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "node/master/routes.h"

namespace node::master {
namespace {

using base::Result;

constexpr int kMarathonPort = 8080;
constexpr int kMesosPort = 5050;
constexpr auto kStopGrace = std::chrono::seconds(3);
// Workers that wait for durability are idle, so there may be many.
constexpr std::size_t kWorkers = 16;

std::vector<rest::ListenerOptions> default_listeners() {
  return {{.unix_path = "/run/gestalt/masterd.sock"},
          {.address = "127.0.0.1", .port = kMarathonPort},
          {.address = "127.0.0.1", .port = kMesosPort}};
}

// uid → scopes. Users that do not exist on this machine are left out.
std::map<uid_t, std::vector<std::string>> resolve_users(const Config& config) {
  std::map<uid_t, std::vector<std::string>> scopes;
  for (const auto& [name, granted] : config.peer_scopes) {
    std::vector<char> buffer(16 << 10);
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) == 0 &&
        found != nullptr)
      scopes[entry.pw_uid] = granted;
  }
  return scopes;
}

class Body final : public rest::DaemonBody {
 public:
  Body(rest::DaemonContext context, const Config& config)
      : tokens_({.file = config.tokens_file, .peer_scopes = resolve_users(config)}),
        context_(context) {}

  Result<void> start(const Config& config) {
    tree_ = TRY(coordination::open_local({.folder = config.coordination_folder}));
    ServiceOptions options{.address = config.address,
                           .netfw_socket = config.netfw_socket,
                           .agent_socket = config.agent_socket};
    use_ports(config.listen, options);
    service_ = TRY(MasterService::start(
        {context_.loop, *tree_, base::system_clock(), base::system_rng(), context_.metrics},
        options));
    add_routes(table_, service_.get());
    server_ = TRY(rest::Server::make({context_.loop, context_.workers, tokens_, context_.metrics},
                                     table_, config.listen, config.limits));
    base::log::info("MASTER_STARTED", "masterd leads",
                    {{"apps", std::to_string(service_->scheduler().apps().size())},
                     {"instances", std::to_string(service_->scheduler().instances().size())}});
    return {};
  }

  Result<void> reload(const base::Json& config) override {
    return server_->reload(TRY(rest::read_limits(config)));
  }

  void stop(std::function<void()> done) override { server_->shutdown(kStopGrace, std::move(done)); }

 private:
  // In order of need: each uses those above it.
  rest::TokenFile tokens_;
  rest::DaemonContext context_;
  std::unique_ptr<coordination::Coordination> tree_;
  std::unique_ptr<MasterService> service_;
  rest::RouteTable table_;
  std::unique_ptr<rest::Server> server_;
};

}  // namespace

void use_ports(const std::vector<rest::ListenerOptions>& listen, ServiceOptions& options) {
  std::vector<int> ports;
  for (const rest::ListenerOptions& listener : listen) {
    const bool is_new = std::find(ports.begin(), ports.end(), listener.port) == ports.end();
    if (listener.unix_path.empty() && is_new) ports.push_back(listener.port);
  }
  if (!ports.empty()) options.http_port = ports.front();
  if (ports.size() > 1) options.mesos_port = ports[1];
}

Result<Config> read_config(const base::Json& json) {
  Config config;
  base::Fields fields(json);
  fields.optional("address", config.address, {.length_min = 1, .length_max = 255});
  fields.optional("coordination_folder", config.coordination_folder, {.length_min = 1});
  fields.optional("tokens_file", config.tokens_file, {.length_min = 1});
  fields.optional("netfw_socket", config.netfw_socket);
  fields.optional("agent_socket", config.agent_socket, {.length_min = 1});
  if (const base::Json* users = fields.find_object("peer_scopes")) {
    base::Fields in(*users, "/peer_scopes");
    for (const auto& [name, scopes] : users->items()) in.optional(name, config.peer_scopes[name]);
    TRY(in.finish(base::UnknownFields::refuse));
  }
  fields.find("listen");
  fields.find("limits");
  TRY(fields.finish(base::UnknownFields::refuse));
  config.listen = TRY(rest::read_listeners(json, "listen", default_listeners()));
  config.limits = TRY(rest::read_limits(json));
  return config;
}

rest::DaemonSpec make_spec() {
  rest::DaemonSpec spec;
  spec.name = "masterd";
  spec.about = "Schedules applications on the nodes and serves Marathon's API.";
  spec.worker_threads = kWorkers;
  spec.check = [](const base::Json& json) -> Result<void> {
    TRY(read_config(json));
    return {};
  };
  spec.describe_routes = [](rest::RouteTable& table) { add_routes(table, nullptr); };
  spec.start = [](rest::DaemonContext context) -> Result<std::unique_ptr<rest::DaemonBody>> {
    const Config config = TRY(read_config(context.config));
    auto body = std::make_unique<Body>(context, config);
    TRY(body->start(config));
    return std::unique_ptr<rest::DaemonBody>(std::move(body));
  };
  return spec;
}

}  // namespace node::master

// SPDX-License-Identifier: Apache-2.0
#include "netfw/daemon/body.h"

#include <pwd.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "common/sys/files.h"
#include "netfw/daemon/child.h"
#include "netfw/daemon/config.h"
#include "netfw/daemon/networks.h"
#include "netfw/daemon/routes.h"
#include "netfw/dns/server.h"

namespace netfw {
namespace {

constexpr std::chrono::seconds kTickPeriod{2};
constexpr std::chrono::milliseconds kSoonMin{20};
constexpr std::chrono::milliseconds kSoonMax{1000};
constexpr std::chrono::milliseconds kFilesDelay{500};
constexpr std::chrono::milliseconds kShutdownGrace{2000};

std::map<uid_t, std::vector<std::string>> peer_scopes(const Config& config) {
  std::map<uid_t, std::vector<std::string>> out;
  for (const auto& [user, scopes] : config.peer_scopes) {
    const passwd* const entry = getpwnam(user.c_str());
    if (entry != nullptr) out.emplace(entry->pw_uid, scopes);
  }
  return out;
}

class Body final : public rest::DaemonBody {
 public:
  Body(rest::DaemonContext context, Config config)
      : context_(context),
        config_(std::move(config)),
        authenticator_({.file = config_.tokens_file, .peer_scopes = peer_scopes(config_)}) {}
  ~Body() override { alive_.reset(); }

  base::Result<void> start();
  base::Result<void> reload(const base::Json& config) override {
    tick_now();  // looks at the certificates of port 443
    return server_->reload(TRY(rest::read_limits(config)));
  }
  void stop(std::function<void()> done) override {
    stopping_ = true;
    server_->shutdown(kShutdownGrace, std::move(done));
  }

 private:
  base::Result<Engine::Parts> make_parts();
  void add_metrics();
  base::Json health() const;
  // Runs on the loop, also when called from a worker; not at all once the body is gone.
  void post(std::function<void()> work);
  void tick_soon();
  void tick_now();
  void after_tick(bool again);
  void watch_guardian(int fd);
  void watch_haproxy();
  void write_files_soon();

  rest::DaemonContext context_;
  Config config_;
  rest::TokenFile authenticator_;
  std::unique_ptr<HaproxyChild> child_;
  std::unique_ptr<dns::Server> dns_;  // none: names are not served
  std::unique_ptr<Engine> engine_;
  Api api_;
  rest::RouteTable table_;
  std::unique_ptr<rest::Server> server_;
  bool stopping_ = false;
  bool ticking_ = false;
  bool tick_again_ = false;
  std::chrono::milliseconds soon_ = kSoonMin;
  sys::Fd sentinel_;
  long sentinel_pid_ = 0;
  sys::WatchHandle sentinel_watch_;
  sys::WatchHandle guardian_watch_;
  sys::WatchHandle soon_timer_;
  sys::WatchHandle period_timer_;
  sys::WatchHandle files_timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

void Body::post(std::function<void()> work) {
  context_.loop.post([alive = std::weak_ptr<bool>(alive_), work = std::move(work)] {
    if (alive.lock()) work();
  });
}

// A store that is damaged is put aside: what was in it comes again from agents and master.
base::Result<StateStore> open_store(const std::filesystem::path& folder) {
  auto store = StateStore::open(folder);
  if (store || store.error().code != base::Code::corrupt) return store;
  base::log::failure("NETFW_STATE_UNREADABLE", "put aside, starting with an empty one", {},
                     store.error());
  std::filesystem::path aside = folder;
  aside += ".unreadable";
  TRY(sys::remove_tree(aside));
  std::error_code failed;
  std::filesystem::rename(folder, aside, failed);
  if (failed) return base::os_error(failed.value(), "put the state aside");
  return StateStore::open(folder);
}

base::Result<Engine::Parts> Body::make_parts() {
  Engine::Parts parts{.store = TRY(open_store(config_.state_folder / "state")),
                      .firewall = nullptr,
                      .balancer = nullptr,
                      .certificates = nullptr,
                      .limits = {},
                      .first_policy = config_.policy,
                      .find_networks = {},
                      .guardian_firewall = config_.firewall,
                      .guardian_program = "/proc/self/exe",
                      .clock = base::system_clock(),
                      .names = config_.names};
  if (config_.follows_networks) {
    parts.find_networks = [interface = config_.management_interface] {
      return find_management_networks(interface);
    };
  }
  if (config_.firewall.kind != FirewallKind::off) {
    parts.firewall = TRY(make_firewall(config_.firewall));
    // The guardian must not choose anew: it undoes what was done here.
    parts.guardian_firewall.kind = TRY(parse_kind(parts.firewall->name()));
  }
  LbSkeleton skeleton = config_.skeleton;
  skeleton.certificate_folder = skeleton.folder / "certificates";
  parts.limits = {.range_first = skeleton.range_first,
                  .range_last = skeleton.range_last,
                  .reserved = {skeleton.http_port, skeleton.https_port}};
  if (config_.haproxy_mode != HaproxyMode::off) {
    TRY(sys::make_folder(skeleton.folder, 0700));
    parts.certificates = std::make_unique<CertificateFolder>(config_.certificates, skeleton);
    parts.balancer = std::make_unique<Balancer>(
        Balancer::Options{.skeleton = skeleton,
                          .master_socket = config_.haproxy_run_folder / "master.sock",
                          .binary = config_.haproxy_binary});
  }
  return parts;
}

base::Result<void> Body::start() {
  TRY(sys::make_folder(config_.state_folder, 0700));
  TRY(sys::make_folder(config_.haproxy_run_folder, 0750));
  Engine::Hooks hooks;
  hooks.wake = [this] { post([this] { tick_soon(); }); };
  hooks.watch_guardian = [this](int fd) { post([this, fd] { watch_guardian(fd); }); };
  if (!config_.dns_listen.empty()) {
    dns_ = std::make_unique<dns::Server>(
        context_.loop,
        dns::Server::Options{.listen = config_.dns_listen, .port = config_.dns_port});
    hooks.publish_names = [this](std::shared_ptr<const dns::Zone> zone) {
      dns_->publish(std::move(zone));
    };
    dns_->start();
  }
  Engine::Parts parts = TRY(make_parts());
  engine_ = TRY(Engine::make(std::move(parts), std::move(hooks)));
  if (config_.haproxy_mode == HaproxyMode::child) {
    child_ = std::make_unique<HaproxyChild>(
        context_.loop, HaproxyChild::Options{.binary = config_.haproxy_binary,
                                             .config = config_path(config_.skeleton),
                                             .run_folder = config_.haproxy_run_folder});
    TRY(child_->start());
  }
  api_ = {.engine = engine_.get(), .changed = [this] { post([this] { write_files_soon(); }); }};
  add_routes(table_, api_);
  rest::add_standard_routes(table_, context_.metrics, "gestalt-netfwd",
                            [this] { return health(); });
  add_metrics();
  server_ =
      TRY(rest::Server::make({context_.loop, context_.workers, authenticator_, context_.metrics},
                             table_, config_.listen, config_.limits));
  period_timer_ = context_.loop.every(kTickPeriod, [this] { tick_now(); });
  tick_now();
  return {};
}

base::Json Body::health() const {
  base::Json health = engine_->health();
  if (dns_) {
    for (const std::string& problem : dns_->problems()) {
      health["problems"].push_back("names are not served: " + problem);
    }
  }
  if (!health["problems"].empty()) health["status"] = "degraded";
  return health;
}

void Body::add_metrics() {
  if (dns_) {
    auto& answered = context_.metrics.gauge("netfwd_dns_answered", "Queries that were answered");
    context_.metrics.on_render(
        [this, &answered] { answered.set(static_cast<double>(dns_->answered())); });
  }
  auto& instances = context_.metrics.gauge("netfwd_instances", "Instances that are known");
  auto& services = context_.metrics.gauge("netfwd_services", "Services that are known");
  auto& reloads = context_.metrics.gauge("netfwd_haproxy_reloads", "Reloads of HAProxy");
  auto& connected = context_.metrics.gauge("netfwd_haproxy_connected", "1 when HAProxy answers");
  auto& rules = context_.metrics.gauge("netfwd_firewall_rules", "Own rules in the kernel");
  context_.metrics.on_render([this, &instances, &services, &reloads, &connected, &rules] {
    const Engine::Figures& figures = engine_->figures();
    instances.set(static_cast<double>(figures.instances));
    services.set(static_cast<double>(figures.services));
    reloads.set(static_cast<double>(figures.reloads));
    connected.set(figures.haproxy_connected ? 1 : 0);
    rules.set(static_cast<double>(figures.rules));
  });
}

void Body::tick_soon() {
  if (soon_timer_ || stopping_) return;
  soon_timer_ = context_.loop.after(soon_, [this] {
    soon_timer_.reset();
    tick_now();
  });
  soon_ = std::min(soon_ * 2, kSoonMax);
}

void Body::tick_now() {
  if (stopping_) return;
  if (ticking_) {
    tick_again_ = true;
    return;
  }
  ticking_ = true;
  const auto queued = context_.workers.submit([this] {
    const bool again = engine_->tick();
    post([this, again] { after_tick(again); });
  });
  if (!queued) ticking_ = false;  // the next period tries again
}

void Body::after_tick(bool again) {
  ticking_ = false;
  if (!again) soon_ = kSoonMin;
  if (again || tick_again_) tick_soon();
  tick_again_ = false;
  watch_haproxy();
  write_files_soon();
}

void Body::watch_guardian(int fd) {
  guardian_watch_.reset();
  if (fd < 0) return;
  auto watch = context_.loop.watch_fd(fd, EPOLLIN | EPOLLHUP, [this](std::uint32_t) {
    guardian_watch_.reset();
    tick_now();
  });
  // Without the watch the next period's tick finds out.
  if (watch) guardian_watch_ = *std::move(watch);
}

// A connection that says nothing: its end is the first sign that HAProxy's worker is gone.
void Body::watch_haproxy() {
  if (config_.haproxy_mode == HaproxyMode::off) return;
  // After a reload the old worker would wait for this connection.
  const long pid = engine_->figures().haproxy_pid;
  if (sentinel_.is_open() && sentinel_pid_ == pid) return;
  sentinel_watch_.reset();
  sentinel_.reset();
  sentinel_pid_ = pid;
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const std::string path = config_.skeleton.admin_socket.string();
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  sys::Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return;
  auto watch = context_.loop.watch_fd(fd.get(), EPOLLRDHUP | EPOLLHUP, [this](std::uint32_t) {
    sentinel_watch_.reset();
    sentinel_.reset();
    tick_now();
  });
  if (!watch) return;
  sentinel_ = std::move(fd);
  sentinel_watch_ = *std::move(watch);
}

void Body::write_files_soon() {
  if (files_timer_ || stopping_) return;
  files_timer_ = context_.loop.after(kFilesDelay, [this] {
    files_timer_.reset();
    if (!context_.workers.submit([this] { engine_->write_files(); })) write_files_soon();
  });
}

}  // namespace

base::Result<void> check_config(const base::Json& json) {
  TRY(read_config(json));
  return {};
}

base::Result<std::unique_ptr<rest::DaemonBody>> start_daemon(rest::DaemonContext context) {
  auto body = std::make_unique<Body>(context, TRY(read_config(context.config)));
  TRY(body->start());
  return std::unique_ptr<rest::DaemonBody>(std::move(body));
}

void describe_routes(rest::RouteTable& table) {
  static Api nobody;
  add_routes(table, nobody);
}

}  // namespace netfw

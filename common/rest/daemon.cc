// SPDX-License-Identifier: Apache-2.0
#include "common/rest/daemon.h"

#include <getopt.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/base/config.h"
#include "common/base/log.h"
#include "common/base/text.h"
#include "common/rest/notify.h"
#include "common/sys/journal.h"

namespace rest {

using base::Result;

namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
// For the clean end: first for the body, then as much again for workers that are still busy.
constexpr unsigned kStopSecondsMax = 5;

enum class Action { run, check_config, print_openapi, dump_routes, version, help };

struct Options {
  Action action = Action::run;
  std::string config;
  bool debug = false;
};

void print_help(const DaemonSpec& spec) {
  std::printf(
      "Usage: gestalt-%s [OPTION]...\n%s\n\n"
      "  --config FILE     configuration (default /etc/gestalt/%s.json)\n"
      "  --check-config    say whether the configuration is valid, and end\n"
      "  --print-openapi   print the REST interface as OpenAPI 3.1, and end\n"
      "  --dump-routes     print all routes with their scopes as JSON, and end\n"
      "  --debug           log debug messages too\n"
      "  --version         print the version, and end\n"
      "  --help            print this, and end\n",
      spec.name.c_str(), spec.about.c_str(), spec.name.c_str());
}

// nullopt on wrong usage; getopt has told what is wrong.
std::optional<Options> parse_options(int argc, char** argv, const DaemonSpec& spec) {
  static constexpr option kOptions[] = {
      {"config", required_argument, nullptr, 'c'},  {"check-config", no_argument, nullptr, 'k'},
      {"print-openapi", no_argument, nullptr, 'o'}, {"dump-routes", no_argument, nullptr, 'r'},
      {"debug", no_argument, nullptr, 'd'},         {"version", no_argument, nullptr, 'v'},
      {"help", no_argument, nullptr, 'h'},          {nullptr, 0, nullptr, 0}};
  Options options;
  options.config = "/etc/gestalt/" + spec.name + ".json";
  optind = 0;  // getopt may have run before, in a test
  for (int found; (found = ::getopt_long(argc, argv, "", kOptions, nullptr)) != -1;) {
    switch (found) {
      case 'c': options.config = optarg; break;
      case 'k': options.action = Action::check_config; break;
      case 'o': options.action = Action::print_openapi; break;
      case 'r': options.action = Action::dump_routes; break;
      case 'd': options.debug = true; break;
      case 'v': options.action = Action::version; break;
      case 'h': options.action = Action::help; break;
      default: return std::nullopt;
    }
  }
  if (optind < argc) {
    std::fprintf(stderr, "%s: unexpected argument '%s'\n", argv[0], argv[optind]);
    return std::nullopt;
  }
  return options;
}

// stderr is a stream of the journal when systemd says so and nobody has redirected it since.
bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &status) != 0) return false;
  return stream == std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
}

Result<base::Json> load_checked(const DaemonSpec& spec, const std::string& file) {
  base::Json config = TRY(base::load_config(file));
  if (spec.check) TRY(spec.check(config));
  return config;
}

RouteTable describe(const DaemonSpec& spec, Metrics& metrics) {
  RouteTable table;
  if (spec.describe_routes) spec.describe_routes(table);
  bool has_health = false;
  for (const Row& row : table.rows()) has_health = has_health || row.path == "/health";
  if (!has_health) {
    add_standard_routes(table, metrics, spec.name, [] { return base::Json::object(); });
  }
  return table;
}

void block_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  // Before the first thread starts, so that every thread inherits it.
  CHECK_THAT(::pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  // A client that is gone must not end the daemon; writes report it as an error.
  std::signal(SIGPIPE, SIG_IGN);
}

void tell_systemd(std::string_view state) {
  const Result<void> told = notify_systemd(state);
  if (!told) {
    base::log::warning("DAEMON_NOTIFY_FAILED", "systemd was not told, going on", {}, told.error());
  }
}

constexpr std::string_view kLiveLimits[] = {"/limits/requests_per_second", "/limits/requests_burst",
                                            "/limits/address_requests_per_second",
                                            "/limits/address_requests_burst"};

// Whether a change at `pointer` is one of `live`, or of something above or below it.
bool is_within(std::string_view pointer, std::string_view live) {
  if (!pointer.starts_with(live)) return false;
  return pointer.size() == live.size() || pointer[live.size()] == '/';
}

// What differs between two configurations and is read at the start alone, as JSON pointers.
std::string waits_for_restart(const DaemonSpec& spec, const base::Json& old,
                              const base::Json& next) {
  // A group of fields that is on one side only counts field by field.
  base::Json before = old;
  base::Json after = next;
  for (base::Json* side : {&before, &after}) {
    if (side->is_object() && !side->contains("limits")) (*side)["limits"] = base::Json::object();
  }
  std::string fields;
  for (const base::Json& change : base::Json::diff(before, after)) {
    const std::string pointer = change["path"].get<std::string>();
    const auto covers = [&](std::string_view live) { return is_within(pointer, live); };
    const bool is_live =
        std::ranges::any_of(kLiveLimits, covers) || std::ranges::any_of(spec.live_fields, covers);
    if (!is_live) fields += (fields.empty() ? "" : " ") + pointer;
  }
  return fields;
}

// One life of a daemon, from start() to the end of its workers.
class Life {
 public:
  Life(const DaemonSpec& spec, const Options& options, base::Json config)
      : spec_(spec), options_(options), config_(std::move(config)) {}
  ~Life();
  Result<void> run();

 private:
  Result<void> watch_signals();
  void reload();
  void stop();

  const DaemonSpec& spec_;
  const Options& options_;
  const base::Json config_;
  bool stopping_ = false;
  // In order of need: each uses those above it. ~Life ends the workers before the body they serve.
  std::unique_ptr<sys::EventLoop> loop_;
  Metrics metrics_;
  std::unique_ptr<sys::WorkerPool> workers_;
  std::unique_ptr<DaemonBody> body_;
  std::vector<sys::WatchHandle> watches_;
};

Life::~Life() {
  // Workers that do not come to an end must not hold up the node's shutdown or a restart.
  std::signal(SIGALRM, [](int) { ::_exit(kExitFailed); });
  ::alarm(kStopSecondsMax);
  watches_.clear();
  workers_.reset();
  body_.reset();
  ::alarm(0);
}

Result<void> Life::watch_signals() {
  for (const int signal : {SIGTERM, SIGINT}) {
    watches_.push_back(TRY(loop_->on_signal(signal, [this] { stop(); })));
  }
  watches_.push_back(TRY(loop_->on_signal(SIGHUP, [this] { reload(); })));
  return {};
}

Result<void> Life::run() {
  loop_ = TRY(sys::EventLoop::make());
  workers_ =
      std::make_unique<sys::WorkerPool>(sys::WorkerPool::Limits{.threads = spec_.worker_threads});
  TRY(watch_signals());
  body_ = TRY(spec_.start({*loop_, *workers_, metrics_, config_}));
  tell_systemd("READY=1\nSTATUS=running");
  base::log::notice("DAEMON_STARTED", spec_.name + " runs", {{"version", GESTALT_VERSION}});
  TRY(loop_->run());
  base::log::notice("DAEMON_STOPPED", spec_.name + " has ended");
  return {};
}

void Life::reload() {
  if (stopping_) return;
  // systemd asks for CLOCK_MONOTONIC; our own clock also counts the time asleep.
  timespec monotonic{};
  ::clock_gettime(CLOCK_MONOTONIC, &monotonic);
  tell_systemd("RELOADING=1\nMONOTONIC_USEC=" +
               std::to_string(monotonic.tv_sec * 1'000'000LL + monotonic.tv_nsec / 1000));
  Result<base::Json> config = load_checked(spec_, options_.config);
  const Result<void> done = config ? body_->reload(*config) : Result<void>(config.error());
  if (!done) {
    base::log::failure("DAEMON_RELOAD_FAILED", "the old configuration stays in force", {},
                       done.error());
    return tell_systemd("READY=1\nSTATUS=running; the last reload failed, see the log");
  }
  base::log::notice("DAEMON_RELOADED", spec_.name + " has read its configuration again");
  const std::string waiting = waits_for_restart(spec_, config_, *config);
  if (waiting.empty()) return tell_systemd("READY=1\nSTATUS=running");
  base::log::warning("DAEMON_RESTART_NEEDED", "some changes wait for a restart of " + spec_.name,
                     {{"fields", waiting}});
  tell_systemd("READY=1\nSTATUS=running; a restart is needed for " + waiting);
}

void Life::stop() {
  if (stopping_) return;
  stopping_ = true;
  tell_systemd("STOPPING=1\nSTATUS=stopping");
  base::log::notice("DAEMON_STOPPING", spec_.name + " ends what is under way");
  watches_.push_back(loop_->after(std::chrono::seconds(kStopSecondsMax), [this] {
    base::log::warning("DAEMON_STOP_TIMED_OUT", "the clean end took too long, ending at once");
    loop_->stop();
  }));
  body_->stop([this] { loop_->stop(); });
}

int run_life(const DaemonSpec& spec, const Options& options, base::Json config) {
  Life life(spec, options, std::move(config));
  const Result<void> end = life.run();
  if (end) return 0;
  base::log::failure("DAEMON_FAILED", spec.name + " cannot go on, ending", {}, end.error());
  tell_systemd("STATUS=" + base::to_string(end.error()));
  return kExitFailed;
}

}  // namespace

int run_daemon(int argc, char** argv, const DaemonSpec& spec) {
  const std::optional<Options> options = parse_options(argc, argv, spec);
  if (!options) return kExitUsage;
  Metrics metrics;  // of the described table only
  switch (options->action) {
    case Action::help: print_help(spec); return 0;
    case Action::version:
      std::printf("gestalt-%s %s\n", spec.name.c_str(), GESTALT_VERSION);
      return 0;
    case Action::print_openapi:
      std::puts(
          base::dump_json_pretty(make_openapi(describe(spec, metrics), spec.name, GESTALT_VERSION))
              .c_str());
      return 0;
    case Action::dump_routes:
      std::puts(base::dump_json_pretty(dump_routes(describe(spec, metrics))).c_str());
      return 0;
    case Action::check_config:
    case Action::run: break;
  }
  Result<base::Json> config = load_checked(spec, options->config);
  if (options->action == Action::check_config && config) {
    std::puts("configuration is valid");
    return 0;
  }
  if (!config) {
    std::fprintf(stderr, "%s: %s\n", options->config.c_str(),
                 base::to_string(config.error()).c_str());
    return kExitUsage;
  }
  ::umask(007);
  block_signals();
  if (stderr_is_journal()) base::log::set_sink(sys::journal_sink);
  if (options->debug) base::log::set_threshold(base::log::Level::debug);
  return run_life(spec, *options, *std::move(config));
}

}  // namespace rest

// SPDX-License-Identifier: Apache-2.0
// The frame of a daemon, seen from outside: a real process, its signals, its notifications.
#include "common/rest/daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/base/config.h"
#include "common/sys/handle.h"
#include "common/sys/process.h"
#include "tests/unit/common/rest/rig.h"

using namespace rest_test;

namespace {

// systemd's end of the notification socket.
class NotifySocket {
 public:
  explicit NotifySocket(const std::filesystem::path& path)
      : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    LONGS_EQUAL(0, ::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address));
  }
  std::string next() {
    pollfd waiting{fd_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, 10000) != 1) FAIL("systemd was told nothing in time");
    char text[4096];
    const ssize_t size = ::recv(fd_.get(), text, sizeof text, 0);
    return {text, static_cast<std::size_t>(size)};
  }

 private:
  sys::Fd fd_;
};

}  // namespace

TEST_GROUP(Daemon) {
  std::filesystem::path folder;
  pid_t child = -1;

  void setup() override {
    char name[] = "/tmp/rest-daemon-XXXXXX";
    CHECK_TRUE(::mkdtemp(name) != nullptr);
    folder = name;
    configure("");
  }
  void teardown() override {
    if (child > 0) {
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
    }
    std::filesystem::remove_all(folder);
  }

  void configure(const std::string& more) {
    std::ofstream(folder / "c.json", std::ios::trunc)
        << R"({"listen":[{"unix":")" << (folder / "x.sock").string() << R"("}])" << more << "}";
  }
  sys::Exit run_sample(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), REST_SAMPLE_DAEMON);
    return UNWRAP(sys::run({.argv = std::move(arguments), .environment = {}}));
  }
  void start() {
    const std::string config = folder / "c.json";
    std::string notify = "NOTIFY_SOCKET=" + (folder / "notify").string();
    const std::string log = folder / "log";
    const char* argv[] = {REST_SAMPLE_DAEMON, "--config", config.c_str(), nullptr};
    char* environment[] = {notify.data(), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 2, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    LONGS_EQUAL(0, ::posix_spawn(&child, REST_SAMPLE_DAEMON, &actions, nullptr,
                                 const_cast<char* const*>(argv), environment));
    posix_spawn_file_actions_destroy(&actions);
  }
  int wait_for_exit() {
    int status = -1;
    LONGS_EQUAL(child, ::waitpid(child, &status, 0));
    child = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  std::string greeting() {
    RawClient client((folder / "x.sock").string());
    return client.ask(get("/v1/greeting", "")).body;
  }
};

TEST(Daemon, a_configuration_can_be_checked_without_running) {
  const sys::Exit good = run_sample({"--check-config", "--config", folder / "c.json"});
  LONGS_EQUAL(0, good.status);
  STRCMP_EQUAL("configuration is valid\n", good.out.c_str());
  configure(R"(,"greeting":7)");
  const sys::Exit bad = run_sample({"--check-config", "--config", folder / "c.json"});
  LONGS_EQUAL(2, bad.status);
  CHECK_TRUE(bad.err.find("field_invalid: must be a string (at /greeting)") != std::string::npos);
  LONGS_EQUAL(2, run_sample({"--config", folder / "c.json"}).status);
}

TEST(Daemon, the_interface_can_be_printed_without_running) {
  const base::Json api = UNWRAP(base::parse_json(run_sample({"--print-openapi"}).out));
  CHECK_TRUE(api["paths"].contains("/v1/greeting"));
  CHECK_TRUE(api["paths"].contains("/health"));
  const base::Json routes = UNWRAP(base::parse_json(run_sample({"--dump-routes"}).out));
  LONGS_EQUAL(5, routes.size());
  STRCMP_EQUAL("gestalt-sample 0.1.0\n", run_sample({"--version"}).out.c_str());
  LONGS_EQUAL(0, run_sample({"--help"}).status);
}

TEST(Daemon, wrong_usage_is_status_2) {
  LONGS_EQUAL(2, run_sample({"--no-such-option"}).status);
  LONGS_EQUAL(2, run_sample({"argument"}).status);
  LONGS_EQUAL(2, run_sample({"--config"}).status);
}

TEST(Daemon, it_tells_systemd_when_it_is_ready_reloads_and_ends) {
  NotifySocket systemd(folder / "notify");
  start();
  CHECK_TRUE(systemd.next().starts_with("READY=1\n"));
  STRCMP_EQUAL(R"({"greeting":"hello"})", greeting().c_str());
  struct stat status {};
  LONGS_EQUAL(0, ::stat((folder / "x.sock").c_str(), &status));
  LONGS_EQUAL(0660, status.st_mode & 07777);

  configure(R"(,"greeting":"good day")");
  ::kill(child, SIGHUP);
  CHECK_TRUE(systemd.next().starts_with("RELOADING=1\nMONOTONIC_USEC="));
  STRCMP_EQUAL("READY=1\nSTATUS=running", systemd.next().c_str());
  STRCMP_EQUAL(R"({"greeting":"good day"})", greeting().c_str());

  ::kill(child, SIGTERM);
  CHECK_TRUE(systemd.next().starts_with("STOPPING=1"));
  LONGS_EQUAL(0, wait_for_exit());
  CHECK_FALSE(std::filesystem::exists(folder / "x.sock"));
}

TEST(Daemon, a_reload_names_what_waits_for_a_restart) {
  NotifySocket systemd(folder / "notify");
  start();
  systemd.next();
  configure(R"(,"greeting":"good day","hang_at_end":false)");
  ::kill(child, SIGHUP);
  systemd.next();
  STRCMP_EQUAL("READY=1\nSTATUS=running; a restart is needed for /hang_at_end",
               systemd.next().c_str());
  const std::string log = UNWRAP(base::read_file(folder / "log"));
  CHECK_TRUE(log.find("DAEMON_RESTART_NEEDED") != std::string::npos);
  ::kill(child, SIGINT);
  LONGS_EQUAL(0, wait_for_exit());
}

TEST(Daemon, a_reload_of_a_wrong_configuration_changes_nothing) {
  NotifySocket systemd(folder / "notify");
  start();
  systemd.next();
  configure(R"(,"greeting":"good day","typo":1)");
  ::kill(child, SIGHUP);
  systemd.next();
  CHECK_TRUE(systemd.next().find("the last reload failed") != std::string::npos);
  STRCMP_EQUAL(R"({"greeting":"hello"})", greeting().c_str());
  const std::string log = UNWRAP(base::read_file(folder / "log"));
  CHECK_TRUE(log.find("DAEMON_RELOAD_FAILED") != std::string::npos);
  CHECK_TRUE(log.find("(at /typo)") != std::string::npos);
  ::kill(child, SIGINT);
  LONGS_EQUAL(0, wait_for_exit());
}

TEST(Daemon, a_start_that_fails_is_status_1_with_the_cause) {
  std::filesystem::create_directory(folder / "x.sock");
  start();
  LONGS_EQUAL(1, wait_for_exit());
  const std::string log = UNWRAP(base::read_file(folder / "log"));
  CHECK_TRUE(log.find("DAEMON_FAILED") != std::string::npos);
  CHECK_TRUE(log.find("is not a socket") != std::string::npos);
}

TEST(Daemon, an_end_that_hangs_is_bounded) {
  configure(R"(,"hang_at_end":true)");
  NotifySocket systemd(folder / "notify");
  start();
  systemd.next();
  const auto before = std::chrono::steady_clock::now();
  ::kill(child, SIGTERM);
  LONGS_EQUAL(0, wait_for_exit());
  const auto took = std::chrono::steady_clock::now() - before;
  CHECK_TRUE(took >= std::chrono::seconds(4));
  CHECK_TRUE(took < std::chrono::seconds(9));
}

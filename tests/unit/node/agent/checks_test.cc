// SPDX-License-Identifier: Apache-2.0
#include "node/agent/checks.h"

#include "common/sys/files.h"
#include "common/sys/tls.h"
#include "node/agent/tcp_probe.h"
#include "tests/support/check_result.h"
#include "tests/unit/node/agent/rig.h"

using agent_test::free_port;
using agent_test::listen_on;
using agent_test::run_until;
using node::agent::Checks;
using node::api::CheckProtocol;

TEST_GROUP(Checks) {
  TempFolder folder;
  std::unique_ptr<sys::EventLoop> loop = agent_test::make_loop();
  sys::WorkerPool workers{{.threads = 1}};
  std::unique_ptr<sys::AsyncHttp> http = agent_test::make_http(*loop);
  rest::Metrics metrics;
  rest::TokenFile tokens{{.file = folder / "tokens.json"}};
  rest::RouteTable table;
  std::unique_ptr<rest::Server> server;
  node::api::RunSpec spec;
  node::agent::Record record;
  std::string command_failure;
  std::vector<std::string> commands;
  std::unique_ptr<Checks> checks;
  int changes = 0;

  node::api::HealthCheck health(CheckProtocol protocol) {
    node::api::HealthCheck out;
    out.protocol = protocol;
    out.interval = std::chrono::seconds(1);
    out.timeout = std::chrono::seconds(1);
    out.delay = out.grace_period = std::chrono::seconds(0);
    out.max_consecutive_failures = 1;
    return out;
  }
  void make(std::uint16_t port) {
    spec.ports = {{"http", "tcp", 0}};
    record.spec = std::make_shared<const node::api::RunSpec>(spec);
    record.status.address = "127.0.0.1";
    record.status.ports = {port};
    Checks::Parts parts{*loop, *http,
                        [this](std::vector<std::string> argv, std::chrono::milliseconds,
                               node::agent::LookDone done) {
                          commands.push_back(argv[0]);
                          loop->post([done, failure = command_failure] { done(failure); });
                        },
                        [this] { ++changes; }};
    checks = std::make_unique<Checks>(std::move(parts), record, base::system_clock().now(), false);
  }
};

TEST(Checks, an_instance_without_checks_is_ready_and_undecided) {
  make(free_port());
  CHECK(checks->ready());
  CHECK_FALSE(checks->healthy().has_value());
}

TEST(Checks, a_tcp_check_is_good_when_somebody_listens) {
  const std::uint16_t port = free_port();
  spec.health_checks = {health(CheckProtocol::tcp)};
  const sys::Fd listener = listen_on(port);
  make(port);
  run_until(*loop, [&] { return checks->healthy() == std::optional(true); });
  CHECK(changes > 0);
}

TEST(Checks, a_port_without_a_listener_is_unhealthy_with_its_cause) {
  spec.health_checks = {health(CheckProtocol::tcp)};
  make(free_port());
  run_until(*loop, [&] { return checks->healthy() == std::optional(false); });
  CHECK(checks->results()[0].last_failure_cause.find("refused") != std::string::npos);
}

TEST(Checks, an_http_check_goes_by_the_status) {
  // Without credentials the server answers 401: something answers, but not well.
  server = UNWRAP(rest::Server::make({*loop, workers, tokens, metrics}, table, {{.port = 0}}));
  spec.health_checks = {health(CheckProtocol::http)};
  make(server->port());
  run_until(*loop, [&] { return checks->healthy() == std::optional(false); });
  STRCMP_EQUAL("status 401", checks->results()[0].last_failure_cause.c_str());
}

TEST(Checks, an_https_check_takes_any_certificate) {
  const auto pair = UNWRAP(sys::make_self_signed("x", {"x"}, std::chrono::hours(1)));
  CHECK_OK(sys::write_file_durably(folder / "key", pair.key_pem.reveal(), 0600));
  CHECK_OK(sys::write_file_durably(folder / "certificate", pair.certificate_pem));
  server = UNWRAP(rest::Server::make(
      {*loop, workers, tokens, metrics}, table,
      {{.port = 0, .certificate_file = folder / "certificate", .key_file = folder / "key"}}));
  spec.health_checks = {health(CheckProtocol::https)};
  make(server->port());
  run_until(*loop, [&] { return checks->healthy() == std::optional(false); });
  STRCMP_EQUAL("status 401", checks->results()[0].last_failure_cause.c_str());
}

TEST(Checks, readiness_goes_by_its_own_list_of_statuses_and_then_stays) {
  server = UNWRAP(rest::Server::make({*loop, workers, tokens, metrics}, table, {{.port = 0}}));
  node::api::ReadinessCheck check;
  check.port_name = "http";
  check.http_status_codes_ready = {401};
  spec.readiness_checks = {check};
  make(server->port());
  CHECK_FALSE(checks->ready());
  run_until(*loop, [&] { return checks->ready(); });
}

TEST(Checks, a_command_decides_by_its_failure) {
  auto command = health(CheckProtocol::command);
  command.argv = {"/bin/probe"};
  spec.health_checks = {command};
  command_failure = "the command ended with status 3";
  make(free_port());
  run_until(*loop, [&] { return checks->healthy() == std::optional(false); });
  STRCMP_EQUAL("/bin/probe", commands[0].c_str());
  command_failure.clear();
  run_until(*loop, [&] { return checks->healthy() == std::optional(true); });
}

TEST(Checks, one_bad_check_decides_for_all) {
  auto command = health(CheckProtocol::command);
  command.argv = {"/bin/probe"};
  spec.health_checks = {command, health(CheckProtocol::tcp)};
  make(free_port());
  run_until(*loop, [&] { return checks->healthy() == std::optional(false); });
  CHECK(checks->results()[0].alive);
  CHECK_FALSE(checks->results()[1].alive);
}

TEST(Checks, a_port_in_use_is_found) {
  const std::uint16_t port = free_port();
  CHECK_OK(node::agent::check_port_free(port));
  const sys::Fd listener = listen_on(port);
  CHECK_ERROR(base::Code::failed_precondition, "port_in_use", node::agent::check_port_free(port));
}

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
  node::api::ReadinessCheck readiness(const char* name) {
    node::api::ReadinessCheck out;
    out.name = name;
    out.port_name = "http";
    out.preserve_last_response = true;
    return out;
  }
  // A server that answers everybody with this text.
  void serve(const std::string& text) {
    table.add(rest::Row{rest::Method::get,
                        "/",
                        rest::kPublic,
                        rest::Run::on_loop,
                        [text](const rest::Request&) -> base::Result<rest::Response> {
                          return rest::Response::text(text, "text/x-foreign");
                        },
                        "",
                        {}});
    server = UNWRAP(rest::Server::make({*loop, workers, tokens, metrics}, table, {{.port = 0}}));
  }
  // What a readiness check has got, once it has looked.
  node::api::CheckResponse response(std::size_t index = 0) {
    run_until(*loop, [&] { return checks->readiness()[index].last_response.has_value(); });
    return *checks->readiness()[index].last_response;
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

TEST(Checks, a_readiness_check_tells_the_last_response_when_it_keeps_it) {
  server = UNWRAP(rest::Server::make({*loop, workers, tokens, metrics}, table, {{.port = 0}}));
  spec.readiness_checks = {readiness("up"), readiness("silent")};
  spec.readiness_checks[1].preserve_last_response = false;
  make(server->port());
  LONGS_EQUAL(2, checks->readiness().size());
  CHECK_FALSE(checks->readiness()[0].last_response.has_value());
  const node::api::CheckResponse got = response();
  LONGS_EQUAL(401, got.status);
  STRCMP_EQUAL("application/problem+json", got.content_type.c_str());
  CHECK(got.body.starts_with("{"));
  STRCMP_EQUAL("up", checks->readiness()[0].name.c_str());
  CHECK_FALSE(checks->readiness()[0].ready);
  CHECK_FALSE(checks->readiness()[1].last_response.has_value());
  CHECK(changes > 0);
}

TEST(Checks, no_answer_to_a_readiness_check_is_told_as_504) {
  spec.readiness_checks = {readiness("up")};
  make(free_port());
  const node::api::CheckResponse got = response();
  LONGS_EQUAL(504, got.status);
  STRCMP_EQUAL("text/plain", got.content_type.c_str());
  CHECK_FALSE(got.body.empty());
}

TEST(Checks, of_a_response_a_kilobyte_is_kept_as_text) {
  // The limit falls into the two bytes of a character.
  serve("\x01\"" + std::string(1021, 'b') + "\xc3\xa4 and so on");
  spec.readiness_checks = {readiness("up")};
  make(server->port());
  const node::api::CheckResponse got = response();
  STRCMP_EQUAL(("?\"" + std::string(1021, 'b')).c_str(), got.body.c_str());
  STRCMP_EQUAL("text/x-foreign", got.content_type.c_str());
  CHECK(checks->ready());
}

TEST(Checks, several_readiness_checks_share_the_kilobyte) {
  serve(std::string(2000, '\xff'));
  spec.readiness_checks = {readiness("one"), readiness("two")};
  make(server->port());
  for (const std::size_t index : {0, 1}) {
    const node::api::CheckResponse got = response(index);
    CHECK(got.body.size() > 500 && got.body.size() <= 512);
    CHECK(got.body.find_first_not_of('?') == std::string::npos);
  }
}

TEST(Checks, an_adopted_instance_keeps_the_last_response) {
  spec.readiness_checks = {readiness("up")};
  record.status.ready = true;
  record.status.readiness_results = {
      node::api::ReadinessResult{"up", true, node::api::CheckResponse{200, "text/plain", "fine"}}};
  make(free_port());
  CHECK(checks->ready());
  STRCMP_EQUAL("fine", response().body.c_str());
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

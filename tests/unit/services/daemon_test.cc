// SPDX-License-Identifier: Apache-2.0
#include "services/daemon.h"

#include <CppUTest/TestHarness.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/sys/handle.h"
#include "services/front.h"
#include "tests/support/check_result.h"
#include "tests/support/temp_folder.h"

namespace {

using base::Json;

TEST_GROUP(ServicesDaemon){};

TEST(ServicesDaemon, the_defaults_are_valid) {
  CHECK_OK(services::check_services_config(Json::object(), ""));
  CHECK_OK(services::check_services_config(Json::object(), "all"));
  CHECK_OK(services::check_services_config(Json::object(), "task"));
}

TEST(ServicesDaemon, what_is_wrong_is_named_by_its_pointer) {
  struct Case {
    const char* json;
    const char* pointer;
  };
  constexpr Case kCases[] = {
      {R"({"port":9000})", "/port"},
      {R"({"services":["nosuch"]})", "/services"},
      {R"({"store":{"engine":"sqlite"}})", "/store/engine"},
      {R"({"store":{"engine":"postgresql"}})", "/store/connection"},
      {R"({"settings":{"nosuch":{}}})", "/settings/nosuch"},
      {R"({"settings":{"audit":{"files_max":1}}})", "/settings/audit/files_max"},
      {R"({"limits":{"requests":1}})", "/limits/requests"},
      {R"({"listen":[{"address":"0.0.0.0","port":1}]})", "/listen/0/address"},
  };
  for (const Case& each : kCases) {
    const auto checked = services::check_services_config(Json::parse(each.json), "");
    CHECK_ERROR(base::Code::invalid_argument, "", checked);
    STRCMP_EQUAL(each.pointer, checked.error().pointer.c_str());
  }
}

TEST(ServicesDaemon, every_route_is_behind_a_decision) {
  rest::RouteTable table;
  services::describe_services(table);
  std::size_t open = 0;
  for (const rest::Row& row : table.rows()) open += row.scope.is_public() ? 1 : 0;
  CHECK(table.rows().size() > 10);
  CHECK(open >= 2);
}

// A start may fail at any point, with services begun and work of theirs on the workers: it ends
// with an error, and nothing of it is left behind.
struct Attempt {
  explicit Attempt(const Json& config) {
    workers = std::make_unique<sys::WorkerPool>(sys::WorkerPool::Limits{.threads = 4});
    body = services::start_services({*loop, *workers, metrics, config}, "");
  }
  std::unique_ptr<sys::EventLoop> loop = *sys::EventLoop::make();
  rest::Metrics metrics;
  std::unique_ptr<sys::WorkerPool> workers;
  base::Result<std::unique_ptr<rest::DaemonBody>> body{nullptr};
};

Json config_in(const TempFolder& folder, Json listen) {
  return {{"state", (folder / "state").string()},
          {"listen", std::move(listen)},
          {"settings", {{"security", {{"credentialsFile", (folder / "admin.json").string()}}}}}};
}

TEST(ServicesDaemon, a_port_that_is_taken_ends_the_start_again_and_again) {
  const TempFolder folder;
  const sys::Fd taken(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  CHECK_EQUAL(0, ::bind(taken.get(), reinterpret_cast<sockaddr*>(&address), size));
  CHECK_EQUAL(0, ::listen(taken.get(), 1));
  CHECK_EQUAL(0, ::getsockname(taken.get(), reinterpret_cast<sockaddr*>(&address), &size));
  const Json config = config_in(folder, Json::array({{{"port", ntohs(address.sin_port)}}}));
  for (int i = 0; i < 30; ++i) CHECK(!Attempt(config).body.has_value());
}

TEST(ServicesDaemon, a_service_that_cannot_start_ends_what_had_begun_before_it) {
  const TempFolder folder;
  std::filesystem::create_directories(folder / "state");
  std::ofstream(folder / "state/event") << "no folder";
  const Json config = config_in(folder, Json::array({{{"port", 0}}}));
  for (int i = 0; i < 30; ++i) CHECK(!Attempt(config).body.has_value());
}

TEST(ServicesDaemon, a_state_folder_that_cannot_be_made_is_told) {
  const TempFolder folder;
  std::ofstream(folder / "state") << "no folder";
  CHECK(!Attempt(config_in(folder, Json::array({{{"port", 0}}}))).body.has_value());
}

TEST(ServicesDaemon, callers_have_names_of_their_own_to_be_counted_by) {
  services::Front front("/nonexistent");
  const auto one = front.authenticate({{}, "Bearer one"});
  const auto other = front.authenticate({{}, "Bearer other"});
  CHECK_OK(one);
  CHECK_OK(other);
  CHECK(one->name != other->name && one->name.starts_with("credential:"));
  CHECK(one->name.find("one") == std::string::npos);
}

TEST(ServicesDaemon, the_front_refuses_nobody_and_gives_figures_to_root_only) {
  services::Front front("/nonexistent");
  const auto nobody = front.authenticate({});
  CHECK_OK(nobody);
  CHECK(nobody->has("services:call") && !nobody->has("metrics:read"));
  const auto root = front.authenticate({rest::PeerCredentials{.pid = 1, .uid = 0}, ""});
  CHECK_OK(root);
  CHECK(root->name == "uid:0" && root->has("metrics:read"));
  const auto user = front.authenticate({rest::PeerCredentials{.pid = 1, .uid = 1000}, ""});
  CHECK_OK(user);
  CHECK(!user->has("metrics:read"));
}

TEST(ServicesDaemon, a_token_of_the_node_opens_the_figures_and_nothing_else) {
  const TempFolder folder;
  const auto file = folder.path() / "tokens.json";
  const base::Secret token =
      UNWRAP(rest::TokenFile::mint(file, "prometheus", {"metrics:read"}, base::system_rng()));
  services::Front front(file);
  const std::string header = "Bearer " + std::string(token.reveal());
  CHECK(UNWRAP(front.authenticate({{}, header, "metrics:read"})).has("metrics:read"));
  CHECK(!UNWRAP(front.authenticate({{}, header, "services:call"})).has("metrics:read"));
  CHECK(!UNWRAP(front.authenticate({{}, "Bearer other", "metrics:read"})).has("metrics:read"));
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
// The Marathon adapter against the adapters' contract, with a real gestalt-masterd on a unix
// socket. It has no nodes, so that applications wait there: what is shown is that they are what was
// asked for.
#include <fstream>

#include "common/base/base64.h"
#include "common/rest/client.h"
#include "services/launcher/adapters/marathon.h"
#include "services/launcher/container.h"
#include "tests/contract/adapter_suite.h"
#include "tests/support/child_process.h"
#include "tests/support/http/fake_http.h"
#include "tests/support/temp_folder.h"

using base::Code;
using base::Json;

namespace {

class MasterRig : public contract::AdapterRig {
 public:
  MasterRig() {
    const Json config = {{"coordination_folder", (folder_ / "tree").string()},
                         {"tokens_file", (folder_ / "tokens.json").string()},
                         {"netfw_socket", ""},
                         {"listen", Json::array({Json{{"unix", socket()}}})}};
    std::ofstream(folder_ / "masterd.json") << base::dump_json(config);
    start();
    services::AdapterRegistry registry;
    services::launcher::add_marathon(registry);
    adapter_ = UNWRAP(registry.make("launcher", "marathon", {{"url", "unix:" + socket()}},
                                    {base::system_clock(), base::system_rng(), http_}));
    until_it_answers();
  }
  services::Adapter& adapter() override { return *adapter_; }
  // A request of somebody else's.
  Json ask(rest::Method method, const std::string& path, const Json& body) {
    const auto call = rest::make_call({.url = "unix:" + socket()}, method, path, &body);
    const sys::HttpReply reply = UNWRAP(http_.send(call));
    return UNWRAP(rest::read_reply(reply));
  }
  Json desired() const override {
    return UNWRAP(services::launcher::app_of(
        {{"id", "c"},
         {"properties",
          {{"cmd", "sleep 1000"},
           {"num_instances", 2},
           {"port_mappings",
            {{{"name", "http"}, {"expose_endpoint", true}, {"virtual_hosts", {"a.example"}}}}},
           {"health_checks", {{{"protocol", "TCP"}, {"interval_seconds", 5}}}}}}},
        {.processes = true}));
  }
  Json other() const override {
    Json changed = desired();
    changed["env"]["A"] = "b";
    changed["instances"] = 3;
    return changed;
  }
  std::pair<Json, std::string> invalid() const override {
    Json wrong = desired();
    wrong["instances"] = -1;
    return {wrong, "/instances"};
  }
  void set_away(bool away) override {
    if (away) {
      master_.reset();
      return;
    }
    start();
    until_it_answers();
  }
  std::size_t count(const std::string& id) override {
    return UNWRAP(adapter_->observe(id)).has_value() ? 1 : 0;
  }
  std::vector<std::string> complaints() const override { return {}; }

 private:
  std::string socket() const { return (folder_ / "masterd.sock").string(); }
  void start() {
    master_ = std::make_unique<ChildProcess>(
        std::vector<std::string>{MASTERD, "--config", (folder_ / "masterd.json").string()});
  }
  void until_it_answers() {
    const base::Instant begin = base::system_clock().now();
    while (!adapter_->probe())
      if (base::system_clock().now() - begin > std::chrono::seconds(30))
        FAIL("masterd does not answer");
  }

  TempFolder folder_;
  sys::HttpClient http_;
  std::unique_ptr<ChildProcess> master_;
  std::unique_ptr<services::Adapter> adapter_;
};

}  // namespace

TEST_GROUP(MarathonAdapter) { MasterRig engine; };
ADAPTER_CONTRACT_TESTS(MarathonAdapter, CONTRACT_TEST)

TEST(MarathonAdapter, a_number_alone_is_scaled_without_a_new_version_of_the_rest) {
  auto& adapter = engine.adapter();
  CHECK_OK(services::reconcile(adapter, "/gestalt/a/web", engine.desired()));
  Json more = engine.desired();
  more["instances"] = 5;
  const auto observed = UNWRAP(adapter.observe("/gestalt/a/web"));
  const auto steps = UNWRAP(adapter.plan("/gestalt/a/web", more, observed));
  LONGS_EQUAL(1, steps.size());
  STRCMP_EQUAL("scale", steps[0].verb.c_str());
  CHECK_OK(adapter.apply(steps[0]));
  const auto scaled = UNWRAP(adapter.observe("/gestalt/a/web"));
  LONGS_EQUAL(5, scaled->value("instances", 0));
  STRCMP_EQUAL("external", (*scaled)["labels"]["HAPROXY_GROUP"].get<std::string>().c_str());
  STRCMP_EQUAL("a.example", (*scaled)["labels"]["HAPROXY_0_VHOST"].get<std::string>().c_str());
  STRCMP_EQUAL("WAITING", services::launcher::seen_of(*scaled).status.c_str());
}

TEST(MarathonAdapter, its_own_deployment_gives_way_and_that_of_others_is_waited_for) {
  auto& adapter = engine.adapter();
  // Without nodes no deployment ends.
  CHECK_OK(services::reconcile(adapter, "/gestalt/a/web", engine.desired()));
  CHECK_OK(services::reconcile(adapter, "/gestalt/a/web", engine.other()));
  const Json app = {{"cmd", "sleep 1"}, {"cpus", 0.1}, {"mem", 16}};
  Json one = app;
  Json two = app;
  one["id"] = "/both/one";
  two["id"] = "/both/two";
  engine.ask(rest::Method::post, "/v2/groups", {{"id", "/both"}, {"apps", {one, two}}});
  const auto locked = services::reconcile(adapter, "/both/one", engine.desired());
  CHECK_ERROR(Code::failed_precondition, "app_locked", locked);
  CHECK(locked.error().detail.find("1 others") != std::string::npos);
  CHECK(locked.error().detail.find("DELETE /v2/deployments/") != std::string::npos);
}

// Another Marathon, of which only the frame is faked: who may come, and what it refuses.
TEST_GROUP(ForeignMarathon) {
  base::Result<std::unique_ptr<services::Adapter>> make(Json settings) {
    services::AdapterRegistry registry;
    services::launcher::add_marathon(registry);
    return registry.make("launcher", "marathon", settings,
                         {base::system_clock(), base::system_rng(), http});
  }
  std::string file(const std::string& text) {
    std::ofstream(folder / "credentials") << text << "\n";
    return (folder / "credentials").string();
  }
  TempFolder folder;
  sys::HttpClient http;
  std::string wanted;
  FakeHttp fake{"marathon", [this](const rest::Request& request) -> base::Result<rest::Response> {
                  if (request.find_header("authorization").value_or("") != wanted)
                    return base::Error{Code::unauthenticated, "who", "credentials_missing"};
                  return rest::Response::json({{"name", "marathon"}, {"version", "1.11.24"}});
                }};
};

TEST(ForeignMarathon, each_kind_of_credentials_has_its_form) {
  const std::string secret = base::system_rng().token(12);
  const Json plain = {{"url", fake.url()}};
  const auto comes_in = [&](const std::string& scheme, const std::string& text) {
    Json settings = plain;
    settings["authorization"] = scheme;
    settings["credentials_file"] = file(text);
    const auto adapter = UNWRAP(make(settings));
    return UNWRAP(adapter->probe())["version"] == "1.11.24";
  };
  wanted = "Bearer " + secret;
  CHECK(comes_in("bearer", secret));
  wanted = "Basic " + base::to_base64("user:" + secret);
  CHECK(comes_in("basic", "user:" + secret));
  wanted = "token=" + secret;
  CHECK(comes_in("token", secret));
  const auto bare = UNWRAP(make(plain));
  const auto refused = bare->probe();
  CHECK_ERROR(Code::unauthenticated, "adapter_refused", refused);
  CHECK(refused.error().detail.find("credentials_file") != std::string::npos);
  CHECK(refused.error().detail.find(secret) == std::string::npos);
}

TEST(ForeignMarathon, credentials_do_not_go_in_the_clear) {
  const std::string credentials = file("x");
  const auto pointer = [&](const std::string& url) {
    const auto made = make({{"url", url}, {"credentials_file", credentials}});
    return made ? "" : made.error().pointer;
  };
  STRCMP_EQUAL("/url", pointer("http://marathon.example:8080").c_str());
  STRCMP_EQUAL("/url", pointer("http://127.0.0.1.example").c_str());
  STRCMP_EQUAL("", pointer("https://marathon.example").c_str());
  STRCMP_EQUAL("", pointer("http://127.0.0.1:8080").c_str());
  STRCMP_EQUAL("", pointer("unix:/run/gestalt/masterd.sock").c_str());
  STRCMP_EQUAL("/url", make({{"url", "ftp://marathon"}}).error().pointer.c_str());
  STRCMP_EQUAL("/authorization",
               make({{"url", "unix:/x/y"}, {"authorization", "digest"}}).error().pointer.c_str());
  CHECK_OK(make({{"url", "http://marathon.example:8080"}}));
}

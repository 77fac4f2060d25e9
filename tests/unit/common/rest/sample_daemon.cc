// SPDX-License-Identifier: Apache-2.0
// A daemon as small as one can be, for daemon_test.cc and for measuring the HTTP server.
#include <nlohmann/json.hpp>

#include "common/base/json.h"
#include "common/base/log.h"
#include "common/rest/daemon.h"

namespace {

using base::Result;

struct Config {
  std::vector<rest::ListenerOptions> listeners;
  std::string tokens = "/nonexistent";
  std::string greeting = "hello";
  bool hang_at_end = false;
};

Result<Config> read_config(const base::Json& json) {
  Config config;
  base::Fields fields(json);
  fields.find_array("listen");
  fields.optional("tokens", config.tokens);
  fields.optional("greeting", config.greeting, {.length_min = 1});
  fields.optional("hang_at_end", config.hang_at_end);
  TRY(fields.finish(base::UnknownFields::refuse));
  config.listeners = TRY(rest::read_listeners(json, "listen", {}));
  return config;
}

struct Greeter {
  std::string greeting;
};

Result<rest::Response> greet(Greeter& greeter, const rest::Request&) {
  return rest::Response::json({{"greeting", greeter.greeting}});
}

constexpr rest::Route<Greeter> kRoutes[] = {
    {rest::Method::get, "/v1/greeting", rest::Scope("app:read"), rest::Run::on_loop, greet,
     "The greeting"},
    {rest::Method::get, "/v1/worker-greeting", rest::Scope("app:read"), rest::Run::on_worker, greet,
     "The greeting, by a worker"},
};

class Sample final : public rest::DaemonBody {
 public:
  Sample(rest::DaemonContext context, Config config)
      : config_(std::move(config)),
        greeter_{config_.greeting},
        authenticator_({.file = config_.tokens}) {
    table_.add(kRoutes, greeter_);
    rest::add_standard_routes(table_, context.metrics, "sample", [] {
      return base::Json{{"status", "ok"}};
    });
  }
  Result<void> listen(rest::DaemonContext context) {
    server_ =
        TRY(rest::Server::make({context.loop, context.workers, authenticator_, context.metrics},
                               table_, config_.listeners));
    return {};
  }
  Result<void> reload(const base::Json& json) override {
    greeter_.greeting = TRY(read_config(json)).greeting;
    return server_->reload({});
  }
  void stop(std::function<void()> done) override {
    if (config_.hang_at_end) return;
    server_->shutdown(std::chrono::seconds(2), std::move(done));
  }

 private:
  Config config_;
  Greeter greeter_;
  rest::TokenFile authenticator_;
  rest::RouteTable table_;
  std::unique_ptr<rest::Server> server_;
};

Result<std::unique_ptr<rest::DaemonBody>> start(rest::DaemonContext context) {
  auto sample = std::make_unique<Sample>(context, TRY(read_config(context.config)));
  TRY(sample->listen(context));
  return std::unique_ptr<rest::DaemonBody>(std::move(sample));
}

Result<void> check(const base::Json& json) {
  TRY(read_config(json));
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  return rest::run_daemon(
      argc, argv,
      {.name = "sample",
       .about = "Greets.",
       .check = check,
       .start = start,
       .live_fields = {"/greeting"},
       .describe_routes = [](rest::RouteTable& table) { table.describe(kRoutes); }});
}

// SPDX-License-Identifier: Apache-2.0
#include "tests/support/http/fake_http.h"

#include <future>

#include "common/base/check.h"

namespace {

class Anybody final : public rest::Authenticator {
 public:
  base::Result<rest::Principal> authenticate(const rest::Credentials&) override {
    return rest::Principal{"anybody", {"*"}};
  }
};

}  // namespace

FakeHttp::FakeHttp(std::string what, Answer answer)
    : what_(std::move(what)), answer_(std::move(answer)) {
  std::promise<void> ready;
  thread_ = std::thread([this, &ready] {
    auto loop = sys::EventLoop::make();
    CHECK_THAT(loop.has_value());
    loop_ = *std::move(loop);
    sys::WorkerPool workers({.threads = 1});
    rest::Metrics metrics;
    Anybody anybody;
    rest::RouteTable table;
    for (const auto method : {rest::Method::get, rest::Method::post, rest::Method::put,
                              rest::Method::patch, rest::Method::del}) {
      table.add({method,
                 "/{rest...}",
                 rest::Scope("any:thing"),
                 rest::Run::on_loop,
                 [this](const rest::Request& request) { return reply(request); },
                 "",
                 {.body_max = 16 << 20}});
    }
    auto server =
        rest::Server::make({*loop_, workers, anybody, metrics}, table, {rest::ListenerOptions{}});
    CHECK_THAT(server.has_value());
    port_ = (*server)->port();
    ready.set_value();
    CHECK_THAT(loop_->run().has_value());
  });
  ready.get_future().wait();
}

FakeHttp::~FakeHttp() {
  loop_->stop();
  thread_.join();
}

std::vector<std::string> FakeHttp::asked() const {
  const std::lock_guard lock(mutex_);
  return asked_;
}

std::vector<std::string> FakeHttp::complaints() const {
  const std::lock_guard lock(mutex_);
  return complaints_;
}

base::Error FakeHttp::complain(const std::string& why) {
  const std::lock_guard lock(mutex_);
  complaints_.push_back(why);
  return base::Error{base::Code::invalid_argument, "fake " + what_ + ": " + why, "field_invalid"};
}

void FakeHttp::set_away(bool away) {
  const std::lock_guard lock(mutex_);
  away_ = away;
}

base::Result<rest::Response> FakeHttp::reply(const rest::Request& request) {
  {
    const std::lock_guard lock(mutex_);
    std::string line = std::string(rest::method_name(request.method)) + " " + request.path;
    for (std::size_t i = 0; i < request.query.size(); ++i)
      line += (i == 0 ? "?" : "&") + request.query[i].first + "=" + request.query[i].second;
    asked_.push_back(line);
    if (away_) {
      rest::Response response = rest::Response::text("away");
      response.status = 503;
      return response;
    }
  }
  auto response = answer_(request);
  if (!response) return response;
  response->headers["X-Fake"] = what_;
  return response;
}

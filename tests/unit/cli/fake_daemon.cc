// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/cli/fake_daemon.h"

#include <future>
#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"

namespace {

class RootOnly final : public rest::Authenticator {
 public:
  base::Result<rest::Principal> authenticate(const rest::Credentials&) override {
    return rest::Principal{"uid:0", {"*"}};
  }
};

}  // namespace

FakeDaemon::FakeDaemon(const std::filesystem::path& socket) {
  std::promise<void> ready;
  thread_ = std::thread([this, &ready, socket] {
    auto loop = sys::EventLoop::make();
    CHECK_THAT(loop.has_value());
    loop_ = *std::move(loop);
    sys::WorkerPool workers({.threads = 1});
    rest::Metrics metrics;
    RootOnly authenticator;
    rest::RouteTable table;
    for (const auto method : {rest::Method::get, rest::Method::post, rest::Method::put,
                              rest::Method::patch, rest::Method::del}) {
      table.add({method,
                 "/{rest...}",
                 rest::Scope("any:thing"),
                 rest::Run::on_loop,
                 [this](const rest::Request& request) { return reply(request); },
                 "",
                 {}});
    }
    auto server = rest::Server::make({*loop_, workers, authenticator, metrics}, table,
                                     {{.unix_path = socket.string()}});
    CHECK_THAT(server.has_value());
    ready.set_value();
    CHECK_THAT(loop_->run().has_value());
    held_.clear();
  });
  ready.get_future().wait();
}

FakeDaemon::~FakeDaemon() {
  loop_->stop();
  thread_.join();
}

void FakeDaemon::answer(const std::string& what, const std::string& body, int status) {
  const std::lock_guard lock(mutex_);
  canned_.push_back({what, body, status, false, AtEnd::close});
}

void FakeDaemon::stream(const std::string& path, const std::string& events, AtEnd at_end) {
  const std::lock_guard lock(mutex_);
  canned_.push_back({"GET " + path, events, 200, true, at_end});
}

std::vector<std::string> FakeDaemon::asked() const {
  const std::lock_guard lock(mutex_);
  return asked_;
}

base::Result<rest::Response> FakeDaemon::reply(const rest::Request& request) {
  const std::lock_guard lock(mutex_);
  const std::string what = std::string(rest::method_name(request.method)) + " " + request.path;
  std::string line = what;
  for (const auto& [name, value] : request.query) {
    line += (line == what ? "?" : "&") + name + "=" + value;
  }
  if (!request.body.empty()) line += " " + request.body;
  if (request.path != "/health") asked_.push_back(line);
  std::size_t fitting = 0;
  for (const Canned& canned : canned_) fitting += canned.what == what ? 1 : 0;
  for (std::size_t i = 0; i < canned_.size(); ++i) {
    if (canned_[i].what != what) continue;
    const Canned canned = canned_[i];
    if (fitting > 1) canned_.erase(canned_.begin() + static_cast<std::ptrdiff_t>(i));
    if (canned.is_stream) return open_stream(canned);
    rest::Response response;
    response.status = canned.status;
    response.headers["Content-Type"] = "application/json";
    response.body = canned.body;
    return response;
  }
  return base::Error{base::Code::not_found, "nothing canned for " + what, "route_unknown"};
}

rest::Response FakeDaemon::open_stream(const Canned& canned) {
  auto stream = std::make_shared<rest::ByteStream>();
  stream->write(canned.body);
  if (canned.at_end == AtEnd::close) {
    stream->finish();
  } else {
    held_.push_back(stream);
  }
  return rest::Response::event_stream(stream);
}

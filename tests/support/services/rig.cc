// SPDX-License-Identifier: Apache-2.0
#include "tests/support/services/rig.h"

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "tests/support/run_loop.h"

namespace services::test {

Rig::Rig(std::vector<std::unique_ptr<Service>> services, std::unique_ptr<store::Store> store,
         HostOptions options, const std::string& state_folder)
    : store_(std::move(store)) {
  auto loop = sys::EventLoop::make();
  CHECK_OK(loop);
  loop_ = *std::move(loop);
  timers_ = std::make_unique<sys::LoopTimers>(*loop_);
  if (!store_) store_ = store::make_memory({.collections = collections_of(services)});
  store_ = std::make_unique<WatchedStore>(std::move(store_));
  workers_ = std::make_unique<sys::WorkerPool>(sys::WorkerPool::Limits{.threads = 4});
  auto host =
      RunningHost::make({*store_, base::system_clock(), base::system_rng(), *timers_, *workers_,
                         metrics_, state_folder.empty() ? folder_.path().string() : state_folder,
                         [this](std::function<void()> work) { loop_->post(std::move(work)); }},
                        std::move(services), std::move(options));
  CHECK_OK(host);
  host_ = *std::move(host);
  replies_ = std::make_unique<ReplyCheck>(*host_);
  host_->provide(static_cast<Identity&>(security));
  host_->provide(static_cast<Renewal&>(security));
  host_->provide(static_cast<Orgs&>(security));
  host_->provide(Access::Kind::right, security);
  host_->provide(Access::Kind::entitlement, security);
  CHECK_OK(host_->start());
}

Rig::~Rig() {
  host_->stop();
  workers_.reset();
  host_.reset();
}

rest::Response Rig::send(const std::string& line, const Sent& sent) {
  rest::Request request;
  const std::size_t space = line.find(' ');
  const std::size_t question = line.find('?');
  for (const rest::Method each : {rest::Method::get, rest::Method::post, rest::Method::put,
                                  rest::Method::patch, rest::Method::del}) {
    if (rest::method_name(each) == line.substr(0, space)) request.method = each;
  }
  request.path =
      line.substr(space + 1, question == std::string::npos ? question : question - space - 1);
  if (question != std::string::npos) {
    auto query = rest::parse_query(line.substr(question + 1));
    CHECK_OK(query);
    request.query = *std::move(query);
  }
  request.headers = sent.headers;
  if (!sent.as.empty()) request.headers["authorization"] = "Bearer " + sent.as;
  request.body = sent.body;
  request.id = "test";
  return replies_->send(request);
}

base::Json Rig::json(const std::string& line, const Sent& sent) {
  return base::Json::parse(send(line, sent).body, nullptr, false);
}

void Rig::until(const std::function<bool()>& done) { test_support::run_until(*loop_, done); }
void Rig::drain() { CHECK_OK(host_->drain()); }

}  // namespace services::test

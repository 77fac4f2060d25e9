// SPDX-License-Identifier: Apache-2.0
// The rig's host behind the real HTTP server, on a loopback port of its own.
#pragma once

#include <future>
#include <memory>
#include <string>
#include <thread>

#include "common/rest/server.h"
#include "tests/unit/services/security/rig.h"

class HttpFront {
 public:
  explicit HttpFront(services::RunningHost& host) {
    std::promise<std::uint16_t> ready;
    thread_ = std::thread([this, &ready, &host] {
      auto loop = sys::EventLoop::make();
      CHECK_THAT(loop.has_value());
      loop_ = *std::move(loop);
      sys::WorkerPool workers({.threads = 2});
      rest::Metrics metrics;
      NobodyKnown authenticator;
      auto server = rest::Server::make({*loop_, workers, authenticator, metrics}, host.table(),
                                       {{.address = "127.0.0.1", .port = 0}});
      CHECK_THAT(server.has_value());
      ready.set_value((*server)->port());
      CHECK_THAT(loop_->run().has_value());
    });
    port_ = ready.get_future().get();
  }
  ~HttpFront() {
    loop_->stop();
    thread_.join();
  }
  HttpFront(const HttpFront&) = delete;
  HttpFront& operator=(const HttpFront&) = delete;
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/security"; }

 private:
  // Lets everybody through to the pipeline, as the daemon's front does: who calls is the Identity
  // stage's affair.
  class NobodyKnown final : public rest::Authenticator {
   public:
    base::Result<rest::Principal> authenticate(const rest::Credentials&) override {
      return rest::Principal{"anonymous", {"services:call"}};
    }
  };
  std::uint16_t port_ = 0;
  // Made by the thread; ends here, since who stops a loop still uses it.
  std::unique_ptr<sys::EventLoop> loop_;
  std::thread thread_;
};

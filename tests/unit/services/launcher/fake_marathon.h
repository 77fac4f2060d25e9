// SPDX-License-Identifier: Apache-2.0
// A Marathon in a few lines, for what a real one (tests/contract/marathon_adapter_test.cc) cannot
// be made to do on demand: how many instances run is what the test says.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/http/fake_http.h"

class FakeMarathon {
 public:
  std::string url() const { return fake_.url(); }
  void set_away(bool away) { fake_.set_away(away); }
  std::vector<std::string> complaints() const { return fake_.complaints(); }
  // How many changes it has taken.
  int changes() const {
    const std::lock_guard lock(mutex_);
    return changes_;
  }
  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return apps_.size();
  }
  base::Json app(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = apps_.find(id);
    return found == apps_.end() ? base::Json() : found->second;
  }
  // As many instances of everything run as shall, or this many.
  void run(int instances) {
    const std::lock_guard lock(mutex_);
    running_ = instances;
  }
  // What the next change answers instead.
  void refuse(int status) {
    const std::lock_guard lock(mutex_);
    refused_ = status;
  }

 private:
  base::Result<rest::Response> answer(const rest::Request& request) {
    const std::lock_guard lock(mutex_);
    if (request.path == "/v2/info")
      return rest::Response::json({{"name", "marathon"}, {"version", "1.11.0"}});
    if (request.path == "/v2/deployments") return rest::Response::json(base::Json::array());
    if (!request.path.starts_with("/v2/apps/")) return fake_.complain("no such path");
    const std::string id = request.path.substr(8);
    if (request.method == rest::Method::get) return show(id);
    if (refused_ != 0) {
      const int status = std::exchange(refused_, 0);
      return rest::Response::json({{"message", "refused"}}, status);
    }
    ++changes_;
    if (request.method == rest::Method::del) {
      if (apps_.erase(id) == 0)
        return base::Error{base::Code::not_found, "no app", "resource_unknown"};
    } else if (request.method == rest::Method::put) {
      base::Json& app = apps_.emplace(id, base::Json::object()).first->second;
      app.merge_patch(base::Json::parse(request.body));
    } else {
      return fake_.complain("no such method");
    }
    return rest::Response::json({{"deploymentId", "d"}});
  }
  base::Result<rest::Response> show(const std::string& id) {
    const auto found = apps_.find(id);
    if (found == apps_.end())
      return base::Error{base::Code::not_found, "no app", "resource_unknown"};
    base::Json app = found->second;
    const int wanted = app.value("instances", 0);
    const int running = running_ < 0 ? wanted : std::min(wanted, running_);
    app["tasksRunning"] = running;
    app["id"] = id;
    app["deployments"] = base::Json::array();
    if (running < wanted) app["deployments"].push_back({{"id", "deployment-1"}});
    app["tasks"] = base::Json::array();
    for (int i = 0; i < running; ++i)
      app["tasks"].push_back({{"id", "t" + std::to_string(i)}, {"host", "10.0.0.1"}});
    return rest::Response::json({{"app", app}});
  }

  mutable std::mutex mutex_;
  std::map<std::string, base::Json> apps_;
  int running_ = -1;
  int refused_ = 0;
  int changes_ = 0;
  FakeHttp fake_{"marathon", [this](const rest::Request& request) { return answer(request); }};
};

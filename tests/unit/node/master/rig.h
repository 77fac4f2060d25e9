// SPDX-License-Identifier: Apache-2.0
// masterd without its daemon frame: the real service, router and coordination tree, and nodes whose
// agents do at once what they are told. Dropped and made anew over the same folder it is a
// restarted masterd.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "node/master/routes.h"
#include "tests/support/run_loop.h"
#include "tests/support/temp_folder.h"

namespace master_test {

using Query = std::vector<std::pair<std::string, std::string>>;

class Master {
 public:
  explicit Master(const TempFolder& folder);
  // The service first: its workers use what the others are.
  ~Master() { service.reset(); }

  // What start() answered; the service is null when it failed.
  base::Result<void> started = {};
  std::unique_ptr<node::master::MasterService> service;

  void add_node(const std::string& name, double cpus = 100);
  // Lets the agents work until nothing changes any more.
  void settle();
  // Lets the agents work until `done`, which must not ask the routes.
  void wait_for(const std::function<bool(const node::master::Scheduler&)>& done);

  // Through the table, on another thread where the row says so. The path may have a query.
  rest::Response ask(rest::Method method, const std::string& target, const std::string& body = "",
                     const std::string& accept = "");
  // The body of a reply with this status; fails the test for another one.
  base::Json json(int status, rest::Method method, const std::string& target,
                  const std::string& body = "");

  sys::EventLoop& loop() { return *loop_; }
  coordination::Coordination& tree() { return *tree_; }
  rest::RouteTable& table() { return table_; }

 private:
  bool report_all();

  std::unique_ptr<sys::EventLoop> loop_;
  std::unique_ptr<coordination::Coordination> tree_;
  rest::Metrics metrics_;
  rest::RouteTable table_;
  struct Agent {
    std::int64_t sequence = 0;
    std::string reported;  // the last report without its number
  };
  std::map<std::string, Agent> agents_;
};

}  // namespace master_test

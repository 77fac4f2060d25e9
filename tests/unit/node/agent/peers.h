// SPDX-License-Identifier: Apache-2.0
// netfwd and masterd as the agent sees them: real HTTP servers on unix sockets that read every body
// with the readers of those daemons and note what they were sent. Also gestalt-dfs-meta's volumes,
// as far as the agent asks for them; the real one is in tests/system/volumes_test.py.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/rest/server.h"
#include "common/sys/event_loop.h"
#include "common/sys/http_client.h"
#include "node/api/status.h"
#include "tests/support/run_loop.h"
#include "tests/support/temp_folder.h"

namespace agent_test {

class Peers {
 public:
  Peers(sys::EventLoop& loop, sys::WorkerPool& workers, const TempFolder& folder);

  std::string master_socket() const;
  std::string netfw_socket() const;
  std::string dfs_socket() const;
  void start();  // both
  void stop();

  // "PUT web.1 healthy 3001", "DELETE web.1", "DRAIN web.1 5000", "ALL web.1=healthy".
  std::vector<std::string> netfw_calls;
  std::vector<node::api::StatusReport> reports;
  std::map<std::string, std::int64_t> volumes;  // of the file system, with their quotas
  std::string volume_owner;                     // "UID:GID" of the last one made
  int dfs_status = 200;
  // Set: the next replies of that daemon.
  int master_status = 200;
  int netfw_status = 200;

  bool has_netfw_call(const std::string& text) const;
  // The newest report of the instance, nullptr when there is none.
  const node::api::InstanceStatus* last(const std::string& id) const;

 private:
  base::Result<rest::Response> take_report(const rest::Request& request);
  base::Result<rest::Response> take_instance(const rest::Request& request);
  base::Result<rest::Response> make_volume(const rest::Request& request);
  base::Result<rest::Response> change_volume(const rest::Request& request);
  base::Result<rest::Response> take_all(const rest::Request& request);
  void add(rest::Method method, const char* path,
           base::Result<rest::Response> (Peers::*handler)(const rest::Request&));

  sys::EventLoop& loop_;
  sys::WorkerPool& workers_;
  std::string folder_;
  rest::Metrics metrics_;
  rest::TokenFile tokens_;
  rest::RouteTable table_;
  std::unique_ptr<rest::Server> server_;
};

std::unique_ptr<sys::EventLoop> make_loop();
std::unique_ptr<sys::AsyncHttp> make_http(sys::EventLoop& loop);

using test_support::run_for;
using test_support::run_until;

}  // namespace agent_test

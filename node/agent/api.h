// SPDX-License-Identifier: Apache-2.0
// The agent's REST interface: nodes, instances, images, and the facade of a Mesos agent.
//
// The tables are in routes.cc and mesos_routes.cc. Handlers on the loop use the parts directly;
// those on workers ask the loop first (ask_loop).
// Threads: see each row.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "common/rest/http.h"
#include "common/rest/route.h"
#include "common/sys/event_loop.h"
#include "common/sys/handle.h"
#include "node/agent/config.h"
#include "node/agent/images.h"
#include "node/agent/log_follower.h"
#include "node/agent/supervisor.h"

namespace node::agent {

// A fetch that somebody asked for over REST.
struct Operation {
  std::string id;
  std::string reference;
  std::string state = "running";  // running, done, failed
  std::string message;
  std::string digest;
};

class Api {
 public:
  struct Parts {
    sys::EventLoop& loop;
    Supervisor& supervisor;
    Images& images;
    rest::Metrics& metrics;
    const Config& config;
    std::function<base::Json()> links;  // which daemons are connected
  };
  explicit Api(Parts parts);
  ~Api();

  base::Result<rest::Response> show_node(const rest::Request& request);
  base::Result<rest::Response> list_instances(const rest::Request& request);
  base::Result<rest::Response> show_instance(const rest::Request& request);
  base::Result<rest::Response> kill_instance(const rest::Request& request);
  base::Result<rest::Response> show_logs(const rest::Request& request);
  base::Result<rest::Response> list_images(const rest::Request& request);
  base::Result<rest::Response> pull_image(const rest::Request& request);
  base::Result<rest::Response> show_operation(const rest::Request& request);
  base::Result<rest::Response> remove_image(const rest::Request& request);
  base::Result<rest::Response> collect_images(const rest::Request& request);

  base::Result<rest::Response> mesos_state(const rest::Request& request);
  base::Result<rest::Response> mesos_statistics(const rest::Request& request);
  base::Result<rest::Response> mesos_statistics_of(const rest::Request& request);
  base::Result<rest::Response> mesos_containers(const rest::Request& request);
  base::Result<rest::Response> mesos_metrics(const rest::Request& request);
  base::Result<rest::Response> browse_files(const rest::Request& request);
  base::Result<rest::Response> read_file_piece(const rest::Request& request);
  base::Result<rest::Response> download_file(const rest::Request& request);

  base::Json health() const;

 private:
  // What the loop knows of an instance, for a worker.
  struct View {
    std::string id, executor, control_group, folder;
    api::RunResources resources;
    std::int64_t pid = 0;
    bool has_disk = false;  // its sandbox is seen from inside only
  };
  // Errors: unavailable loop_busy.
  base::Result<std::vector<View>> ask_loop(const std::string& only_id = "");
  struct Place {
    std::string sandbox;   // folder on the node
    std::string relative;  // below it
    std::string shown;     // as the caller named it
    sys::Fd holder = {};   // keeps a sandbox open that has no path on the node
  };
  base::Result<Place> find_place(const rest::Request& request);

  Parts parts_;
  std::list<Operation> operations_;  // newest last, bounded
  std::uint64_t operation_next_ = 1;
  std::map<std::uint64_t, std::unique_ptr<LogFollower>> followers_;
  std::uint64_t follower_next_ = 0;
  std::shared_ptr<Api*> self_;
};

void add_routes(rest::RouteTable& table, Api& api);
void add_mesos_routes(rest::RouteTable& table, Api& api);
// Both tables without a service behind them.
void describe_routes(rest::RouteTable& table);

}  // namespace node::agent

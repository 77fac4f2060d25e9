// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/node/master/rig.h"

#include <future>

namespace master_test {

using base::Json;
using node::api::InstanceState;
using node::master::MasterService;
using rest::Method;
using rest::Request;
using rest::Response;
using test_support::run_until;

Master::Master(const TempFolder& folder)
    : loop_(UNWRAP(sys::EventLoop::make())),
      tree_(UNWRAP(coordination::open_local({.folder = folder.path()}))) {
  auto made =
      MasterService::start({*loop_, *tree_, base::system_clock(), base::system_rng(), metrics_},
                           {.netfw_socket = "", .agent_socket = folder / "agentd.sock"});
  if (!made) {
    started = made.error();
    return;
  }
  service = *std::move(made);
  node::master::add_routes(table_, service.get());
}

void Master::add_node(const std::string& name, double cpus) {
  node::api::Node node;
  node.name = name;
  node.address = "10.0.0." + std::to_string(agents_.size() + 1);
  node.resources = {cpus, std::int64_t{1} << 40, std::int64_t{1} << 40};
  agents_[name];
  const std::string path = node::api::place(node::api::kNodesPath, name);
  if (!UNWRAP(tree_->find(path))) CHECK_OK(tree_->create({path, node::api::encode(node)}));
  CHECK_OK(tree_->create(
      {node::api::place(node::api::kLivePath, name), "", coordination::Kind::ephemeral}));
  run_until(*loop_, [&] {
    const auto& nodes = service->scheduler().nodes();
    const auto found = nodes.find(name);
    return found != nodes.end() && found->second.live && found->second.known;
  });
}

// One report per node, when it differs from the last one. True when there was one.
bool Master::report_all() {
  bool any = false;
  for (auto& [name, agent] : agents_) {
    node::api::StatusReport report{"boot-1", 0, true, {}};
    for (const auto& wanted : service->scheduler().assignments(name).instances) {
      node::api::InstanceStatus status;
      status.id = wanted.id;
      status.epoch = wanted.epoch;
      status.ports = wanted.ports;
      status.address = "10.0.0.1";
      const bool runs = wanted.goal == node::api::Goal::running;
      status.state = runs ? InstanceState::running : InstanceState::killed;
      status.ready = runs;
      if (runs) status.healthy = true;
      report.instances.push_back(status);
    }
    const std::string text = base::dump_json(to_json(report));
    if (text == agent.reported) continue;
    agent.reported = text;
    report.sequence = ++agent.sequence;
    CHECK_OK(service->report(name, report));
    any = true;
  }
  return any;
}

void Master::settle() {
  run_until(*loop_, [&] { return !report_all() && service->is_idle(); });
}

void Master::wait_for(const std::function<bool(const node::master::Scheduler&)>& done) {
  run_until(*loop_, [&] {
    report_all();
    return done(service->scheduler());
  });
}

Response Master::ask(Method method, const std::string& target, const std::string& body,
                     const std::string& accept) {
  const std::size_t question = target.find('?');
  Request request;
  request.method = method;
  request.body = body;
  request.peer = "10.9.9.9:4711";
  request.id = "test";
  if (question != std::string::npos)
    request.query = UNWRAP(rest::parse_query(target.substr(question + 1)));
  if (!accept.empty()) request.headers["accept"] = accept;
  const auto match = UNWRAP(table_.match(method, target.substr(0, question)));
  request.path = match.path;
  for (const auto& [name, value] : match.parameters) request.path_parameters[name] = value;
  if (match.row->run == rest::Run::on_loop) return UNWRAP(match.row->handler(request));
  auto answer = std::async(std::launch::async, [&] { return match.row->handler(request); });
  run_until(*loop_,
            [&] { return answer.wait_for(std::chrono::seconds(0)) == std::future_status::ready; });
  return UNWRAP(answer.get());
}

Json Master::json(int status, Method method, const std::string& target, const std::string& body) {
  const Response response = ask(method, target, body);
  if (response.status != status)
    FAIL((target + ": " + std::to_string(response.status) + " " + response.body).c_str());
  if (response.body.empty()) return Json();
  return UNWRAP(base::parse_json(response.body));
}

}  // namespace master_test

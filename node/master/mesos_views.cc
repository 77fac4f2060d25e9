// SPDX-License-Identifier: Apache-2.0
// Mesos' master state as mesos-dns, Prometheus exporters and old dashboards read it.
#include <nlohmann/json.hpp>

#include "node/master/views.h"

namespace node::master {
namespace {

using base::Json;

constexpr double kBytesPerMib = 1024.0 * 1024.0;
constexpr const char* kVersion = "1.11.0";

double to_mib(std::int64_t bytes) { return static_cast<double>(bytes) / kBytesPerMib; }

// "[3001-3001, 3005-3005]", as Mesos writes ranges.
std::string port_ranges(const std::vector<std::uint16_t>& ports) {
  std::string text = "[";
  for (const std::uint16_t port : ports) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(port) + "-" + std::to_string(port);
  }
  return text + "]";
}

Json usage_json(const Usage& usage, const std::vector<std::uint16_t>& ports) {
  Json shown = {{"cpus", usage.cpus},
                {"mem", to_mib(usage.memory_bytes)},
                {"disk", to_mib(usage.disk_bytes)},
                {"gpus", 0}};
  if (!ports.empty()) shown["ports"] = port_ranges(ports);
  return shown;
}

Json resources_json(const api::Node& node) {
  return {{"cpus", node.resources.cpus},
          {"mem", to_mib(node.resources.memory_bytes)},
          {"disk", to_mib(node.resources.disk_bytes)},
          {"gpus", 0},
          {"ports",
           "[" + std::to_string(node.port_first) + "-" + std::to_string(node.port_last) + "]"}};
}

// "web.demo" for /demo/web, as Marathon names its tasks.
std::string task_name(const std::string& app) {
  std::string name;
  for (std::string rest = app; rest != "/"; rest = parent_of(rest)) {
    if (!name.empty()) name += ".";
    name += rest.substr(rest.rfind('/') + 1);
  }
  return name;
}

Json discovery_json(const Instance& instance, const App* app) {
  Json ports = Json::array();
  for (std::size_t i = 0; app != nullptr && i < instance.ports.size(); ++i) {
    const bool known = i < app->ports.size();
    Json port = {{"number", instance.ports[i]},
                 {"protocol", known ? app->ports[i].protocol : "tcp"}};
    if (known && !app->ports[i].name.empty()) port["name"] = app->ports[i].name;
    ports.push_back(std::move(port));
  }
  return {{"name", task_name(instance.app)},
          {"visibility", "FRAMEWORK"},
          {"ports", {{"ports", std::move(ports)}}}};
}

Json task_status(const Instance& instance) {
  const std::string& address = instance.status.address;
  Json status = {
      {"state", task_state(instance)},
      {"timestamp", 0},
      {"container_status",
       {{"network_infos", Json::array({{{"ip_addresses", Json::array({{{"ip_address", address},
                                                                       {"protocol", "IPv4"}}})},
                                        {"ip_address", address}}})}}}};
  if (instance.status.healthy) status["healthy"] = *instance.status.healthy;
  return status;
}

Json mesos_slave(const MesosNode& node) {
  const std::string host = node.info.address.empty() ? node.info.name : node.info.address;
  Json attributes = Json::object();
  for (const auto& [name, value] : node.info.attributes) attributes[name] = value;
  attributes["zone"] = api::zone_word(node.info.zone);
  return {{"id", node.info.name},
          {"hostname", host},
          {"pid", "slave(1)@" + host + ":5051"},
          {"port", 5051},
          {"active", node.live},
          {"attributes", std::move(attributes)},
          {"resources", resources_json(node.info)},
          {"used_resources", usage_json(node.used, {})},
          {"version", kVersion}};
}

Usage total_usage(const MesosView& view) {
  Usage usage;
  for (const MesosNode& node : view.nodes) {
    usage.cpus += node.used.cpus;
    usage.memory_bytes += node.used.memory_bytes;
    usage.disk_bytes += node.used.disk_bytes;
  }
  return usage;
}

Json framework(const MesosView& view) {
  return {{"id", view.identity.framework_id},
          {"name", "marathon"},
          {"active", true},
          {"connected", true},
          {"hostname", view.identity.address},
          {"webui_url", "http://" + view.identity.address + ":8080"},
          {"role", "*"},
          {"used_resources", usage_json(total_usage(view), {})},
          {"completed_tasks", Json::array()}};
}

std::string framework_text(const MesosView& view, MesosTasks& tasks) {
  std::string text = base::dump_json(framework(view));
  text = with_member(std::move(text), "tasks", tasks.reachable.take());
  return "[" + with_member(std::move(text), "unreachable_tasks", tasks.unreachable.take()) + "]";
}

std::size_t live_nodes(const MesosView& view) {
  return static_cast<std::size_t>(std::count_if(view.nodes.begin(), view.nodes.end(),
                                                [](const MesosNode& node) { return node.live; }));
}

Json head(const MesosView& view) {
  const MesosIdentity& identity = view.identity;
  const std::string at = identity.address + ":" + std::to_string(identity.port);
  const std::size_t live = live_nodes(view);
  return {{"version", kVersion},
          {"cluster", "gestalt"},
          {"hostname", identity.address},
          {"id", identity.framework_id},
          {"pid", "master@" + at},
          {"leader", "master@" + at},
          {"leader_info",
           {{"hostname", identity.address},
            {"id", identity.framework_id},
            {"pid", "master@" + at},
            {"port", identity.port}}},
          {"activated_slaves", live},
          {"deactivated_slaves", view.nodes.size() - live}};
}

}  // namespace

MesosView look_at_mesos(const Scheduler& scheduler, MesosIdentity identity) {
  MesosView view{std::move(identity), {}, {}};
  for (const auto& [name, node] : scheduler.nodes())
    view.nodes.push_back({node.info, node.known, node.live, node.used});
  for (const auto& [id, instance] : scheduler.instances()) ++view.states[task_state(instance)];
  return view;
}

Json mesos_task(const Instance& instance, const App* app, const MesosIdentity& identity) {
  return {{"id", instance.id.text()},
          {"name", task_name(instance.app)},
          {"framework_id", identity.framework_id},
          {"executor_id", ""},
          {"slave_id", instance.node},
          {"state", task_state(instance)},
          {"resources", usage_json(instance.usage, instance.ports)},
          {"statuses", Json::array({task_status(instance)})},
          {"discovery", discovery_json(instance, app)},
          {"labels", Json::array()}};
}

void MesosTasks::add(const Instance& instance, const App* app, const MesosIdentity& identity) {
  (instance.unreachable ? unreachable : reachable).add(mesos_task(instance, app, identity));
}

Json mesos_slaves(const MesosView& view) {
  Json list = Json::array();
  for (const MesosNode& node : view.nodes) {
    if (node.known) list.push_back(mesos_slave(node));
  }
  return {{"slaves", std::move(list)}, {"recovered_slaves", Json::array()}};
}

std::string mesos_state(const MesosView& view, MesosTasks& tasks) {
  Json state = head(view);
  state["slaves"] = mesos_slaves(view)["slaves"];
  state["completed_frameworks"] = Json::array();
  state["orphan_tasks"] = Json::array();
  state["unregistered_frameworks"] = Json::array();
  state["flags"] = Json::object();
  return with_member(base::dump_json(state), "frameworks", framework_text(view, tasks));
}

Json mesos_summary(const MesosView& view) {
  Json state = head(view);
  state["slaves"] = mesos_slaves(view)["slaves"];
  Json shown = framework(view);
  shown["unreachable_tasks"] = Json::array();
  for (const auto& [name, count] : view.states) shown[name] = count;
  state["frameworks"] = Json::array({std::move(shown)});
  return state;
}

std::string mesos_frameworks(const MesosView& view, MesosTasks& tasks) {
  const Json rest = {{"completed_frameworks", Json::array()},
                     {"unregistered_frameworks", Json::array()}};
  return with_member(base::dump_json(rest), "frameworks", framework_text(view, tasks));
}

Json mesos_metrics(const MesosView& view) {
  const Usage used = total_usage(view);
  double cpus = 0;
  double mem = 0;
  for (const MesosNode& node : view.nodes) {
    if (!node.live) continue;
    cpus += node.info.resources.cpus;
    mem += to_mib(node.info.resources.memory_bytes);
  }
  const auto share = [](double part, double whole) { return whole > 0 ? part / whole : 0.0; };
  const auto tasks = [&view](const char* state) {
    const auto found = view.states.find(state);
    return found == view.states.end() ? 0 : found->second;
  };
  const std::size_t live = live_nodes(view);
  return {{"master/elected", 1},
          {"master/slaves_active", live},
          {"master/slaves_connected", live},
          {"master/slaves_inactive", view.nodes.size() - live},
          {"master/frameworks_active", 1},
          {"master/cpus_total", cpus},
          {"master/cpus_used", used.cpus},
          {"master/cpus_percent", share(used.cpus, cpus)},
          {"master/mem_total", mem},
          {"master/mem_used", to_mib(used.memory_bytes)},
          {"master/mem_percent", share(to_mib(used.memory_bytes), mem)},
          {"master/tasks_running", tasks("TASK_RUNNING")},
          {"master/tasks_staging", tasks("TASK_STAGING")},
          {"master/tasks_starting", tasks("TASK_STARTING")},
          {"master/tasks_killing", tasks("TASK_KILLING")},
          {"master/tasks_unreachable", tasks("TASK_UNREACHABLE")}};
}

}  // namespace node::master

// SPDX-License-Identifier: Apache-2.0
// Mesos' master state as mesos-dns, Prometheus exporters and old dashboards read it.
#include <nlohmann/json.hpp>

#include "node/master/views.h"

namespace node::master {
namespace {

using base::Json;

constexpr double kMib = 1024.0 * 1024.0;
constexpr const char* kVersion = "1.11.0";

double to_mib(std::int64_t bytes) { return static_cast<double>(bytes) / kMib; }

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

Json discovery_json(const Scheduler& scheduler, const Instance& instance) {
  Json ports = Json::array();
  const AppState* app = scheduler.find_app(instance.app);
  for (std::size_t i = 0; app != nullptr && i < instance.ports.size(); ++i) {
    const bool known = i < app->current->ports.size();
    Json port = {{"number", instance.ports[i]},
                 {"protocol", known ? app->current->ports[i].protocol : "tcp"}};
    if (known && !app->current->ports[i].name.empty()) port["name"] = app->current->ports[i].name;
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

Json mesos_task(const Scheduler& scheduler, const Instance& instance,
                const MesosIdentity& identity) {
  return {{"id", instance.id.text()},
          {"name", task_name(instance.app)},
          {"framework_id", identity.framework_id},
          {"executor_id", ""},
          {"slave_id", instance.node},
          {"state", task_state(instance)},
          {"resources", usage_json(instance.usage, instance.ports)},
          {"statuses", Json::array({task_status(instance)})},
          {"discovery", discovery_json(scheduler, instance)},
          {"labels", Json::array()}};
}

Json mesos_slave(const NodeState& node) {
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

Usage total_usage(const Scheduler& scheduler) {
  Usage usage;
  for (const auto& [name, node] : scheduler.nodes()) {
    usage.cpus += node.used.cpus;
    usage.memory_bytes += node.used.memory_bytes;
    usage.disk_bytes += node.used.disk_bytes;
  }
  return usage;
}

Json framework(const Scheduler& scheduler, const MesosIdentity& identity, bool with_tasks) {
  Json shown = {{"id", identity.framework_id},
                {"name", "marathon"},
                {"active", true},
                {"connected", true},
                {"hostname", identity.address},
                {"webui_url", "http://" + identity.address + ":8080"},
                {"role", "*"},
                {"used_resources", usage_json(total_usage(scheduler), {})},
                {"completed_tasks", Json::array()},
                {"unreachable_tasks", Json::array()}};
  if (!with_tasks) return shown;
  shown["tasks"] = Json::array();
  for (const auto& [id, instance] : scheduler.instances()) {
    const char* list = instance.unreachable ? "unreachable_tasks" : "tasks";
    shown[list].push_back(mesos_task(scheduler, instance, identity));
  }
  return shown;
}

std::size_t live_nodes(const Scheduler& scheduler) {
  std::size_t count = 0;
  for (const auto& [name, node] : scheduler.nodes()) count += node.live ? 1 : 0;
  return count;
}

Json head(const Scheduler& scheduler, const MesosIdentity& identity) {
  const std::string at = identity.address + ":" + std::to_string(identity.port);
  const std::size_t live = live_nodes(scheduler);
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
          {"deactivated_slaves", scheduler.nodes().size() - live}};
}

}  // namespace

base::Json mesos_slaves(const Scheduler& scheduler) {
  Json list = Json::array();
  for (const auto& [name, node] : scheduler.nodes()) {
    if (node.known) list.push_back(mesos_slave(node));
  }
  return {{"slaves", std::move(list)}, {"recovered_slaves", Json::array()}};
}

base::Json mesos_state(const Scheduler& scheduler, const MesosIdentity& identity) {
  Json state = head(scheduler, identity);
  state["slaves"] = mesos_slaves(scheduler)["slaves"];
  state["frameworks"] = Json::array({framework(scheduler, identity, true)});
  state["completed_frameworks"] = Json::array();
  state["orphan_tasks"] = Json::array();
  state["unregistered_frameworks"] = Json::array();
  state["flags"] = Json::object();
  return state;
}

base::Json mesos_summary(const Scheduler& scheduler, const MesosIdentity& identity) {
  Json state = head(scheduler, identity);
  state["slaves"] = mesos_slaves(scheduler)["slaves"];
  Json shown = framework(scheduler, identity, false);
  std::map<std::string, int> states;
  for (const auto& [id, instance] : scheduler.instances()) ++states[task_state(instance)];
  for (const auto& [name, count] : states) shown[name] = count;
  state["frameworks"] = Json::array({std::move(shown)});
  return state;
}

base::Json mesos_tasks(const Scheduler& scheduler, const MesosIdentity& identity) {
  Json list = Json::array();
  for (const auto& [id, instance] : scheduler.instances())
    list.push_back(mesos_task(scheduler, instance, identity));
  return {{"tasks", std::move(list)}};
}

base::Json mesos_frameworks(const Scheduler& scheduler, const MesosIdentity& identity) {
  return {{"frameworks", Json::array({framework(scheduler, identity, true)})},
          {"completed_frameworks", Json::array()},
          {"unregistered_frameworks", Json::array()}};
}

base::Json mesos_metrics(const Scheduler& scheduler) {
  const Usage used = total_usage(scheduler);
  double cpus = 0;
  double mem = 0;
  for (const auto& [name, node] : scheduler.nodes()) {
    if (!node.live) continue;
    cpus += node.info.resources.cpus;
    mem += to_mib(node.info.resources.memory_bytes);
  }
  std::map<std::string, int> states;
  for (const auto& [id, instance] : scheduler.instances()) ++states[task_state(instance)];
  const auto share = [](double part, double whole) { return whole > 0 ? part / whole : 0.0; };
  const std::size_t live = live_nodes(scheduler);
  return {{"master/elected", 1},
          {"master/slaves_active", live},
          {"master/slaves_connected", live},
          {"master/slaves_inactive", scheduler.nodes().size() - live},
          {"master/frameworks_active", 1},
          {"master/cpus_total", cpus},
          {"master/cpus_used", used.cpus},
          {"master/cpus_percent", share(used.cpus, cpus)},
          {"master/mem_total", mem},
          {"master/mem_used", to_mib(used.memory_bytes)},
          {"master/mem_percent", share(to_mib(used.memory_bytes), mem)},
          {"master/tasks_running", states["TASK_RUNNING"]},
          {"master/tasks_staging", states["TASK_STAGING"]},
          {"master/tasks_starting", states["TASK_STARTING"]},
          {"master/tasks_killing", states["TASK_KILLING"]},
          {"master/tasks_unreachable", states["TASK_UNREACHABLE"]}};
}

}  // namespace node::master

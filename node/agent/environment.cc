// SPDX-License-Identifier: Apache-2.0
#include "node/agent/environment.h"

#include <cstdio>

namespace node::agent {

namespace {

constexpr double kMebibyte = 1 << 20;

std::string number(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

std::string upper_name(const std::string& name) {
  std::string out;
  for (const char c : name) {
    const bool lower = c >= 'a' && c <= 'z';
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    out += lower ? static_cast<char>(c - 'a' + 'A') : plain ? c : '_';
  }
  return out;
}

void add_ports(const Record& record, Environment& out) {
  std::string all;
  const auto& ports = record.status.ports;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const std::string port = std::to_string(ports[i]);
    out["PORT" + std::to_string(i)] = port;
    all += (i == 0 ? "" : ",") + port;
    if (i >= record.spec->ports.size()) continue;
    const api::PortSpec& spec = record.spec->ports[i];
    if (!spec.name.empty()) out["PORT_" + upper_name(spec.name)] = port;
    if (spec.container_port != 0) out["PORT_" + std::to_string(spec.container_port)] = port;
  }
  if (ports.empty()) return;
  out["PORT"] = std::to_string(ports[0]);
  out["PORTS"] = all;
}

}  // namespace

Environment make_environment(const Record& record, const std::string& sandbox,
                             const std::vector<std::string>& base) {
  Environment out;
  out["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  for (const std::string& line : base) {
    const std::size_t equals = line.find('=');
    if (equals != std::string::npos && equals > 0) {
      out[line.substr(0, equals)] = line.substr(equals + 1);
    }
  }
  const api::RunSpec& spec = *record.spec;
  out["HOST"] = record.status.address;
  out["MESOS_TASK_ID"] = record.status.id.text();
  out["MESOS_SANDBOX"] = sandbox;
  out["MARATHON_APP_ID"] = spec.app;
  out["MARATHON_APP_VERSION"] = spec.version;
  out["MARATHON_APP_RESOURCE_CPUS"] = number(spec.resources.cpus);
  out["MARATHON_APP_RESOURCE_MEM"] =
      number(static_cast<double>(spec.resources.memory_bytes) / kMebibyte);
  out["MARATHON_APP_RESOURCE_DISK"] =
      number(static_cast<double>(spec.resources.disk_bytes) / kMebibyte);
  if (!spec.image.empty()) out["MARATHON_APP_DOCKER_IMAGE"] = spec.image;
  add_ports(record, out);
  for (const auto& [name, value] : spec.environment) out[name] = value;
  return out;
}

std::vector<std::string> to_lines(const Environment& environment) {
  std::vector<std::string> out;
  out.reserve(environment.size());
  for (const auto& [name, value] : environment) out.push_back(name + "=" + value);
  return out;
}

}  // namespace node::agent

// SPDX-License-Identifier: Apache-2.0
#include "node/master/run_spec_of.h"

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "node/master/container_reader.h"

namespace node::master {
namespace {

using base::Json;

constexpr std::int64_t kVolumeUnit = 1 << 20;

std::string with_transport(const std::string& image) {
  for (const char* transport : {"docker://", "oci:", "oci-archive:"}) {
    if (image.starts_with(transport)) return image;
  }
  return "docker://" + image;
}

std::vector<std::string> shell(const std::string& command) { return {"/bin/sh", "-c", command}; }

// "my.label-1" → "MY_LABEL_1", as Marathon names label variables.
std::string variable_name(std::string_view text) {
  std::string name;
  for (const char c : text) {
    const bool fine = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || c == '_';
    const bool small = c >= 'a' && c <= 'z';
    name += small ? static_cast<char>(c - 'a' + 'A') : fine ? c : '_';
  }
  return name;
}

// What only the definition knows; the agent adds ports, host and ids. Marathon leaves out labels
// longer than 512 bytes.
std::map<std::string, std::string> make_environment(const App& app, const Json& document) {
  constexpr std::size_t kLabelMax = 512;
  std::map<std::string, std::string> environment;
  std::string labels;
  for (const auto& [name, value] : document.at("labels").items()) {
    const auto text = value.get<std::string>();
    if (name.size() > kLabelMax || text.size() > kLabelMax) continue;
    const std::string variable = variable_name(name);
    labels += (labels.empty() ? "" : " ") + variable;
    environment["MARATHON_APP_LABEL_" + variable] = text;
  }
  environment["MARATHON_APP_LABELS"] = labels;
  environment["MARATHON_APP_ID"] = app.id;
  environment["MARATHON_APP_VERSION"] = app.restart_version;
  environment["MARATHON_APP_RESOURCE_CPUS"] = document.at("cpus").dump();
  environment["MARATHON_APP_RESOURCE_MEM"] = document.at("mem").dump();
  environment["MARATHON_APP_RESOURCE_DISK"] = document.at("disk").dump();
  environment["MARATHON_APP_RESOURCE_GPUS"] = "0";
  for (const auto& [name, value] : document.at("env").items()) environment[name] = value;
  return environment;
}

api::CheckProtocol protocol_of(const std::string& name) {
  const std::string plain = name.starts_with("MESOS_") ? name.substr(6) : name;
  if (plain == "HTTPS") return api::CheckProtocol::https;
  if (plain == "TCP") return api::CheckProtocol::tcp;
  if (plain == "COMMAND") return api::CheckProtocol::command;
  return api::CheckProtocol::http;
}

api::HealthCheck make_health_check(const Json& check) {
  api::HealthCheck out;
  out.protocol = protocol_of(check.at("protocol"));
  out.path = check.value("path", "/");
  out.port_index = check.value("portIndex", 0);
  out.port = check.value("port", 0);
  if (check.contains("command")) out.argv = shell(check["command"]["value"]);
  out.grace_period = std::chrono::seconds(check.at("gracePeriodSeconds").get<int>());
  out.interval = std::chrono::seconds(check.at("intervalSeconds").get<int>());
  out.timeout = std::chrono::seconds(check.at("timeoutSeconds").get<int>());
  out.delay = std::chrono::seconds(check.at("delaySeconds").get<int>());
  out.max_consecutive_failures = check.at("maxConsecutiveFailures");
  out.ignore_http_1xx = check.value("ignoreHttp1xx", false);
  return out;
}

api::ReadinessCheck make_readiness_check(const Json& check) {
  api::ReadinessCheck out;
  out.name = check.at("name");
  out.protocol = protocol_of(check.at("protocol"));
  out.path = check.at("path");
  out.port_name = check.at("portName");
  out.interval = std::chrono::seconds(check.at("intervalSeconds").get<int>());
  out.timeout = std::chrono::seconds(check.at("timeoutSeconds").get<int>());
  out.http_status_codes_ready =
      check.at("httpStatusCodesForReady").get<std::vector<std::int64_t>>();
  out.preserve_last_response = check.at("preserveLastResponse");
  return out;
}

api::VolumeSpec make_volume(const App& app, int slot, const Json& volume) {
  api::VolumeSpec out;
  out.container_path = volume.at("containerPath");
  out.read_only = volume.at("mode") == "RO";
  if (volume.contains("hostPath")) {
    out.host_path = volume["hostPath"];
    return out;
  }
  const auto place = [&out] {
    if (out.container_path[0] != '/')
      out.container_path = "/mnt/mesos/sandbox/" + out.container_path;
  };
  if (volume.contains("external")) {
    out.persistent = volume["external"].at("name");
    out.size_bytes = volume["external"].at("size").get<std::int64_t>() * kVolumeUnit;
    out.shared = true;
    place();
    return out;
  }
  std::string name = app.id.substr(1) + "." + std::to_string(slot) + "." + out.container_path;
  for (char& c : name) {
    const bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '-';
    if (!fine) c = '_';
  }
  out.persistent = name.substr(0, 200);
  out.size_bytes = volume["persistent"].at("size").get<std::int64_t>() * kVolumeUnit;
  place();
  return out;
}

void apply_parameters(const Json& parameters, api::RunSpec& spec) {
  for (const Json& parameter : parameters) {
    const auto& key = parameter.at("key").get_ref<const std::string&>();
    const auto& value = parameter.at("value").get_ref<const std::string&>();
    if (key == kParameterInit) spec.init = value == "true";
    if (key == kParameterReadOnly) spec.read_only_root = value == "true";
    if (key == kParameterPids)
      spec.resources.pids_max = base::parse_int(value, 0, INT64_MAX).value_or(0);
  }
}

}  // namespace

api::RunSpec make_run_spec(const App& app, int slot) {
  const Json& document = *app.document;
  api::RunSpec spec;
  spec.app = app.id;
  spec.version = app.restart_version;
  const Json* container = document.contains("container") ? &document["container"] : nullptr;
  const bool image = container != nullptr && container->contains("docker");
  spec.kind = image ? api::RunKind::container : api::RunKind::process;
  if (image) {
    spec.image = with_transport((*container)["docker"]["image"]);
    spec.force_pull = (*container)["docker"]["forcePullImage"];
    apply_parameters((*container)["docker"]["parameters"], spec);
  }
  if (document.contains("cmd")) spec.argv = shell(document["cmd"]);
  if (document.contains("args")) spec.argv = document["args"].get<std::vector<std::string>>();
  const bool bridge = image && document["networks"][0]["mode"] == "container/bridge";
  if (bridge) spec.network = api::kBridgeNetwork;
  spec.user = document.value("user", "");
  spec.environment = make_environment(app, document);
  spec.resources.cpus = app.cpus;
  spec.resources.memory_bytes = app.memory_bytes;
  spec.resources.disk_bytes = app.disk_bytes;
  for (const PortSlot& port : app.ports)
    spec.ports.push_back({port.name, port.protocol, port.container_port});
  if (container != nullptr) {
    for (const Json& volume : (*container)["volumes"])
      spec.volumes.push_back(make_volume(app, slot, volume));
  }
  if (document.contains("healthChecks")) {
    for (const Json& check : document["healthChecks"])
      spec.health_checks.push_back(make_health_check(check));
  }
  if (document.contains("readinessChecks")) {
    for (const Json& check : document["readinessChecks"])
      spec.readiness_checks.push_back(make_readiness_check(check));
  }
  spec.kill_grace = std::chrono::seconds(document.value("taskKillGracePeriodSeconds", 3));
  return spec;
}

}  // namespace node::master

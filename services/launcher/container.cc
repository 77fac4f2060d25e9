// SPDX-License-Identifier: Apache-2.0
#include "services/launcher/container.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/sys/tls.h"
#include "services/launcher/adapters/marathon.h"

namespace services::launcher {

using base::Json;
using base::Result;

namespace {

constexpr std::size_t kPortsMax = 100;
constexpr std::size_t kChecksMax = 20;
constexpr std::size_t kSegmentMax = 40;
// Of the hash of a container's id: clients may choose ids, and must not be able to choose one that
// makes their container another's application.
constexpr std::size_t kIdDigits = 16;
constexpr std::size_t kVolumesMax = 50;

// What Marathon takes in a segment of an id: a-z 0-9 '-', and no '-' at an end.
std::string segment_of(std::string_view text) {
  std::string segment;
  for (const char c : base::lower(text)) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (is_plain) segment += c;
    if (!is_plain && !segment.empty() && segment.back() != '-') segment += '-';
  }
  segment = segment.substr(0, kSegmentMax);
  while (segment.ends_with('-')) segment.pop_back();
  return segment.empty() ? "x" : segment;
}

struct Port {
  std::string name;
  std::string protocol = "tcp";
  std::int64_t container_port = 0;
  std::int64_t host_port = 0;
  std::int64_t service_port = 0;
  bool is_exposed = false;
  std::vector<std::string> hosts;
};

Result<std::vector<Port>> read_ports(const Json* list, const std::string& pointer) {
  std::vector<Port> ports;
  if (list == nullptr) return ports;
  for (std::size_t i = 0; i < list->size(); ++i) {
    Port port;
    std::int64_t lb_port = 0;
    constexpr base::IntLimits kRange{.min = 0, .max = 65535};
    base::Fields fields((*list)[i], pointer + "/" + std::to_string(i));
    fields.optional("name", port.name, {.length_max = 63});
    fields.optional("protocol", port.protocol, {.length_max = 8});
    fields.optional("container_port", port.container_port, kRange);
    fields.optional("host_port", port.host_port, kRange);
    fields.optional("service_port", port.service_port, kRange);
    fields.optional("lb_port", lb_port, kRange);
    fields.optional("expose_endpoint", port.is_exposed);
    fields.optional("virtual_hosts", port.hosts, 32, {.length_min = 1, .length_max = 255});
    TRY(fields.finish(base::UnknownFields::ignore));
    if (port.service_port == 0) port.service_port = lb_port;
    port.protocol = base::lower(port.protocol);
    ports.push_back(std::move(port));
  }
  return ports;
}

// Numbers in seconds and a path or a command, under Marathon's names.
Result<Json> check_of(const Json& check, const std::string& pointer) {
  std::string protocol = "HTTP";
  std::string path;
  std::string command;
  std::int64_t grace = 300;
  std::int64_t interval = 60;
  std::int64_t timeout = 10;
  std::int64_t failures = 3;
  std::int64_t index = -1;
  std::int64_t port = -1;
  constexpr base::IntLimits kSeconds{.min = 0, .max = 86'400};
  base::Fields fields(check, pointer);
  fields.optional("protocol", protocol, {.length_min = 1, .length_max = 20});
  fields.optional("path", path);
  fields.optional("command", command);
  fields.optional("grace_period_seconds", grace, kSeconds);
  fields.optional("interval_seconds", interval, kSeconds);
  fields.optional("timeout_seconds", timeout, kSeconds);
  fields.optional("max_consecutive_failures", failures, {.min = 0, .max = 1000});
  fields.optional("port_index", index, {.min = 0, .max = 99});
  fields.optional("port", port, {.min = 1, .max = 65535});
  TRY(fields.finish(base::UnknownFields::ignore));
  Json made = {{"protocol", protocol},
               {"gracePeriodSeconds", grace},
               {"intervalSeconds", interval},
               {"timeoutSeconds", timeout},
               {"maxConsecutiveFailures", failures}};
  if (!command.empty()) made["command"] = {{"value", command}};
  if (!path.empty()) made["path"] = path;
  if (port > 0) {
    made["port"] = port;
  } else if (protocol != "COMMAND") {
    made["portIndex"] = std::max<std::int64_t>(index, 0);
  }
  return made;
}

// Each instance has one of its own. A folder of the node would be the node's, and another
// resource's volume is not ours to give.
Result<Json> volume_of(const Json& volume, const std::string& pointer) {
  std::string path;
  std::string older;
  std::string mode = "RW";
  std::int64_t size = 0;
  constexpr base::IntLimits kMib{.min = 1, .max = 1 << 30};
  base::Fields fields(volume, pointer);
  fields.optional("mount_path", path, {.length_max = 1024});
  fields.optional("container_path", older, {.length_max = 1024});
  fields.optional("mode", mode, {.length_max = 2});
  fields.optional("size", size, kMib);
  if (const Json* persistent = fields.find_object("persistent")) {
    base::Fields its(*persistent, fields.pointer_of("persistent"));
    its.optional("size", size, kMib);
    if (auto read = its.finish(base::UnknownFields::ignore); !read) fields.reject(read.error());
  }
  if (path.empty()) path = older;
  if (path.empty())
    fields.reject("mount_path", "where it is to be seen is missing", "field_missing");
  for (const char* name : {"host_path", "volume_id", "volume_resource"}) {
    if (fields.find(name) != nullptr)
      fields.reject(name, "is not available: give `size`, and each instance has its own volume");
  }
  if (size == 0) fields.reject("size", "its size in MiB is missing", "field_missing");
  TRY(fields.finish(base::UnknownFields::ignore));
  return Json{{"containerPath", path}, {"mode", mode}, {"persistent", {{"size", size}}}};
}

// A container's own network, or that of its node.
bool is_bridged(const std::string& network) {
  const std::string name = base::lower(network);
  return name == "bridge" || name == "container/bridge" || name == "gestalt";
}

void add_ports(Json& app, Json& container, const std::vector<Port>& ports, bool bridged) {
  Json list = Json::array();
  for (const Port& port : ports) {
    Json made = {{"protocol", port.protocol}};
    if (!port.name.empty()) made["name"] = port.name;
    if (bridged) {
      made["containerPort"] = port.container_port;
      made["hostPort"] = port.host_port;
      made["servicePort"] = port.service_port;
    } else {
      // Marathon calls the service port of an application on its node's network `port`.
      made["port"] = port.service_port;
    }
    list.push_back(std::move(made));
  }
  if (bridged) {
    container["portMappings"] = std::move(list);
  } else {
    app["portDefinitions"] = std::move(list);
  }
}

void add_exposure(Json& labels, const std::vector<Port>& ports) {
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (!ports[i].is_exposed) continue;
    if (!labels.contains("HAPROXY_GROUP")) labels["HAPROXY_GROUP"] = "external";
    if (!ports[i].hosts.empty())
      labels["HAPROXY_" + std::to_string(i) + "_VHOST"] = base::join(ports[i].hosts, ",");
  }
}

// Environment and labels are texts, whatever JSON they come as.
Json texts_of(const Json* object) {
  Json texts = Json::object();
  if (object == nullptr || !object->is_object()) return texts;
  for (const auto& [name, value] : object->items())
    if (!value.is_null())
      texts[name] = value.is_string() ? value.get<std::string>() : base::dump_json(value);
  return texts;
}

Json constraints_of(const std::vector<std::string>& texts) {
  Json list = Json::array();
  for (const std::string& text : texts) {
    Json words = Json::array();
    for (const std::string_view word : base::split(text, ':')) words.push_back(std::string(word));
    list.push_back(std::move(words));
  }
  return list;
}

}  // namespace

std::string app_id_of(const Json& container) {
  const std::string id = container.value("id", "");
  return "/gestalt/" + segment_of(container.value("fqon", "")) + "/" +
         segment_of(container.value("name", "")) + "-" + sys::sha256_hex(id).substr(0, kIdDigits);
}

namespace {

// Lists of objects, each read by `read`.
template <class Read>
Result<Json> read_each(const Json* list, const std::string& pointer, const Read& read) {
  Json made = Json::array();
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i)
    made.push_back(TRY(read((*list)[i], pointer + "/" + std::to_string(i))));
  return made;
}

}  // namespace

Result<Json> app_of(const Json& from, const Terms& terms) {
  std::string image;
  std::string network;
  std::string cmd;
  std::string user;
  std::vector<std::string> args;
  std::vector<std::string> constraints;
  std::vector<std::string> roles;
  std::int64_t instances = 1;
  std::int64_t memory = 128;
  std::int64_t disk = 0;
  double cpus = 0.1;
  bool force_pull = false;
  const Json empty = Json::object();
  const auto properties = from.find("properties");
  base::Fields fields(properties != from.end() ? *properties : empty, "/properties");
  fields.optional("image", image, {.length_max = 1024});
  fields.optional("network", network, {.length_max = 100});
  fields.optional("cmd", cmd, {.length_max = 65'536});
  fields.optional("user", user, {.length_max = 100});
  fields.optional("args", args);
  fields.optional("constraints", constraints, 100);
  fields.optional("accepted_resource_roles", roles, 100);
  fields.optional("num_instances", instances, {.min = 0, .max = 10'000});
  fields.optional("memory", memory, {.min = 1, .max = 16 << 20});
  fields.optional("disk", disk, {.min = 0, .max = INT32_MAX});
  fields.optional("cpus", cpus, {.min = 0, .max = 10'000});
  fields.optional("force_pull", force_pull);
  const Json* ports_list = fields.find_array("port_mappings", kPortsMax);
  const Json* checks = fields.find_array("health_checks", kChecksMax);
  const Json* env = fields.find_object("env");
  const Json* labels_object = fields.find_object("labels");
  const Json* volumes_list = fields.find_array("volumes", kVolumesMax);
  const Json* secrets = fields.find_array("secrets", kVolumesMax);
  if (secrets != nullptr && !secrets->empty())
    fields.reject("secrets", "are not available: give them to the application in another way");
  if (image.empty() && !terms.processes)
    fields.reject("image", "an image is needed on this provider", "field_missing");
  TRY(fields.finish(base::UnknownFields::ignore));

  const auto ports = TRY(read_ports(ports_list, "/properties/port_mappings"));
  const bool bridged = is_bridged(network);
  Json app = {{"instances", instances},
              {"cpus", cpus},
              {"mem", memory},
              {"disk", disk},
              {"env", texts_of(from.contains("env") ? &from["env"] : env)}};
  Json labels = texts_of(labels_object);
  add_exposure(labels, ports);
  labels["GESTALT_CONTAINER"] = from.value("id", "");
  app["labels"] = std::move(labels);
  Json container = Json::object();
  add_ports(app, container, ports, bridged);
  // Without an image it is a process of the node.
  if (!image.empty()) {
    container["type"] = "MESOS";
    container["docker"] = {{"image", image}, {"forcePullImage", force_pull}};
  }
  Json volumes = TRY(read_each(volumes_list, "/properties/volumes", volume_of));
  if (!volumes.empty()) container["volumes"] = std::move(volumes);
  if (!container.empty()) app["container"] = std::move(container);
  app["networks"] = Json::array({Json{{"mode", bridged ? "container/bridge" : "host"}}});
  if (!cmd.empty()) app["cmd"] = cmd;
  if (!args.empty()) app["args"] = args;
  if (!user.empty()) app["user"] = user;
  if (!roles.empty()) app["acceptedResourceRoles"] = roles;
  if (!constraints.empty()) app["constraints"] = constraints_of(constraints);
  Json health = TRY(read_each(checks, "/properties/health_checks", check_of));
  if (!health.empty()) app["healthChecks"] = std::move(health);
  return app;
}

namespace {

std::int64_t number_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? found->get<std::int64_t>() : 0;
}

Json addresses_of(const Json& app, const std::string& host) {
  Json addresses = Json::object();
  const Json container = app.value("container", Json::object());
  const Json& mapped = list_in(container, "portMappings");
  const Json& ports = mapped.empty() ? list_in(app, "portDefinitions") : mapped;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const std::int64_t port =
        mapped.empty() ? number_of(ports[i], "port") : number_of(ports[i], "servicePort");
    const std::string name = ports[i].value("name", "");
    addresses[name.empty() ? std::to_string(i) : name] = {
        {"host", host}, {"port", port}, {"protocol", ports[i].value("protocol", "tcp")}};
  }
  return addresses;
}

}  // namespace

Seen seen_of(const Json& app) {
  Seen seen;
  seen.running = number_of(app, "tasksRunning");
  seen.healthy = number_of(app, "tasksHealthy");
  seen.staged = number_of(app, "tasksStaged");
  seen.unhealthy = number_of(app, "tasksUnhealthy");
  seen.instances = Json::array();
  std::string host;
  for (const Json& task : list_in(app, "tasks")) {
    if (host.empty()) host = task.value("host", "");
    seen.instances.push_back({{"id", task.value("id", "")},
                              {"host", task.value("host", "")},
                              {"ports", list_in(task, "ports")},
                              {"state", task.value("state", "")},
                              {"started", task.value("startedAt", Json())}});
  }
  seen.service_addresses = addresses_of(app, host);
  const std::int64_t wanted = number_of(app, "instances");
  const bool is_deploying = !list_in(app, "deployments").empty();
  const bool is_checked = !list_in(app, "healthChecks").empty();
  const bool is_whole =
      seen.running == wanted && (!is_checked || seen.healthy == wanted) && seen.staged == 0;
  seen.is_settled = is_whole && !is_deploying;
  if (wanted == 0 && seen.running == 0) {
    seen.status = "SUSPENDED";
  } else if (is_whole) {
    seen.status = "RUNNING";
  } else if (seen.running == 0) {
    seen.status = seen.staged > 0 ? "STAGED" : "WAITING";
  } else {
    seen.status = seen.running != wanted ? "SCALING" : "UNHEALTHY";
  }
  return seen;
}

}  // namespace services::launcher

// SPDX-License-Identifier: Apache-2.0
// make_app(): Marathon's application JSON, checked section by section and completed with defaults.
#include <cmath>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "node/master/app.h"
#include "node/master/check_reader.h"
#include "node/master/constraint_reader.h"
#include "node/master/container_reader.h"
#include "node/master/port_reader.h"

namespace node::master {
namespace {

using base::Fields;
using base::Json;

constexpr std::int64_t kInstancesMax = 100'000;
constexpr double kCpusMax = 10'000;
constexpr double kMemoryMibMax = 64.0 * 1024 * 1024;
constexpr std::size_t kCmdMax = 64 << 10;
constexpr std::size_t kEnvMax = 1000;
constexpr std::size_t kLabelsMax = 1000;
constexpr std::size_t kValueMax = 32 << 10;
constexpr std::size_t kChecksMax = 20;
constexpr std::size_t kConstraintsMax = 50;
constexpr std::size_t kDependenciesMax = 200;
constexpr double kMib = 1024.0 * 1024.0;
// A record of the coordination tree must hold it, with room for what the master adds.
constexpr std::size_t kDefinitionMax = 512 << 10;

// Fields that only the master sets. Clients send back what they were shown, so they are left out.
constexpr std::string_view kReadOnly[] = {
    "version",       "versionInfo",           "deployments",    "tasks",     "tasksStaged",
    "tasksRunning",  "tasksHealthy",          "tasksUnhealthy", "taskStats", "lastTaskFailure",
    "taskRateLimit", "readinessCheckResults", "uris",           "ports"};
// Fields of Marathon that are kept and shown, and change nothing here.
constexpr std::string_view kKept[] = {"executor",
                                      "storeUrls",
                                      "ipAddress",
                                      "residency",
                                      "tty",
                                      "role",
                                      "acceptedResourceRoles",
                                      "resourceLimits",
                                      "executorResources",
                                      "check"};

// Whole numbers are shown without a fraction, as clients sent them.
Json number(double value) {
  const bool whole = value == std::floor(value) && std::fabs(value) < 1e15;
  return whole ? Json(static_cast<std::int64_t>(value)) : Json(value);
}

class Reader {
 public:
  Reader(const Json& wanted, std::string_view base, std::string pointer, Problems& problems)
      : wanted_(wanted), base_(base), pointer_(std::move(pointer)), problems_(problems) {}

  std::optional<App> read() {
    if (!wanted_.is_object()) {
      problems_.add(pointer_, "must be an object");
      return std::nullopt;
    }
    Fields fields(wanted_, pointer_);
    const std::size_t before = problems_.list().size();
    read_identity(fields);
    read_resources(fields);
    read_launch(fields);
    read_networks(fields);
    read_container(fields);
    check_network();
    read_ports(fields);
    read_constraints(fields);
    read_dependencies(fields);
    read_upgrade(fields);
    read_unreachable(fields);
    read_checks(fields, "healthChecks");
    read_checks(fields, "readinessChecks");
    read_rollout(fields);
    read_secrets(fields);
    for (const std::string_view name : kReadOnly) fields.find(name);
    for (const std::string_view name : kKept) keep(fields, name);
    close(fields);
    check_runnable();
    if (base::dump_json(document_).size() > kDefinitionMax)
      problems_.add(pointer_, "is longer than " + std::to_string(kDefinitionMax) + " bytes");
    if (problems_.list().size() != before) return std::nullopt;
    app_.document = std::make_shared<const Json>(std::move(document_));
    return std::move(app_);
  }

 private:
  void close(Fields& fields) {
    if (auto done = fields.finish(base::UnknownFields::refuse); !done) problems_.add(done.error());
  }
  void complain(std::string_view field, std::string text) {
    problems_.add(base::child_pointer(pointer_, field), std::move(text));
  }

  void keep(Fields& fields, std::string_view name) {
    const Json* value = fields.find(name);
    if (value != nullptr) document_[name] = *value;
  }

  void read_identity(Fields& fields) {
    std::string id;
    fields.required("id", id, {.length_min = 1, .length_max = 255});
    if (fields.failed()) return;
    const auto absolute = resolve_id(id, base_);
    if (!absolute || *absolute == "/") {
      complain("id",
               "must be path segments of lower case letters, digits, '-' and '.', at most 140 "
               "characters in all");
      return;
    }
    app_.id = *absolute;
    document_["id"] = app_.id;
  }

  void read_resources(Fields& fields) {
    double mem = 128;
    double disk = 0;
    double gpus = 0;
    std::int64_t instances = 1;
    fields.optional("instances", instances, {0, kInstancesMax});
    fields.optional("cpus", app_.cpus, {0, kCpusMax});
    fields.optional("mem", mem, {0, kMemoryMibMax});
    fields.optional("disk", disk, {0, kMemoryMibMax});
    fields.optional("gpus", gpus, {0, 0});
    app_.instances = instances;
    app_.memory_bytes = static_cast<std::int64_t>(mem * kMib);
    app_.disk_bytes = static_cast<std::int64_t>(disk * kMib);
    document_["instances"] = instances;
    document_["cpus"] = number(app_.cpus);
    document_["mem"] = number(mem);
    document_["disk"] = number(disk);
    document_["gpus"] = 0;
  }

  void read_launch(Fields& fields) {
    std::string text;
    for (const char* name : {"cmd", "user"}) {
      text.clear();
      fields.optional(name, text, {.length_max = kCmdMax});
      if (!text.empty()) document_[name] = text;
    }
    std::vector<std::string> args;
    fields.optional("args", args, 1000, {.length_max = kCmdMax});
    if (!args.empty()) document_["args"] = args;
    read_map(fields, "env", kEnvMax);
    read_map(fields, "labels", kLabelsMax);
    read_fetch(fields);
    double backoff = 1;
    double delay_max = 300;
    fields.optional("backoffSeconds", backoff, {0, 86'400});
    fields.optional("backoffFactor", app_.backoff_factor, {1, 1000});
    fields.optional("maxLaunchDelaySeconds", delay_max, {0, 86'400});
    app_.backoff = seconds(backoff);
    app_.launch_delay_max = seconds(delay_max);
    document_["backoffSeconds"] = number(backoff);
    document_["backoffFactor"] = number(app_.backoff_factor);
    document_["maxLaunchDelaySeconds"] = number(delay_max);
    if (!document_.contains("executor")) document_["executor"] = "";
    std::int64_t grace = -1;
    fields.optional("taskKillGracePeriodSeconds", grace, {0, 86'400});
    if (grace >= 0) document_["taskKillGracePeriodSeconds"] = grace;
    std::string selection = "YOUNGEST_FIRST";
    fields.optional("killSelection", selection);
    if (selection != "YOUNGEST_FIRST" && selection != "OLDEST_FIRST")
      complain("killSelection", "must be YOUNGEST_FIRST or OLDEST_FIRST");
    app_.kill_selection =
        selection == "OLDEST_FIRST" ? KillSelection::oldest_first : KillSelection::youngest_first;
    document_["killSelection"] = selection;
  }

  static base::Duration seconds(double value) {
    return std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(value));
  }

  void read_map(Fields& fields, std::string_view name, std::size_t count_max) {
    document_[name] = Json::object();
    const Json* map = fields.find_object(name);
    if (map == nullptr) return;
    if (map->size() > count_max) complain(name, "has too many entries");
    for (const auto& [key, value] : map->items()) {
      const std::string at = base::child_pointer(base::child_pointer(pointer_, name), key);
      if (key.empty() || key.size() > 1024) problems_.add(at, "name must have 1 to 1024 bytes");
      if (name == "env" && (key.find('=') != std::string::npos))
        problems_.add(at, "name must not contain '='");
      if (value.is_string() && value.get_ref<const std::string&>().size() > kValueMax) {
        problems_.add(at, "value is too long");
      } else if (value.is_string() &&
                 value.get_ref<const std::string&>().find('\0') == std::string::npos) {
        document_[name][key] = value;
      } else if (name == "env" && value.is_object() && value.contains("secret")) {
        problems_.add(at, "references to secrets are not available, give the value itself");
      } else {
        problems_.add(at, "value must be a string without NUL bytes");
      }
    }
  }

  void read_fetch(Fields& fields) {
    const Json* fetch = fields.find_array("fetch", 100);
    if (fetch == nullptr || fetch->empty()) return;
    document_["fetch"] = *fetch;
  }

  void read_networks(Fields& fields) {
    const Json* networks = fields.find_array("networks", 8);
    if (networks == nullptr) return;
    if (networks->size() > 1) {
      complain("networks", "more than one network is not available");
      return;
    }
    if (networks->empty()) return;
    const std::string pointer = base::child_pointer(fields.pointer_of("networks"), "0");
    Fields network((*networks)[0], pointer);
    std::string mode = "container";
    network.optional("mode", mode);
    network.find("name");
    network.find("labels");
    close(network);
    if (mode == "host" || mode == "container/bridge") {
      mode_ = mode;
    } else {
      problems_.add(pointer + "/mode", "must be host or container/bridge");
    }
  }

  // A process has the node's network; only what crun starts can have one of its own.
  void check_network() {
    const bool image = document_.contains("container") && document_["container"].contains("docker");
    if (mode_ != "host" && !image) complain("networks", "container/bridge is for images");
  }

  void read_container(Fields& fields) {
    const Json* given = fields.find_object("container");
    if (given == nullptr) return;
    ContainerParts parts =
        node::master::read_container(*given, fields.pointer_of("container"), problems_);
    document_["container"] = std::move(parts.document);
    app_.has_persistent_volumes = parts.has_persistent_volumes;
    if (parts.wants_bridge) mode_ = "container/bridge";
    if (!parts.mappings) return;
    mappings_ = std::move(parts.mappings);
    mappings_pointer_ = std::move(parts.mappings_pointer);
  }

  void read_ports(Fields& fields) {
    fields.optional("requirePorts", app_.require_ports);
    document_["requirePorts"] = app_.require_ports;
    document_["networks"] = Json::array({{{"mode", mode_}}});
    const Json* definitions = fields.find_array("portDefinitions", kAppPortsMax);
    if (mode_ == "host") {
      Json wanted = definitions != nullptr ? *definitions : old_ports(fields);
      read_port_list(wanted, fields.pointer_of("portDefinitions"));
    } else {
      if (definitions != nullptr && !definitions->empty())
        complain("portDefinitions", "belong to host networking; use container.portMappings");
      if (!document_.contains("container")) {
        complain("container", "is needed for container/bridge networking");
        return;
      }
      Json wanted = mappings_ ? *mappings_ : Json::array({{{"containerPort", 0}}});
      read_port_list(wanted, mappings_pointer_);
    }
  }

  // `ports` of older clients: a list of service ports. Without any list there is one port.
  Json old_ports(Fields& fields) {
    const Json* ports = fields.find_array("ports", kAppPortsMax);
    if (ports == nullptr) return Json::array({{{"port", 0}, {"name", "default"}}});
    Json out = Json::array();
    for (const Json& port : *ports) out.push_back({{"port", port}});
    return out;
  }

  void read_port_list(const Json& list, const std::string& pointer) {
    const Networking networking = mode_ == "host" ? Networking::host : Networking::bridge;
    PortList ports = read_ports_of(list, pointer, networking, app_.require_ports, problems_);
    app_.ports = std::move(ports.slots);
    if (networking == Networking::bridge) {
      document_["container"]["portMappings"] = std::move(ports.document);
    } else {
      document_["portDefinitions"] = std::move(ports.document);
    }
  }

  void read_constraints(Fields& fields) {
    document_["constraints"] = Json::array();
    const Json* list = fields.find_array("constraints", kConstraintsMax);
    if (list == nullptr) return;
    for (std::size_t i = 0; i < list->size(); ++i) {
      const std::string pointer =
          base::child_pointer(fields.pointer_of("constraints"), std::to_string(i));
      auto constraint = read_constraint((*list)[i], pointer, problems_);
      if (!constraint) continue;
      document_["constraints"].push_back((*list)[i]);
      app_.constraints.push_back(std::move(*constraint));
    }
  }

  void read_dependencies(Fields& fields) {
    std::vector<std::string> names;
    fields.optional("dependencies", names, kDependenciesMax, {.length_min = 1, .length_max = 255});
    document_["dependencies"] = Json::array();
    for (const std::string& name : names) {
      const auto id = resolve_id(name, parent_of(app_.id));
      if (!id) {
        complain("dependencies", "'" + name + "' is not an id");
        continue;
      }
      app_.dependencies.push_back(*id);
      document_["dependencies"].push_back(*id);
    }
  }

  void read_upgrade(Fields& fields) {
    const bool pinned = app_.has_persistent_volumes;
    app_.health_capacity_min = pinned ? 0.5 : 1;
    app_.over_capacity_max = pinned ? 0 : 1;
    if (const Json* strategy = fields.find_object("upgradeStrategy")) {
      Fields in(*strategy, fields.pointer_of("upgradeStrategy"));
      in.optional("minimumHealthCapacity", app_.health_capacity_min, {0, 1});
      in.optional("maximumOverCapacity", app_.over_capacity_max, {0, 1});
      close(in);
    }
    document_["upgradeStrategy"] = {{"minimumHealthCapacity", number(app_.health_capacity_min)},
                                    {"maximumOverCapacity", number(app_.over_capacity_max)}};
  }

  void read_unreachable(Fields& fields) {
    document_["unreachableStrategy"] = {{"inactiveAfterSeconds", 0}, {"expungeAfterSeconds", 0}};
    const Json* strategy = fields.find("unreachableStrategy");
    if (strategy == nullptr) return;
    if (*strategy == "disabled") {
      app_.unreachable_disabled = true;
      document_["unreachableStrategy"] = "disabled";
      return;
    }
    Fields in(*strategy, fields.pointer_of("unreachableStrategy"));
    std::int64_t inactive = 0;
    std::int64_t expunge = 0;
    in.optional("inactiveAfterSeconds", inactive, {0, 86'400 * 365});
    in.optional("expungeAfterSeconds", expunge, {0, 86'400 * 365});
    if (expunge < inactive)
      in.reject("expungeAfterSeconds", "must not be below inactiveAfterSeconds");
    close(in);
    app_.inactive_after = std::chrono::seconds(inactive);
    app_.expunge_after = std::chrono::seconds(expunge);
    document_["unreachableStrategy"] = {{"inactiveAfterSeconds", inactive},
                                        {"expungeAfterSeconds", expunge}};
  }

  void read_checks(Fields& fields, const char* name) {
    const Json* list = fields.find_array(name, kChecksMax);
    if (list == nullptr || list->empty()) return;
    Json out = Json::array();
    const bool health = std::string_view(name) == "healthChecks";
    for (std::size_t i = 0; i < list->size(); ++i) {
      const std::string pointer = base::child_pointer(fields.pointer_of(name), std::to_string(i));
      Json check = health ? read_health_check((*list)[i], pointer, app_.ports, problems_)
                          : read_readiness_check((*list)[i], pointer, app_.ports, problems_);
      if (health) app_.health_failures_max.push_back(check["maxConsecutiveFailures"]);
      out.push_back(std::move(check));
    }
    (health ? app_.has_health_checks : app_.has_readiness_checks) = true;
    document_[name] = std::move(out);
  }

  // The object "gestalt", or labels for clients whose schema is fixed. The object wins.
  void read_rollout(Fields& fields) {
    std::int64_t deadline = label_number("GESTALT_DEPLOY_DEADLINE", 0);
    std::int64_t failures = label_number("GESTALT_MAX_FAILURES", 0);
    std::int64_t canaries = label_number("GESTALT_CANARY_INSTANCES", 0);
    std::int64_t canary_seconds = label_number("GESTALT_CANARY_SECONDS", 60);
    std::string action = "rollback";
    const Json& labels = document_["labels"];
    if (labels.contains("GESTALT_ON_FAILURE"))
      action = base::lower(labels["GESTALT_ON_FAILURE"].get<std::string>());
    if (const Json* given = fields.find_object("gestalt")) {
      Fields in(*given, fields.pointer_of("gestalt"));
      in.optional("deployDeadlineSeconds", deadline, {0, 86'400 * 7});
      in.optional("maxFailures", failures, {0, 1'000'000});
      in.optional("onFailure", action);
      in.optional("canaryInstances", canaries, {0, kInstancesMax});
      in.optional("canarySeconds", canary_seconds, {0, 86'400});
      close(in);
      document_["gestalt"] = {{"deployDeadlineSeconds", deadline},
                              {"maxFailures", failures},
                              {"onFailure", action},
                              {"canaryInstances", canaries},
                              {"canarySeconds", canary_seconds}};
    }
    if (action != "rollback" && action != "pause" && action != "continue")
      complain("gestalt", "onFailure must be rollback, pause or continue");
    app_.rollout.deadline = std::chrono::seconds(deadline);
    app_.rollout.canary_instances = static_cast<int>(canaries);
    app_.rollout.canary_time = std::chrono::seconds(canary_seconds);
    app_.rollout.failures_max = static_cast<int>(failures);
    app_.rollout.on_failure = action == "pause"      ? OnFailure::pause
                              : action == "continue" ? OnFailure::go_on
                                                     : OnFailure::rollback;
  }

  // An application that relies on a secret would start without it. Clients of Marathon send the
  // field empty as well.
  void read_secrets(Fields& fields) {
    const Json* secrets = fields.find("secrets");
    if (secrets != nullptr && !secrets->empty())
      complain("secrets", "are not available, give a file in a volume");
  }

  std::int64_t label_number(const char* name, std::int64_t fallback) {
    const Json& labels = document_["labels"];
    const auto found = labels.find(name);
    if (found == labels.end()) return fallback;
    auto number = base::parse_int(found->get_ref<const std::string&>(), 0, 1'000'000);
    if (!number) complain("labels", std::string(name) + " must be a number of 0 to 1000000");
    return std::move(number).value_or(fallback);
  }

  void check_runnable() {
    const bool image = document_.contains("container") && document_["container"].contains("docker");
    const bool cmd = document_.contains("cmd");
    const bool args = document_.contains("args");
    if (cmd && args) problems_.add(pointer_, "must not have both 'cmd' and 'args'");
    if (!cmd && !args && !image)
      problems_.add(pointer_,
                    "AppDefinition must either contain one of 'cmd' or 'args', and/or a "
                    "'container'.");
  }

  const Json& wanted_;
  std::string base_;
  std::string pointer_;
  Problems& problems_;
  App app_;
  Json document_ = Json::object();
  std::string mode_ = "host";
  std::optional<Json> mappings_;
  std::string mappings_pointer_ = "/container/portMappings";
};

}  // namespace

std::optional<App> make_app(const base::Json& wanted, std::string_view base,
                            const std::string& pointer, Problems& problems) {
  return Reader(wanted, base, pointer, problems).read();
}

}  // namespace node::master

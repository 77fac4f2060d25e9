// SPDX-License-Identifier: Apache-2.0
#include "node/api/run_spec.h"

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "node/api/enum_text.h"
#include "node/api/ids.h"

namespace node::api {

namespace {

using base::Fields;
using base::Json;
using std::chrono::seconds;

constexpr std::size_t kArgumentMax = 128 << 10;  // MAX_ARG_STRLEN of Linux
constexpr std::size_t kArgumentsMax = 1000;
constexpr std::size_t kEnvironmentMax = 1000;
constexpr std::size_t kVolumesMax = 100;
constexpr std::int64_t kBytesMax = std::int64_t{1} << 50;
constexpr std::int64_t kDayInSeconds = 86'400;

constexpr EnumWords<RunKind, 2> kKinds{
    {{RunKind::container, "container"}, {RunKind::process, "process"}}};
constexpr EnumWords<CheckProtocol, 4> kProtocols{{{CheckProtocol::http, "HTTP"},
                                                  {CheckProtocol::https, "HTTPS"},
                                                  {CheckProtocol::tcp, "TCP"},
                                                  {CheckProtocol::command, "COMMAND"}}};

void read_seconds(Fields& fields, std::string_view name, seconds& out, std::int64_t min,
                  std::int64_t max) {
  std::int64_t number = out.count();
  fields.optional(name, number, {.min = min, .max = max});
  out = seconds(number);
}

// No "..", no empty path; the kernel would follow what the author of a spec did not mean.
bool is_plain_path(std::string_view path) {
  if (path.empty()) return false;
  for (const std::string_view piece : base::split(path, '/')) {
    if (piece == "..") return false;
  }
  return true;
}

RunResources read_resources(Fields& parent) {
  RunResources out;
  const Json* json = parent.find_object("resources");
  if (json == nullptr) return out;
  Fields fields(*json, parent.pointer_of("resources"));
  fields.optional("cpus", out.cpus, {.min = 0, .max = 4096});
  fields.optional("memory_bytes", out.memory_bytes, {.min = 0, .max = kBytesMax});
  fields.optional("disk_bytes", out.disk_bytes, {.min = 0, .max = kBytesMax});
  fields.optional("pids_max", out.pids_max, {.min = 0, .max = 4'194'304});
  if (auto done = fields.finish(base::UnknownFields::refuse); !done) parent.reject(done.error());
  return out;
}

void read_environment(Fields& parent, std::map<std::string, std::string>& out) {
  const Json* json = parent.find_object("environment");
  if (json == nullptr) return;
  if (json->size() > kEnvironmentMax) {
    return parent.reject("environment",
                         "must have at most " + std::to_string(kEnvironmentMax) + " entries");
  }
  const std::string pointer = parent.pointer_of("environment");
  for (const auto& [name, value] : json->items()) {
    const bool good_name = !name.empty() && name.size() <= 4096 &&
                           name.find('=') == std::string::npos &&
                           name.find('\0') == std::string::npos;
    if (!good_name) return parent.reject("environment", "has a name that is empty or has '='");
    Fields fields(*json, pointer);
    std::string text;
    fields.required(name, text, {.length_max = kArgumentMax});
    if (fields.failed()) return parent.reject(fields.finish(base::UnknownFields::ignore).error());
    out[name] = std::move(text);
  }
}

PortSpec read_port(Fields& fields) {
  PortSpec out;
  fields.optional("name", out.name, {.length_max = 63});
  fields.optional("protocol", out.protocol, {.length_max = 7});
  if (out.protocol == "tcp,udp") out.protocol = "udp,tcp";
  if (out.protocol != "tcp" && out.protocol != "udp" && out.protocol != "udp,tcp") {
    fields.reject("protocol", "must be tcp, udp or udp,tcp");
  }
  fields.optional("container_port", out.container_port, {.min = 0, .max = 65535});
  return out;
}

VolumeSpec read_volume(Fields& fields) {
  VolumeSpec out;
  fields.required("container_path", out.container_path, {.length_min = 1});
  fields.optional("host_path", out.host_path);
  fields.optional("persistent", out.persistent, {.length_max = 200});
  fields.optional("size_bytes", out.size_bytes, {.min = 0, .max = kBytesMax});
  fields.optional("read_only", out.read_only);
  fields.optional("shared", out.shared);
  if (fields.failed()) return out;
  if (!is_plain_path(out.container_path) || out.container_path == "/") {
    fields.reject("container_path", "must be a path below the root without '..'");
  }
  if (out.host_path.empty() == out.persistent.empty()) {
    fields.reject("host_path", "or persistent must be given, and only one of them");
  }
  if (out.shared && out.persistent.empty())
    fields.reject("shared", "is for persistent volumes only");
  if (!out.host_path.empty() && (out.host_path[0] != '/' || !is_plain_path(out.host_path))) {
    fields.reject("host_path", "must be an absolute path without '..'");
  }
  if (out.persistent.find('/') != std::string::npos || out.persistent.starts_with('.')) {
    fields.reject("persistent", "must be a name without '/' and not led by '.'");
  }
  return out;
}

HealthCheck read_health_check(Fields& fields, std::size_t ports) {
  HealthCheck out;
  read_enum(fields, "protocol", kProtocols, out.protocol);
  fields.optional("path", out.path);
  fields.optional("port_index", out.port_index, {.min = 0, .max = kPortsMax});
  fields.optional("port", out.port, {.min = 0, .max = 65535});
  fields.optional("argv", out.argv, kArgumentsMax, {.length_max = kArgumentMax});
  read_seconds(fields, "grace_period_seconds", out.grace_period, 0, 100 * kDayInSeconds);
  read_seconds(fields, "interval_seconds", out.interval, 1, kDayInSeconds);
  read_seconds(fields, "timeout_seconds", out.timeout, 1, kDayInSeconds);
  read_seconds(fields, "delay_seconds", out.delay, 0, kDayInSeconds);
  fields.optional("max_consecutive_failures", out.max_consecutive_failures,
                  {.min = 0, .max = 1'000'000});
  fields.optional("ignore_http_1xx", out.ignore_http_1xx);
  if (fields.failed()) return out;
  if (out.protocol == CheckProtocol::command) {
    if (out.argv.empty()) fields.reject("argv", "is required for COMMAND", "field_missing");
    return out;
  }
  if (!out.path.starts_with('/')) fields.reject("path", "must start with '/'");
  if (out.port == 0 && static_cast<std::size_t>(out.port_index) >= ports) {
    fields.reject("port_index", "points behind the last port");
  }
  return out;
}

ReadinessCheck read_readiness_check(Fields& fields) {
  ReadinessCheck out;
  fields.optional("name", out.name, {.length_max = 255});
  read_enum(fields, "protocol", kProtocols, out.protocol);
  if (out.protocol != CheckProtocol::http && out.protocol != CheckProtocol::https) {
    fields.reject("protocol", "must be HTTP or HTTPS");
  }
  fields.optional("path", out.path);
  if (!out.path.starts_with('/')) fields.reject("path", "must start with '/'");
  fields.optional("port_name", out.port_name, {.length_max = 63});
  read_seconds(fields, "interval_seconds", out.interval, 1, kDayInSeconds);
  read_seconds(fields, "timeout_seconds", out.timeout, 1, kDayInSeconds);
  fields.optional("preserve_last_response", out.preserve_last_response);
  const Json* codes = fields.find_array("http_status_codes_ready", 100);
  if (codes == nullptr) return out;
  out.http_status_codes_ready.clear();
  for (const Json& code : *codes) {
    if (!code.is_number_integer() || code < 100 || code > 599) {
      fields.reject("http_status_codes_ready", "must be statuses from 100 to 599");
      return out;
    }
    out.http_status_codes_ready.push_back(code.get<std::int64_t>());
  }
  return out;
}

template <class Item, class Read>
void read_list(Fields& parent, std::string_view name, std::size_t count_max, std::vector<Item>& out,
               Read read) {
  const Json* list = parent.find_array(name, count_max);
  if (list == nullptr) return;
  const std::string pointer = parent.pointer_of(name);
  for (std::size_t i = 0; i < list->size(); ++i) {
    Fields fields((*list)[i], base::child_pointer(pointer, std::to_string(i)));
    Item item = read(fields);
    auto done = fields.finish(base::UnknownFields::refuse);
    if (!done) return parent.reject(done.error());
    out.push_back(std::move(item));
  }
}

void check_port_names(Fields& fields, const RunSpec& spec) {
  for (std::size_t i = 0; i < spec.readiness_checks.size(); ++i) {
    const std::string& wanted = spec.readiness_checks[i].port_name;
    bool found = wanted.empty() && !spec.ports.empty();
    for (const PortSpec& port : spec.ports) found = found || port.name == wanted;
    if (!found) fields.reject("readiness_checks", "names a port that is not in ports");
  }
}

void check_kind(Fields& fields, const RunSpec& spec) {
  if (fields.failed()) return;
  if (spec.app[0] != '/' || !is_plain_path(spec.app)) {
    fields.reject("app", "must be an absolute id without '..'");
  }
  if (spec.kind == RunKind::container && !is_image_reference(spec.image)) {
    fields.reject("image", "must be oci:/path:tag, oci-archive:/path or docker://name");
  }
  if (spec.kind == RunKind::process && (spec.argv.empty() || spec.argv[0].empty())) {
    fields.reject("argv", "is required for a process", "field_missing");
  }
  if (!spec.argv.empty() && spec.argv[0].empty()) fields.reject("argv", "has no program");
  const bool bridge = spec.network == kBridgeNetwork && spec.kind == RunKind::container;
  if (spec.network != "host" && !bridge) {
    fields.reject("network", "must be host, or bridge for a container");
  }
  check_port_names(fields, spec);
}

}  // namespace

bool is_image_reference(std::string_view image) {
  if (image.starts_with("docker://")) return image.size() > 9;
  for (const std::string_view scheme : {"oci:", "oci-archive:"}) {
    if (!image.starts_with(scheme)) continue;
    const std::string_view path = image.substr(scheme.size());
    return path.starts_with('/') && is_plain_path(path);
  }
  return false;
}

base::Result<RunSpec> read_run_spec(const Json& json, const std::string& pointer) {
  RunSpec out;
  Fields fields(json, pointer);
  fields.required("app", out.app, {.length_min = 2, .length_max = 1024});
  fields.required("version", out.version, {.length_min = 1, .length_max = 64});
  read_enum(fields, "kind", kKinds, out.kind);
  fields.optional("image", out.image, {.length_max = 2048});
  fields.optional("force_pull", out.force_pull);
  fields.optional("argv", out.argv, kArgumentsMax, {.length_max = kArgumentMax});
  fields.optional("user", out.user, {.length_max = 256});
  read_environment(fields, out.environment);
  out.resources = read_resources(fields);
  fields.optional("read_only_root", out.read_only_root);
  fields.optional("init", out.init);
  fields.optional("network", out.network, {.length_max = 16});
  read_list(fields, "ports", kPortsMax, out.ports, read_port);
  read_list(fields, "volumes", kVolumesMax, out.volumes, read_volume);
  read_list(fields, "health_checks", kChecksMax, out.health_checks,
            [&out](Fields& item) { return read_health_check(item, out.ports.size()); });
  read_list(fields, "readiness_checks", kChecksMax, out.readiness_checks, read_readiness_check);
  read_seconds(fields, "kill_grace_seconds", out.kill_grace, 0, kDayInSeconds);
  read_seconds(fields, "drain_seconds", out.drain, 0, kDayInSeconds);
  check_kind(fields, out);
  TRY(fields.finish(base::UnknownFields::refuse));
  return out;
}

base::Result<RunSpec> decode_run_spec(std::string_view text) {
  const Json json = TRY(base::parse_json(text));
  return read_run_spec(json);
}

namespace {

Json health_check_json(const HealthCheck& check) {
  return {{"protocol", word_of(kProtocols, check.protocol)},
          {"path", check.path},
          {"port_index", check.port_index},
          {"port", check.port},
          {"argv", check.argv},
          {"grace_period_seconds", check.grace_period.count()},
          {"interval_seconds", check.interval.count()},
          {"timeout_seconds", check.timeout.count()},
          {"delay_seconds", check.delay.count()},
          {"max_consecutive_failures", check.max_consecutive_failures},
          {"ignore_http_1xx", check.ignore_http_1xx}};
}

Json readiness_check_json(const ReadinessCheck& check) {
  Json out{{"name", check.name},
           {"protocol", word_of(kProtocols, check.protocol)},
           {"path", check.path},
           {"port_name", check.port_name},
           {"interval_seconds", check.interval.count()},
           {"timeout_seconds", check.timeout.count()},
           {"http_status_codes_ready", check.http_status_codes_ready}};
  // As with `shared`: equal specifications of before keep their digests.
  if (check.preserve_last_response) out["preserve_last_response"] = true;
  return out;
}

}  // namespace

Json to_json(const RunSpec& spec) {
  Json out{{"app", spec.app},
           {"version", spec.version},
           {"kind", word_of(kKinds, spec.kind)},
           {"image", spec.image},
           {"force_pull", spec.force_pull},
           {"argv", spec.argv},
           {"user", spec.user},
           {"environment", spec.environment},
           {"resources",
            {{"cpus", spec.resources.cpus},
             {"memory_bytes", spec.resources.memory_bytes},
             {"disk_bytes", spec.resources.disk_bytes},
             {"pids_max", spec.resources.pids_max}}},
           {"read_only_root", spec.read_only_root},
           {"init", spec.init},
           {"network", spec.network},
           {"ports", Json::array()},
           {"volumes", Json::array()},
           {"health_checks", Json::array()},
           {"readiness_checks", Json::array()},
           {"kill_grace_seconds", spec.kill_grace.count()},
           {"drain_seconds", spec.drain.count()}};
  for (const PortSpec& port : spec.ports) {
    out["ports"].push_back({{"name", port.name},
                            {"protocol", port.protocol},
                            {"container_port", port.container_port}});
  }
  for (const VolumeSpec& volume : spec.volumes) {
    out["volumes"].push_back({{"container_path", volume.container_path},
                              {"host_path", volume.host_path},
                              {"persistent", volume.persistent},
                              {"size_bytes", volume.size_bytes},
                              {"read_only", volume.read_only}});
    // Only when it is set, so that specifications from before keep their digests.
    if (volume.shared) out["volumes"].back()["shared"] = true;
  }
  for (const HealthCheck& check : spec.health_checks) {
    out["health_checks"].push_back(health_check_json(check));
  }
  for (const ReadinessCheck& check : spec.readiness_checks) {
    out["readiness_checks"].push_back(readiness_check_json(check));
  }
  return out;
}

std::string encode(const RunSpec& spec) { return base::dump_json(to_json(spec)); }

}  // namespace node::api

// SPDX-License-Identifier: Apache-2.0
#include "cli/app_spec.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "common/base/text.h"

namespace cli {

using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr double kMemoryMax = 64.0 * 1024 * 1024;  // MiB

Error wrong(std::string detail) {
  return Error{base::Code::invalid_argument, std::move(detail), "option_invalid"};
}

// "KEY=VALUE" pairs into an object.
Result<void> put_pairs(Json& object, const std::vector<std::string>& pairs,
                       const std::string& option) {
  for (const std::string& pair : pairs) {
    const std::size_t equals = pair.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return wrong(option + " is KEY=VALUE, not \"" + pair + "\"");
    }
    object[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return {};
}

Result<Json> make_port(const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::string number = equals == std::string::npos ? text : text.substr(equals + 1);
  const auto port = base::parse_int(number, 0, 65535);
  if (!port || equals == 0) {
    return wrong("--port is a service port from 0 to 65535 or NAME=PORT, not \"" + text + "\"");
  }
  Json definition = {{"port", *port}, {"protocol", "tcp"}};
  if (equals != std::string::npos) definition["name"] = text.substr(0, equals);
  return definition;
}

Result<Json> make_volume(const std::string& text) {
  const auto parts = base::split(text, ':');
  const bool read_only = parts.size() == 3 && parts[2] == "ro";
  if (parts.size() < 2 || parts.size() > 3 ||
      (parts.size() == 3 && !read_only && parts[2] != "rw") || parts[1].empty()) {
    return wrong("--volume is /HOST:/PATH[:ro] or SIZE:/PATH, not \"" + text + "\"");
  }
  Json volume = {{"containerPath", parts[1]}, {"mode", read_only ? "RO" : "RW"}};
  if (parts[0].starts_with('/')) {
    volume["hostPath"] = parts[0];
    return volume;
  }
  const double mebibytes = TRY(parse_mebibytes(parts[0]));
  if (mebibytes < 1) return wrong("--volume: a persistent volume has at least 1 MiB");
  volume["persistent"] = {{"size", static_cast<std::int64_t>(std::ceil(mebibytes))}};
  return volume;
}

// As parameters of `docker run`, which is how Marathon has them.
Result<void> put_parameters(Json& container, const AppOptions& options) {
  if (!options.init && !options.read_only) return {};
  if (!container.contains("docker") || !container["docker"].is_object()) {
    return wrong("--init and --read-only are for applications with an image");
  }
  Json& parameters = container["docker"]["parameters"];
  if (!parameters.is_array()) parameters = Json::array();
  for (const auto& [key, wanted] :
       {std::pair("init", options.init), {"read-only", options.read_only}}) {
    if (!wanted) continue;
    const Json parameter = {{"key", key}, {"value", "true"}};
    if (std::find(parameters.begin(), parameters.end(), parameter) == parameters.end())
      parameters.push_back(parameter);
  }
  return {};
}

Result<void> put_container(Json& app, const AppOptions& options) {
  if (options.image.empty() && options.volumes.empty() && !options.init && !options.read_only)
    return {};
  if (!app.contains("container")) app["container"] = Json::object();
  Json& container = app["container"];
  if (!container.is_object()) return wrong("/container of the file is not an object");
  if (!options.image.empty()) {
    container["type"] = "DOCKER";
    if (container.contains("docker") && !container["docker"].is_object()) {
      return wrong("/container/docker of the file is not an object");
    }
    container["docker"]["image"] = options.image;
  }
  TRY(put_parameters(container, options));
  if (!options.volumes.empty()) {
    container["volumes"] = Json::array();
    for (const std::string& text : options.volumes) {
      container["volumes"].push_back(TRY(make_volume(text)));
    }
  }
  return {};
}

Result<void> put_network(Json& app, const AppOptions& options) {
  if (!options.ports.empty()) {
    app["portDefinitions"] = Json::array();
    for (const std::string& text : options.ports) {
      app["portDefinitions"].push_back(TRY(make_port(text)));
    }
  }
  // Without a group an application is not exposed at all; who names a service port wants it open.
  const Json ports = app.value("portDefinitions", Json::array());
  const bool names_port = std::any_of(ports.begin(), ports.end(),
                                      [](const Json& port) { return port.value("port", 0) != 0; });
  if (!options.hosts.empty() || names_port) app["labels"]["HAPROXY_GROUP"] = "external";
  if (!options.hosts.empty()) {
    app["labels"]["HAPROXY_0_VHOST"] = base::join(options.hosts, ",");
  }
  if (!options.health_path.empty()) {
    if (!options.health_path.starts_with('/')) return wrong("--health-path begins with '/'");
    app["healthChecks"] = Json::array({{{"protocol", "MESOS_HTTP"},
                                        {"path", options.health_path},
                                        {"portIndex", 0},
                                        {"gracePeriodSeconds", 60},
                                        {"intervalSeconds", 5},
                                        {"timeoutSeconds", 3},
                                        {"maxConsecutiveFailures", 3},
                                        {"delaySeconds", 0}}});
  }
  return {};
}

Result<void> put_constraints(Json& app, const std::vector<std::string>& constraints) {
  if (constraints.empty()) return {};
  app["constraints"] = Json::array();
  for (const std::string& text : constraints) {
    const std::size_t first = text.find(':');
    if (first == 0 || first == std::string::npos || first + 1 == text.size()) {
      return wrong("--constraint is FIELD:OPERATOR[:VALUE], not \"" + text + "\"");
    }
    const std::size_t second = text.find(':', first + 1);
    Json constraint =
        Json::array({text.substr(0, first), text.substr(first + 1, second - first - 1)});
    if (second != std::string::npos) constraint.push_back(text.substr(second + 1));
    app["constraints"].push_back(std::move(constraint));
  }
  return {};
}

}  // namespace

Result<double> parse_mebibytes(std::string_view text) {
  std::string_view digits = text;
  double factor = 1;
  if (!digits.empty()) {
    const char last = digits.back();
    if (last == 'm' || last == 'M') digits.remove_suffix(1);
    if (last == 'g' || last == 'G') {
      digits.remove_suffix(1);
      factor = 1024;
    }
  }
  double value = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value,
                                              std::chars_format::fixed);
  if (failure != std::errc() || end != digits.data() + digits.size() || !std::isfinite(value) ||
      value < 0 || value * factor > kMemoryMax) {
    return wrong("a size is a number of MiB, or ends in m or g, not \"" + std::string(text) + "\"");
  }
  return value * factor;
}

Result<Json> make_app(Json document, const AppOptions& options) {
  if (document.is_null()) document = Json::object();
  if (!document.is_object()) return wrong("the file does not hold one application (a JSON object)");
  if (!options.id.empty()) document["id"] = options.id;
  if (!options.command.empty()) document["cmd"] = options.command;
  if (options.instances) document["instances"] = *options.instances;
  if (options.cpus) document["cpus"] = *options.cpus;
  if (!options.memory.empty()) document["mem"] = TRY(parse_mebibytes(options.memory));
  for (const char* name : {"env", "labels"}) {
    if (document.contains(name) && !document[name].is_object()) {
      return wrong(std::string("/") + name + " of the file is not an object");
    }
  }
  if (!options.env.empty()) TRY(put_pairs(document["env"], options.env, "--env"));
  TRY(put_network(document, options));
  if (!options.labels.empty()) TRY(put_pairs(document["labels"], options.labels, "--label"));
  TRY(put_container(document, options));
  TRY(put_constraints(document, options.constraints));
  const bool has_id = document.contains("id") && document["id"].is_string();
  if (!has_id) return wrong("an application needs --id, for instance --id /demo/web");
  const bool runs_something =
      document.contains("cmd") || document.contains("args") || document.contains("container");
  if (!runs_something) return wrong("an application needs --image or --cmd");
  return document;
}

}  // namespace cli

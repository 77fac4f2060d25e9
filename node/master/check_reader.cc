// SPDX-License-Identifier: Apache-2.0
#include "node/master/check_reader.h"

#include <nlohmann/json.hpp>

namespace node::master {

using base::Fields;
using base::Json;

namespace {

constexpr std::int64_t kPortIndexMax = 100;

void close(Fields& fields, Problems& problems) {
  if (auto done = fields.finish(base::UnknownFields::refuse); !done) problems.add(done.error());
}

void read_check_target(Fields& in, const std::string& plain, const std::vector<PortSlot>& ports,
                       Json& out) {
  std::string path = "/";
  bool ignore = false;
  std::int64_t index = -1, port = 0;
  in.optional("path", path, {.length_max = 2048});
  in.optional("ignoreHttp1xx", ignore);
  in.optional("portIndex", index, {0, kPortIndexMax});
  in.optional("port", port, {1, 65'535});
  const Json* command = in.find_object("command");
  if (plain == "COMMAND") {
    const bool given = command != nullptr && command->contains("value") &&
                       (*command)["value"].is_string() && !(*command)["value"].empty();
    if (!given) {
      in.reject("command", "must be {\"value\": \"…\"} for a COMMAND check", "field_missing");
    } else {
      out["command"] = {{"value", (*command)["value"]}};
    }
    return;
  }
  if (plain != "TCP") {
    if (path.empty() || path[0] != '/') in.reject("path", "must start with '/'");
    out["path"] = path;
    out["ignoreHttp1xx"] = ignore;
  }
  if (port > 0) {
    out["port"] = port;
    return;
  }
  if (index < 0) index = 0;
  if (index >= static_cast<std::int64_t>(ports.size()))
    in.reject("portIndex", "names a port the app does not have");
  out["portIndex"] = index;
}

}  // namespace

base::Json read_health_check(const base::Json& check, const std::string& pointer,
                             const std::vector<PortSlot>& ports, Problems& problems) {
  Fields in(check, pointer);
  std::string protocol = "HTTP";
  in.optional("protocol", protocol);
  const std::string plain = protocol.starts_with("MESOS_") ? protocol.substr(6) : protocol;
  if (plain != "HTTP" && plain != "HTTPS" && plain != "TCP" && plain != "COMMAND")
    in.reject("protocol",
              "must be HTTP, HTTPS, TCP, COMMAND, MESOS_HTTP, MESOS_HTTPS or MESOS_TCP");
  Json out = {{"protocol", protocol}};
  std::int64_t grace = 300, interval = 60, timeout = 20, delay = 15, failures = 3;
  in.optional("gracePeriodSeconds", grace, {0, 86'400});
  in.optional("intervalSeconds", interval, {1, 86'400});
  in.optional("timeoutSeconds", timeout, {1, 86'400});
  in.optional("delaySeconds", delay, {0, 86'400});
  in.optional("maxConsecutiveFailures", failures, {0, 100'000});
  out["gracePeriodSeconds"] = grace;
  out["intervalSeconds"] = interval;
  out["timeoutSeconds"] = timeout;
  out["delaySeconds"] = delay;
  out["maxConsecutiveFailures"] = failures;
  read_check_target(in, plain, ports, out);
  in.find("ipProtocol");
  close(in, problems);
  return out;
}

base::Json read_readiness_check(const base::Json& check, const std::string& pointer,
                                const std::vector<PortSlot>& ports, Problems& problems) {
  Fields in(check, pointer);
  std::string name = "readinessCheck", protocol = "HTTP", path = "/", port_name = "http-api";
  std::int64_t interval = 30, timeout = 10;
  bool preserve = false;
  in.optional("name", name, {.length_max = 63});
  in.optional("protocol", protocol);
  in.optional("path", path, {.length_max = 2048});
  in.optional("portName", port_name, {.length_max = 63});
  in.optional("intervalSeconds", interval, {1, 86'400});
  in.optional("timeoutSeconds", timeout, {1, 86'400});
  in.optional("preserveLastResponse", preserve);
  if (protocol != "HTTP" && protocol != "HTTPS") in.reject("protocol", "must be HTTP or HTTPS");
  if (path.empty() || path[0] != '/') in.reject("path", "must start with '/'");
  if (std::none_of(ports.begin(), ports.end(),
                   [&](const PortSlot& slot) { return slot.name == port_name; }))
    in.reject("portName", "names a port the app does not have");
  Json codes = Json::array({200});
  if (const Json* given = in.find_array("httpStatusCodesForReady", 100)) {
    codes = *given;
    for (const Json& code : codes) {
      if (!code.is_number_integer() || code < 100 || code > 599)
        in.reject("httpStatusCodesForReady", "must be numbers from 100 to 599");
    }
  }
  close(in, problems);
  return {{"name", name},
          {"protocol", protocol},
          {"path", path},
          {"portName", port_name},
          {"intervalSeconds", interval},
          {"timeoutSeconds", timeout},
          {"httpStatusCodesForReady", codes},
          {"preserveLastResponse", preserve}};
}

}  // namespace node::master

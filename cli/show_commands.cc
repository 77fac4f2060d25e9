// SPDX-License-Identifier: Apache-2.0
#include "cli/show_commands.h"

#include <nlohmann/json.hpp>

#include "cli/api.h"
#include "cli/input.h"
#include "cli/netfw_views.h"
#include "cli/views.h"

namespace cli {

using base::Json;
using base::Result;

namespace {

Status finish(const Session& session, Daemon daemon, const Result<void>& outcome) {
  return outcome ? Status::ok : report(session, daemon, outcome.error());
}

// "used of all unit".
std::string share(const std::string& used, const std::string& all) { return used + " of " + all; }

}  // namespace

Status firewall_show(const Session& session) {
  const auto show = [&]() -> Result<void> {
    Api api = TRY(Api::make(session, Daemon::netfw));
    const Json firewall = TRY(api.get("/v1/firewall"));
    if (session.json) {
      session.print_json(firewall);
    } else {
      session.out << render_firewall(firewall, session.style);
    }
    return {};
  };
  return finish(session, Daemon::netfw, show());
}

Status firewall_plan(const Session& session, const std::string& file) {
  const auto show = [&]() -> Result<void> {
    const Json policy = TRY(read_json_input(file));
    Api api = TRY(Api::make(session, Daemon::netfw));
    const Json plan = TRY(api.post("/v1/plan", policy));
    if (session.json) {
      session.print_json(plan);
    } else {
      session.out << render_plan(plan);
    }
    return {};
  };
  return finish(session, Daemon::netfw, show());
}

Status balancer_show(const Session& session) {
  const auto show = [&]() -> Result<void> {
    Api api = TRY(Api::make(session, Daemon::netfw));
    const Json services = TRY(api.get("/v1/services"));
    const Json instances = TRY(api.get("/v1/instances"));
    if (session.json) {
      session.print_json({{"services", services}, {"instances", instances}});
    } else {
      session.out << render_balancer(services, instances, session.style);
    }
    return {};
  };
  return finish(session, Daemon::netfw, show());
}

Status node_show(const Session& session) {
  const auto show = [&]() -> Result<void> {
    Api api = TRY(Api::make(session, Daemon::agent));
    const Json node = TRY(api.get("/v1/node"));
    if (session.json) {
      session.print_json(node);
    } else {
      session.out << render_node(node, session.style);
    }
    return {};
  };
  return finish(session, Daemon::agent, show());
}

std::string render_node(const Json& node, const Style& style) {
  Table table({{"NODE"}, {text_at(node, "name")}});
  const auto add = [&table](const char* name, const std::string& value) {
    if (!value.empty()) table.add({{name}, {value}});
  };
  add("address", text_at(node, "address"));
  add("zone", text_at(node, "zone"));
  add("cpus", share(format_number(number_at(node, "assigned/cpus")),
                    format_number(number_at(node, "resources/cpus"))));
  add("memory", share(format_bytes(number_at(node, "assigned/memory_bytes")),
                      format_bytes(number_at(node, "resources/memory_bytes"))));
  add("disk", format_bytes(number_at(node, "resources/disk_bytes")));
  add("instances", format_number(number_at(node, "assigned/instances")));
  add("ports", format_number(number_at(node, "port_first")) + " to " +
                   format_number(number_at(node, "port_last")));
  return table.render(style);
}

}  // namespace cli

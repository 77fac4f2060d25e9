// SPDX-License-Identifier: Apache-2.0
#include "node/master/port_reader.h"

#include <nlohmann/json.hpp>
#include <set>

namespace node::master {
namespace {

using base::Fields;
using base::Json;

// What ports of one app may not share.
struct Taken {
  std::set<std::string> names;
  std::set<std::int64_t> host_ports;
};

Json shown(const PortSlot& slot, Networking networking, std::int64_t port, Json labels) {
  Json out = {{"protocol", slot.protocol}, {"labels", std::move(labels)}};
  if (!slot.name.empty()) out["name"] = slot.name;
  if (networking == Networking::bridge) {
    out["containerPort"] = port;
    out["hostPort"] = slot.host_port;
    out["servicePort"] = slot.service_port;
  } else {
    out["port"] = port;
  }
  return out;
}

Json read_port(Fields& in, Networking networking, bool pinned, Taken& taken, PortSlot& slot) {
  const bool bridge = networking == Networking::bridge;
  const char* const name = bridge ? "containerPort" : "port";
  std::int64_t port = 0;
  std::int64_t host_port = 0;
  std::int64_t service_port = 0;
  Json labels = Json::object();
  in.optional(name, port, {0, 65'535});
  if (bridge) {
    in.optional("hostPort", host_port, {0, 65'535});
    in.optional("servicePort", service_port, {0, 65'535});
    in.find("networkNames");
  } else {
    service_port = port;
    if (pinned) host_port = port;
  }
  in.optional("protocol", slot.protocol);
  in.optional("name", slot.name, {.length_max = 63});
  if (const Json* given = in.find_object("labels")) labels = *given;
  if (slot.protocol == "tcp,udp") slot.protocol = "udp,tcp";
  if (bridge && slot.protocol != "tcp")
    in.reject("protocol", "must be tcp for container/bridge networking");
  else if (slot.protocol != "tcp" && slot.protocol != "udp" && slot.protocol != "udp,tcp")
    in.reject("protocol", "must be tcp, udp or udp,tcp");
  if (!slot.name.empty() && !taken.names.insert(slot.name).second)
    in.reject("name", "is used by another port of the app");
  if (host_port != 0 && !taken.host_ports.insert(host_port).second)
    in.reject(bridge ? "hostPort" : name, "is asked for by another port of the app");
  slot.container_port = bridge ? static_cast<int>(port) : 0;
  slot.host_port = static_cast<int>(host_port);
  slot.service_port = static_cast<int>(service_port);
  return shown(slot, networking, port, std::move(labels));
}

}  // namespace

PortList read_ports_of(const Json& list, const std::string& pointer, Networking networking,
                       bool pinned, Problems& problems) {
  PortList out{{}, Json::array()};
  Taken taken;
  for (std::size_t i = 0; i < list.size(); ++i) {
    Fields in(list[i], base::child_pointer(pointer, std::to_string(i)));
    PortSlot slot;
    out.document.push_back(read_port(in, networking, pinned, taken, slot));
    if (auto done = in.finish(base::UnknownFields::refuse); !done) problems.add(done.error());
    out.slots.push_back(std::move(slot));
  }
  return out;
}

}  // namespace node::master

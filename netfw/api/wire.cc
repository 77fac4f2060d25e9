// SPDX-License-Identifier: Apache-2.0
#include "netfw/api/wire.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/text.h"

namespace netfw {
namespace {

constexpr std::string_view kStates[] = {"starting", "healthy", "unhealthy", "draining"};

base::Error at(std::string pointer, base::Error error) {
  error.pointer = std::move(pointer);
  return error;
}

base::Result<ServicePort> read_port(const base::Json& json, std::string pointer) {
  base::Fields fields(json, pointer);
  ServicePort port;
  std::int64_t index = 0;
  std::int64_t service_port = 0;
  std::string protocol = "tcp";
  std::string name;
  fields.required("index", index, {.min = 0, .max = 999});
  fields.optional("service_port", service_port, {.min = 0, .max = 65535});
  fields.optional("protocol", protocol, {.length_max = 16});
  fields.optional("name", name, {.length_max = 255});
  if (protocol != "tcp" && protocol != "udp" && protocol != "udp,tcp" && protocol != "tcp,udp") {
    fields.reject("protocol", "expected tcp, udp or both joined by a comma");
  }
  TRY(fields.finish(base::UnknownFields::refuse));
  port.index = static_cast<unsigned>(index);
  port.service_port = static_cast<std::uint16_t>(service_port);
  port.tcp = protocol.find("tcp") != std::string::npos;
  port.udp = protocol.find("udp") != std::string::npos;
  return port;
}

base::Result<std::map<std::string, std::string>> read_labels(const base::Json* json,
                                                             const std::string& pointer) {
  std::map<std::string, std::string> out;
  if (json == nullptr) return out;
  for (const auto& [name, value] : json->items()) {
    if (!value.is_string()) {
      return base::Error{.code = base::Code::invalid_argument,
                         .detail = "a label is a text",
                         .reason = "field_invalid",
                         .pointer = base::child_pointer(pointer, name)};
    }
    out.emplace(name, value.get<std::string>());
  }
  return out;
}

base::Result<Service> read_service(const base::Json& json, const std::string& pointer,
                                   std::vector<Problem>& problems) {
  base::Fields fields(json, pointer);
  std::string id;
  fields.required("id", id, {.length_min = 1, .length_max = 255});
  const base::Json* const labels = fields.find_object("labels");
  const base::Json* const ports = fields.find_array("ports", kPortsMax);
  TRY(fields.finish(base::UnknownFields::refuse));
  Service service;
  auto parsed = parse_service_id(id);
  if (!parsed) return at(base::child_pointer(pointer, "id"), parsed.error());
  service.id = *parsed;
  if (ports != nullptr) {
    for (std::size_t i = 0; i < ports->size(); ++i) {
      service.ports.push_back(TRY(read_port((*ports)[i], pointer + "/ports/" + std::to_string(i))));
    }
  }
  const auto label_map = TRY(read_labels(labels, pointer + "/labels"));
  for (Problem& problem : apply_labels(label_map, service)) problems.push_back(std::move(problem));
  return service;
}

base::Result<std::vector<IpNet>> read_nets(base::Fields& fields, std::string_view name,
                                           std::vector<IpNet> fallback) {
  if (fields.find(name) == nullptr) return fallback;
  std::vector<std::string> texts;
  fields.optional(name, texts, kNetsMax, {.length_min = 1, .length_max = 64});
  std::vector<IpNet> out;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    auto net = IpNet::parse(texts[i]);
    if (!net) return at(fields.pointer_of(name) + "/" + std::to_string(i), net.error());
    out.push_back(*net);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

void read_ports(base::Fields& fields, std::string_view name, std::vector<std::uint16_t>& out,
                std::int64_t first = 1) {
  const base::Json* const array = fields.find_array(name, kNetsMax);
  if (array == nullptr) return;
  out.clear();
  for (const base::Json& value : *array) {
    if (!value.is_number_integer() || value < first || value > 65535) {
      fields.reject(name, "a port is a number from " + std::to_string(first) + " to 65535");
      return;
    }
    out.push_back(value.get<std::uint16_t>());
  }
}

std::vector<std::string> texts_of(const std::vector<IpNet>& nets) {
  std::vector<std::string> out;
  for (const IpNet& net : nets) out.push_back(net.text());
  return out;
}

}  // namespace

base::Result<ServiceSet> read_services(const base::Json& body) {
  base::Fields fields(body);
  ServiceSet out;
  fields.required("generation", out.generation, {.min = 0});
  const base::Json* const services = fields.find_array("services", kServicesMax);
  if (services == nullptr) fields.reject("services", "missing", "field_missing");
  TRY(fields.finish(base::UnknownFields::refuse));
  std::vector<std::string> seen;
  for (std::size_t i = 0; i < services->size(); ++i) {
    const std::string pointer = "/services/" + std::to_string(i);
    out.services.push_back(TRY(read_service((*services)[i], pointer, out.problems)));
    seen.push_back(out.services.back().id.text());
  }
  std::sort(seen.begin(), seen.end());
  if (const auto twice = std::adjacent_find(seen.begin(), seen.end()); twice != seen.end()) {
    return base::Error{.code = base::Code::invalid_argument,
                       .detail = "the service " + *twice + " stands there twice",
                       .reason = "service_twice",
                       .pointer = "/services"};
  }
  return out;
}

base::Json write_problems(const std::vector<Problem>& problems) {
  base::Json out = base::Json::array();
  for (const Problem& problem : problems) {
    out.push_back(
        {{"service", problem.service}, {"label", problem.label}, {"detail", problem.detail}});
  }
  return out;
}

base::Json write_service(const Service& service) {
  base::Json ports = base::Json::array();
  for (const ServicePort& port : service.ports) {
    base::Json vhosts = base::Json::array();
    for (const Vhost& vhost : port.vhosts) vhosts.push_back(vhost.text());
    constexpr std::string_view kBalance[] = {"roundrobin", "leastconn", "source"};
    base::Json json = {{"index", port.index},
                       {"service_port", port.service_port},
                       {"protocol", port.tcp ? (port.udp ? "udp,tcp" : "tcp") : "udp"},
                       {"mode", port.mode == Mode::http ? "http" : "tcp"},
                       {"balance", kBalance[static_cast<std::size_t>(port.balance)]},
                       {"sticky", port.sticky},
                       {"enabled", port.enabled},
                       {"redirect_to_https", port.redirect_to_https},
                       {"hsts", port.hsts},
                       {"weight", port.weight},
                       {"vhosts", std::move(vhosts)}};
    if (!port.paths.empty()) json["path"] = port.paths.front().text();
    ports.push_back(std::move(json));
  }
  return {{"id", service.id.text()}, {"group", service.group}, {"ports", std::move(ports)}};
}

std::string_view state_name(InstanceState state) {
  return kStates[static_cast<std::size_t>(state)];
}

base::Result<Instance> read_instance(const base::Json& body, std::string_view id,
                                     std::string_view pointer) {
  base::Fields fields(body, std::string(pointer));
  Instance out;
  std::string id_text(id);
  std::string service;
  std::string node;
  std::string address;
  std::string state;
  if (id.empty()) fields.required("id", id_text, {.length_min = 1, .length_max = 255});
  fields.required("service", service, {.length_min = 1, .length_max = 255});
  fields.required("node", node, {.length_min = 1, .length_max = 255});
  fields.required("address", address, {.length_min = 2, .length_max = 64});
  fields.required("state", state, {.length_max = 16});
  read_ports(fields, "ports", out.ports, 0);
  const auto* const found = std::find(std::begin(kStates), std::end(kStates), state);
  if (found == std::end(kStates)) {
    fields.reject("state", "expected starting, healthy, unhealthy or draining");
  }
  TRY(fields.finish(base::UnknownFields::refuse));
  out.state = static_cast<InstanceState>(found - std::begin(kStates));
  auto parsed_id = parse_instance_id(id_text);
  if (!parsed_id) return at(fields.pointer_of("id"), parsed_id.error());
  auto parsed_service = parse_service_id(service);
  if (!parsed_service) return at(fields.pointer_of("service"), parsed_service.error());
  auto parsed_node = parse_node_name(node);
  if (!parsed_node) return at(fields.pointer_of("node"), parsed_node.error());
  auto parsed_address = IpAddress::parse(address);
  if (!parsed_address) return at(fields.pointer_of("address"), parsed_address.error());
  out.id = *parsed_id;
  out.service = *parsed_service;
  out.node = *parsed_node;
  out.address = *parsed_address;
  return out;
}

base::Result<std::vector<Instance>> read_instances(const base::Json& body, const NodeName& node) {
  base::Fields fields(body);
  const base::Json* const array = fields.find_array("instances", kInstancesMax);
  if (array == nullptr) fields.reject("instances", "missing", "field_missing");
  TRY(fields.finish(base::UnknownFields::refuse));
  std::vector<Instance> out;
  for (std::size_t i = 0; i < array->size(); ++i) {
    const std::string pointer = "/instances/" + std::to_string(i);
    Instance instance = TRY(read_instance((*array)[i], "", pointer));
    if (instance.node != node) {
      return base::Error{.code = base::Code::invalid_argument,
                         .detail = "the instance is on another node than the path says",
                         .reason = "node_differs",
                         .pointer = pointer + "/node"};
    }
    out.push_back(std::move(instance));
  }
  return out;
}

base::Json write_instance(const Instance& instance) {
  return {{"id", instance.id.text()},     {"service", instance.service.text()},
          {"node", instance.node.text()}, {"address", instance.address.text()},
          {"ports", instance.ports},      {"state", state_name(instance.state)}};
}

Policy default_policy() {
  Policy out;
  for (const std::string_view text :
       {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10"}) {
    out.management.push_back(*IpNet::parse(text));
  }
  return out;
}

Policy minimal_policy() {
  Policy out = default_policy();
  out.cluster.clear();
  out.public_tcp.clear();
  out.public_udp.clear();
  out.cluster_tcp.clear();
  out.management_tcp.clear();
  return out;
}

base::Result<Policy> read_policy(const base::Json& body) {
  base::Fields fields(body);
  Policy out = default_policy();
  out.management = TRY(read_nets(fields, "management_sources", out.management));
  out.cluster = TRY(read_nets(fields, "cluster_sources", out.cluster));
  read_ports(fields, "public_tcp", out.public_tcp);
  read_ports(fields, "public_udp", out.public_udp);
  read_ports(fields, "cluster_tcp", out.cluster_tcp);
  read_ports(fields, "management_tcp", out.management_tcp);
  fields.optional("forward", out.forward);
  fields.find("on_trial");  // these two are what GET adds
  fields.find("trial");
  TRY(fields.finish(base::UnknownFields::refuse));
  return out;
}

base::Json write_policy(const Policy& policy) {
  return {{"management_sources", texts_of(policy.management)},
          {"cluster_sources", texts_of(policy.cluster)},
          {"public_tcp", policy.public_tcp},
          {"public_udp", policy.public_udp},
          {"cluster_tcp", policy.cluster_tcp},
          {"management_tcp", policy.management_tcp},
          {"forward", policy.forward}};
}

}  // namespace netfw

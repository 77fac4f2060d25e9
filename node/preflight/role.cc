// SPDX-License-Identifier: Apache-2.0
#include "node/preflight/role.h"

#include <nlohmann/json.hpp>

#include "common/base/config.h"

namespace node::preflight {

namespace {

// A cluster's nodes say where its ZooKeeper is, in whichever field.
bool names_zookeeper(const base::Json& json) {
  return base::dump_json(json).find("zookeeper") != std::string::npos;
}

}  // namespace

Role configured_role(const Tree& tree) {
  constexpr std::string_view kAgent = "/etc/gestalt/agentd.json";
  if (!tree.exists(kAgent)) return Role::infra;
  const auto agent = base::load_config(tree.at(kAgent));
  const auto master = base::load_config(tree.at("/etc/gestalt/masterd.json"));
  if (!agent || !master) return Role::infra;
  const auto zone = agent->find("zone");
  if (zone != agent->end() && *zone == "dmz") return Role::dmz;
  return names_zookeeper(*agent) || names_zookeeper(*master) ? Role::infra : Role::appliance;
}

}  // namespace node::preflight

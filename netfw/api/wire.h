// SPDX-License-Identifier: Apache-2.0
// The daemon's JSON shapes: services, instances, policy, packets; read strictly, written
// canonically.
//
// Used by the daemon's routes and by its store. Source: docs/reference/internal-apis.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/json.h"
#include "netfw/api/grammar.h"
#include "netfw/api/labels.h"

namespace netfw {

inline constexpr std::size_t kServicesMax = 5000;
inline constexpr std::size_t kPortsMax = 100;
inline constexpr std::size_t kInstancesMax = 20000;
inline constexpr std::size_t kNetsMax = 1000;

struct ServiceSet {
  std::int64_t generation = 0;
  std::vector<Service> services = {};
  std::vector<Problem> problems = {};  // of labels that were left out
};

// Errors: those of Fields; a service that is wrong in shape fails the whole, a label never does.
base::Result<ServiceSet> read_services(const base::Json& body);
base::Json write_problems(const std::vector<Problem>& problems);
base::Json write_service(const Service& service);

enum class InstanceState : std::uint8_t { starting, healthy, unhealthy, draining };

struct Instance {
  InstanceId id;
  ServiceId service;
  NodeName node;
  IpAddress address;
  std::vector<std::uint16_t> ports = {};
  InstanceState state = InstanceState::starting;
  friend bool operator==(const Instance&, const Instance&) = default;
};

// `id` is empty when the body itself carries it.
base::Result<Instance> read_instance(const base::Json& body, std::string_view id,
                                     std::string_view pointer = "");
base::Result<std::vector<Instance>> read_instances(const base::Json& body, const NodeName& node);
base::Json write_instance(const Instance& instance);
std::string_view state_name(InstanceState state);

// Who may reach what on this node, apart from what runs on it.
struct Policy {
  std::vector<IpNet> management = {};  // SSH and the management API
  std::vector<IpNet> cluster = {};     // other nodes
  std::vector<std::uint16_t> public_tcp = {80, 443};
  std::vector<std::uint16_t> public_udp = {};
  std::vector<std::uint16_t> cluster_tcp = {2181, 2888, 3888, 5050, 5051, 5432, 7860,
                                            7861, 7862, 7863, 8080, 9092, 9095};
  std::vector<std::uint16_t> management_tcp = {5050, 5051, 8080};
  bool forward = false;  // let through what passes this node to others; off: drop it
  friend bool operator==(const Policy&, const Policy&) = default;
};
// Private and link-local networks manage, nobody else is in the cluster. On a node the networks
// that are attached to it take the place of the private ones (daemon/networks.h).
Policy default_policy();
// SSH from the private networks and nothing else: for a boot at which nothing better is known.
Policy minimal_policy();
base::Result<Policy> read_policy(const base::Json& body);
base::Json write_policy(const Policy& policy);

}  // namespace netfw

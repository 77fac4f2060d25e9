// SPDX-License-Identifier: Apache-2.0
// Names that masterd and agentd share: instances, their systemd units, places in the coordination
// tree.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/json.h"

namespace node::api {

// Marathon's task id, `demo_web.instance-<uuid>._app.1`. At most kInstanceIdMax bytes of letters,
// digits, '_', '.', ':' and '-', not starting with '.' or '-', so that it is also a file name and a
// unit name without escapes.
using InstanceId = base::Id<struct InstanceIdTag>;
inline constexpr std::size_t kInstanceIdMax = 200;
bool is_instance_id(std::string_view text);

// Reads a required instance id and notes what is wrong with it.
void read_instance_id(base::Fields& fields, std::string_view name, InstanceId& out);

inline constexpr std::size_t kPortsMax = 100;  // of one instance
inline constexpr std::size_t kChecksMax =
    20;  // health checks of one instance, and readiness checks

// Reads an optional list of at most kPortsMax TCP or UDP ports.
void read_port_numbers(base::Fields& fields, std::string_view name,
                       std::vector<std::uint16_t>& out);

inline constexpr std::string_view kUnitPrefix = "gst-";
// `gst-<id>-<epoch>.service`.
std::string unit_name(const InstanceId& id, std::int64_t epoch);
struct UnitOwner {
  InstanceId id;
  std::int64_t epoch = 0;
};
// The inverse; nullopt for a name that unit_name does not make.
std::optional<UnitOwner> parse_unit_name(std::string_view unit);

// Places in the coordination tree.
inline constexpr std::string_view kNodesPath = "/gestalt/nodes";
inline constexpr std::string_view kLivePath = "/gestalt/live";
inline constexpr std::string_view kAssignPath = "/gestalt/assign";
inline constexpr std::string_view kSpecsPath = "/gestalt/specs";
inline std::string place(std::string_view folder, std::string_view name) {
  return std::string(folder) + "/" + std::string(name);
}

}  // namespace node::api

// SPDX-License-Identifier: Apache-2.0
// The ports of a definition: portDefinitions of host networking, portMappings of bridges. Used by
// make_app() only.
#pragma once

#include <string>
#include <vector>

#include "node/master/app.h"

namespace node::master {

inline constexpr std::size_t kAppPortsMax = 100;

enum class Networking { host, bridge };

struct PortList {
  std::vector<PortSlot> slots;
  base::Json document;  // the list as it is shown
};
// `pinned` is requirePorts. What is wrong goes to `problems`.
PortList read_ports_of(const base::Json& list, const std::string& pointer, Networking networking,
                       bool pinned, Problems& problems);

}  // namespace node::master

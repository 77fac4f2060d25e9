// SPDX-License-Identifier: Apache-2.0
// A node as its agent describes it in /gestalt/nodes/<node>.
// Threads: plain values.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "common/base/json.h"
#include "common/base/result.h"

namespace node::api {

enum class Zone { core, dmz };

struct NodeResources {
  double cpus = 0;
  std::int64_t memory_bytes = 0;
  std::int64_t disk_bytes = 0;
  friend bool operator==(const NodeResources&, const NodeResources&) = default;
};

struct Node {
  std::string name;  // letters, digits, '.', '-' and '_'
  std::string address;
  Zone zone = Zone::core;
  std::map<std::string, std::string> attributes;
  NodeResources resources;
  std::int64_t port_first = 3000;
  std::int64_t port_last = 4000;
  std::string boot_id;
  friend bool operator==(const Node&, const Node&) = default;
};

bool is_node_name(std::string_view text);

// Errors: invalid_argument field_missing, field_invalid, field_unknown, not_an_object, with a
// pointer.
base::Result<Node> read_node(const base::Json& json);
base::Result<Node> decode_node(std::string_view text);
base::Json to_json(const Node& node);
std::string encode(const Node& node);
// "core" or "dmz".
std::string_view zone_word(Zone zone);
void read_zone(base::Fields& fields, std::string_view name, Zone& out);
// An object of at most 100 texts.
void read_attributes(base::Fields& fields, std::string_view name,
                     std::map<std::string, std::string>& out);

}  // namespace node::api

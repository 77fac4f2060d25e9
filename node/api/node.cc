// SPDX-License-Identifier: Apache-2.0
#include "node/api/node.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "node/api/enum_text.h"

namespace node::api {

namespace {

using base::Fields;
using base::Json;

constexpr std::size_t kAttributesMax = 100;
constexpr std::size_t kNameMax = 128;
constexpr EnumWords<Zone, 2> kZones{{{Zone::core, "core"}, {Zone::dmz, "dmz"}}};

void read_resources(Fields& parent, NodeResources& out) {
  const Json* json = parent.find_object("resources");
  if (json == nullptr) return;
  Fields fields(*json, parent.pointer_of("resources"));
  fields.optional("cpus", out.cpus, {.min = 0, .max = 1e6});
  fields.optional("memory_bytes", out.memory_bytes, {.min = 0, .max = INT64_MAX});
  fields.optional("disk_bytes", out.disk_bytes, {.min = 0, .max = INT64_MAX});
  if (auto done = fields.finish(base::UnknownFields::refuse); !done) parent.reject(done.error());
}

}  // namespace

bool is_node_name(std::string_view text) {
  if (text.empty() || text.size() > kNameMax || text.front() == '.') return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
  });
}

void read_attributes(Fields& parent, std::string_view name,
                     std::map<std::string, std::string>& out) {
  const Json* json = parent.find_object(name);
  if (json == nullptr) return;
  if (json->size() > kAttributesMax) {
    return parent.reject(name, "must have at most " + std::to_string(kAttributesMax) + " entries");
  }
  for (const auto& [key, value] : json->items()) {
    Fields fields(*json, parent.pointer_of(name));
    std::string text;
    fields.required(key, text, {.length_max = 1024});
    if (fields.failed()) return parent.reject(fields.finish(base::UnknownFields::ignore).error());
    out[key] = std::move(text);
  }
}

std::string_view zone_word(Zone zone) { return word_of(kZones, zone); }

void read_zone(Fields& fields, std::string_view name, Zone& out) {
  read_enum(fields, name, kZones, out);
}

base::Result<Node> read_node(const Json& json) {
  Node out;
  Fields fields(json);
  fields.required("name", out.name, {.length_min = 1, .length_max = kNameMax});
  if (!fields.failed() && !is_node_name(out.name)) {
    fields.reject("name", "must be letters, digits, '.', '-' and '_'");
  }
  fields.required("address", out.address, {.length_min = 1, .length_max = 253});
  read_zone(fields, "zone", out.zone);
  read_attributes(fields, "attributes", out.attributes);
  read_resources(fields, out.resources);
  fields.optional("port_first", out.port_first, {.min = 1, .max = 65535});
  fields.optional("port_last", out.port_last, {.min = 1, .max = 65535});
  if (out.port_last < out.port_first) fields.reject("port_last", "is below port_first");
  fields.optional("boot_id", out.boot_id, {.length_max = 64});
  TRY(fields.finish(base::UnknownFields::refuse));
  return out;
}

base::Result<Node> decode_node(std::string_view text) {
  const Json json = TRY(base::parse_json(text));
  return read_node(json);
}

Json to_json(const Node& node) {
  return {{"name", node.name},
          {"address", node.address},
          {"zone", zone_word(node.zone)},
          {"attributes", node.attributes},
          {"resources",
           {{"cpus", node.resources.cpus},
            {"memory_bytes", node.resources.memory_bytes},
            {"disk_bytes", node.resources.disk_bytes}}},
          {"port_first", node.port_first},
          {"port_last", node.port_last},
          {"boot_id", node.boot_id}};
}

std::string encode(const Node& node) { return base::dump_json(to_json(node)); }

}  // namespace node::api

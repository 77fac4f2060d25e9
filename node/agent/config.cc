// SPDX-License-Identifier: Apache-2.0
#include "node/agent/config.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "node/api/enum_text.h"

namespace node::agent {

namespace {

using base::Fields;
using base::Json;

constexpr std::int64_t kYearInSeconds = 366LL * 86'400;
constexpr api::EnumWords<UserNamespaces, 3> kUserNamespaces{{{UserNamespaces::automatic, "auto"},
                                                             {UserNamespaces::on, "on"},
                                                             {UserNamespaces::off, "off"}}};
constexpr api::EnumWords<VolumeEngine, 2> kVolumeEngines{
    {{VolumeEngine::dfs, "dfs"}, {VolumeEngine::folder, "folder"}}};

void read_path(Fields& fields, std::string_view name, std::string& out) {
  fields.optional(name, out, {.length_min = 1});
  if (!fields.failed() && !out.starts_with('/')) fields.reject(name, "must be an absolute path");
}

void read_path(Fields& fields, std::string_view name, std::filesystem::path& out) {
  std::string text = out.string();
  read_path(fields, name, text);
  out = text;
}

void read_seconds(Fields& fields, std::string_view name, std::chrono::seconds& out) {
  std::int64_t number = out.count();
  fields.optional(name, number, {.min = 0, .max = kYearInSeconds});
  out = std::chrono::seconds(number);
}

void read_images(Fields& parent, ImageLimits& out) {
  const Json* json = parent.find_object("images");
  if (json == nullptr) return;
  Fields fields(*json, parent.pointer_of("images"));
  read_seconds(fields, "unused_min_seconds", out.unused_min);
  fields.optional("disk_used_percent_max", out.disk_used_percent_max, {.min = 1, .max = 100});
  read_seconds(fields, "pull_deadline_seconds", out.pull_deadline);
  if (fields.find("credentials_file") != nullptr) {
    read_path(fields, "credentials_file", out.credentials_file);
  }
  fields.optional("plain_registries", out.plain_registries, 100,
                  {.length_min = 1, .length_max = 253});
  if (auto done = fields.finish(base::UnknownFields::refuse); !done) parent.reject(done.error());
}

void read_resources(Fields& parent, api::NodeResources& out) {
  const Json* json = parent.find_object("resources");
  if (json == nullptr) return;
  Fields fields(*json, parent.pointer_of("resources"));
  fields.optional("cpus", out.cpus, {.min = 0, .max = 1e6});
  fields.optional("memory_bytes", out.memory_bytes, {.min = 0});
  fields.optional("disk_bytes", out.disk_bytes, {.min = 0});
  if (auto done = fields.finish(base::UnknownFields::refuse); !done) parent.reject(done.error());
}

// Requires: the range of ports is known, each of which has an address.
void read_bridge(Fields& parent, Config& out) {
  BridgeConfig& bridge = out.bridge;
  if (const Json* json = parent.find_object("bridge"); json != nullptr) {
    Fields fields(*json, parent.pointer_of("bridge"));
    fields.optional("name", bridge.name, {.length_min = 1, .length_max = 15});
    if (bridge.name.find_first_of("/ :%") != std::string::npos || bridge.name.starts_with('.')) {
      fields.reject("name", "is not a name for an interface");
    }
    fields.optional("network_v4", bridge.network_v4);
    fields.optional("network_v6", bridge.network_v6);
    if (auto done = fields.finish(base::UnknownFields::refuse); !done) parent.reject(done.error());
  }
  const auto last =
      bridge_addresses(bridge, std::max<std::int64_t>(0, out.port_last - out.port_first));
  if (!last) parent.reject("bridge", last.error().detail);
}

void read_volumes(Fields& parent, VolumesConfig& out) {
  const Json* json = parent.find_object("volumes");
  if (json == nullptr) return;
  Fields fields(*json, parent.pointer_of("volumes"));
  api::read_enum(fields, "engine", kVolumeEngines, out.engine);
  fields.optional("servers", out.servers, 16, {.length_min = 1, .length_max = 253});
  for (const std::string& server : out.servers)
    if (server.find_first_of(", /$\n\t") != std::string::npos)
      fields.reject("servers", "is host[:port] of each metadata server");
  if (out.servers.empty()) fields.reject("servers", "at least one metadata server is needed");
  read_path(fields, "meta_socket", out.meta_socket);
  read_path(fields, "mount", out.mount);
  fields.optional("inodes_max", out.inodes_max, {.min = 100, .max = 10'000'000});
  fields.optional("dirty_mib", out.dirty_mib, {.min = 1, .max = 4096});
  if (auto done = fields.finish(base::UnknownFields::refuse); !done) parent.reject(done.error());
}

void read_peer_scopes(Fields& parent, std::map<std::string, std::vector<std::string>>& out) {
  const Json* json = parent.find_object("peer_scopes");
  if (json == nullptr) return;
  std::map<std::string, std::vector<std::string>> read;
  Fields fields(*json, parent.pointer_of("peer_scopes"));
  for (const auto& [user, scopes] : json->items()) {
    fields.optional(user, read[user], 100, {.length_min = 1, .length_max = 100});
  }
  if (auto done = fields.finish(base::UnknownFields::refuse); !done) parent.reject(done.error());
  out = std::move(read);
}

void read_folders(Fields& fields, Config& out) {
  read_path(fields, "state_folder", out.state_folder);
  read_path(fields, "run_folder", out.run_folder);
  read_path(fields, "volumes_folder", out.volumes_folder);
  read_path(fields, "coordination_folder", out.coordination_folder);
  read_path(fields, "tokens_file", out.tokens_file);
  read_path(fields, "master_socket", out.master_socket);
  read_path(fields, "netfw_socket", out.netfw_socket);
  read_path(fields, "oci_start", out.oci_start);
  read_path(fields, "crun", out.crun);
  read_path(fields, "skopeo", out.skopeo);
  read_path(fields, "umoci", out.umoci);
  read_path(fields, "mkfs", out.mkfs);
  read_path(fields, "socket_proxy", out.socket_proxy);
}

std::string find_address() {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return "127.0.0.1";
  std::string found = "127.0.0.1";
  for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr || each->ifa_addr->sa_family != AF_INET) continue;
    if ((each->ifa_flags & IFF_LOOPBACK) != 0 || (each->ifa_flags & IFF_UP) == 0) continue;
    char text[INET_ADDRSTRLEN];
    const auto* address = reinterpret_cast<const sockaddr_in*>(each->ifa_addr);
    inet_ntop(AF_INET, &address->sin_addr, text, sizeof text);
    found = text;
    break;
  }
  freeifaddrs(list);
  return found;
}

}  // namespace

base::Result<Config> read_config(const Json& json) {
  Config out;
  Fields fields(json);
  fields.optional("name", out.name, {.length_max = 128});
  if (!out.name.empty() && !api::is_node_name(out.name)) {
    fields.reject("name", "must be letters, digits, '.', '-' and '_'");
  }
  fields.optional("address", out.address, {.length_max = 253});
  api::read_zone(fields, "zone", out.zone);
  api::read_attributes(fields, "attributes", out.attributes);
  read_resources(fields, out.resources);
  fields.optional("port_first", out.port_first, {.min = 1, .max = 65535});
  fields.optional("port_last", out.port_last, {.min = 1, .max = 65535});
  if (out.port_last < out.port_first) fields.reject("port_last", "is below port_first");
  read_folders(fields, out);
  read_images(fields, out.images);
  read_bridge(fields, out);
  read_volumes(fields, out.volumes);
  read_peer_scopes(fields, out.peer_scopes);
  fields.optional("starts_max", out.starts_max, {.min = 0, .max = 1000});
  fields.optional("pids_default", out.pids_default, {.min = 16, .max = 4'194'304});
  api::read_enum(fields, "user_namespaces", kUserNamespaces, out.user_namespaces);
  fields.find("listen");  // read by rest::read_listeners
  fields.find("limits");  // read by rest::read_limits
  TRY(fields.finish(base::UnknownFields::refuse));
  return out;
}

base::Result<void> complete_from_machine(Config& config) {
  if (config.name.empty()) {
    char text[HOST_NAME_MAX + 1] = {};
    if (gethostname(text, sizeof text - 1) != 0) return base::os_error(errno, "gethostname");
    config.name = text;
    if (!api::is_node_name(config.name)) {
      return base::Error{base::Code::invalid_argument, "the host name is not a node name",
                         "field_invalid", 0, "/name"};
    }
  }
  if (config.address.empty()) config.address = find_address();
  const long processors = sysconf(_SC_NPROCESSORS_ONLN);
  if (config.resources.cpus == 0) config.resources.cpus = static_cast<double>(processors);
  if (config.resources.memory_bytes == 0) {
    config.resources.memory_bytes =
        static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  }
  if (config.resources.disk_bytes == 0) {
    struct statvfs info = {};
    if (statvfs(config.state_folder.c_str(), &info) == 0) {
      config.resources.disk_bytes = static_cast<std::int64_t>(info.f_blocks * info.f_frsize);
    }
  }
  if (config.starts_max == 0) config.starts_max = 2 * processors;
  return {};
}

}  // namespace node::agent

// SPDX-License-Identifier: Apache-2.0
#include "netfw/daemon/config.h"

#include <net/if.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>

#include "common/rest/daemon.h"
#include "common/sys/handle.h"
#include "netfw/model/firewall.h"

namespace netfw {
namespace {

bool has_ipv6() {
  const sys::Fd probe(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return probe.is_open();
}

void read_path(base::Fields& fields, std::string_view name, std::filesystem::path& out) {
  std::string text = out.string();
  fields.optional(name, text, {.length_min = 1, .length_max = 200});
  const auto ok = check_path(text);
  if (!ok) fields.reject(name, ok.error().detail, "config_path_unusable");
  out = text;
}

void read_port(base::Fields& fields, std::string_view name, std::uint16_t& out) {
  std::int64_t value = out;
  fields.optional(name, value, {.min = 1, .max = 65535});
  out = static_cast<std::uint16_t>(value);
}

base::Result<void> read_firewall(const base::Json* json, const std::string& pointer, Config& out) {
  if (json == nullptr) return {};
  base::Fields fields(*json, pointer);
  std::string backend(kind_name(out.firewall.kind));
  fields.optional("backend", backend);
  auto kind = parse_kind(backend);
  if (!kind) fields.reject("backend", kind.error().detail);
  out.firewall.kind = std::move(kind).value_or(FirewallKind::automatic);
  read_path(fields, "helper", out.firewall.iptables.helper);
  read_path(fields, "lock_file", out.firewall.iptables.lock_file);
  fields.optional("management_interface", out.management_interface, {.length_max = IFNAMSIZ - 1});
  return fields.finish(base::UnknownFields::refuse);
}

base::Result<void> read_haproxy(const base::Json* json, const std::string& pointer, Config& out) {
  if (json == nullptr) return {};
  base::Fields fields(*json, pointer);
  LbSkeleton& skeleton = out.skeleton;
  std::string mode = "unit";
  std::int64_t connections = skeleton.connections_max;
  fields.optional("mode", mode);
  read_path(fields, "binary", out.haproxy_binary);
  read_path(fields, "run_folder", out.haproxy_run_folder);
  read_path(fields, "certificates", out.certificates);
  fields.optional("user", skeleton.user, {.length_max = 32});
  fields.optional("bind_address", skeleton.bind_address, {.length_max = 64});
  fields.optional("connections_max", connections, {.min = 10, .max = 1'000'000});
  read_port(fields, "http_port", skeleton.http_port);
  read_port(fields, "https_port", skeleton.https_port);
  read_port(fields, "range_first", skeleton.range_first);
  read_port(fields, "range_last", skeleton.range_last);
  if (skeleton.range_last < skeleton.range_first ||
      skeleton.range_last - skeleton.range_first >= 2000) {
    fields.reject("range_last", "the range has 1 to 2000 ports");
  }
  if (skeleton.bind_address != "*" && !IpAddress::parse(skeleton.bind_address)) {
    fields.reject("bind_address", "expected * or an address");
  }
  for (const char c : skeleton.user) {
    const bool ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (!ok) fields.reject("user", "a user is made of a-z 0-9 - _");
  }
  if (mode == "unit") {
    out.haproxy_mode = HaproxyMode::unit;
  } else if (mode == "child") {
    out.haproxy_mode = HaproxyMode::child;
  } else if (mode == "off") {
    out.haproxy_mode = HaproxyMode::off;
  } else {
    fields.reject("mode", "expected unit, child or off");
  }
  skeleton.connections_max = static_cast<unsigned>(connections);
  return fields.finish(base::UnknownFields::refuse);
}

base::Result<void> read_dns(const base::Json* json, const std::string& pointer, Config& out) {
  if (json == nullptr) return {};
  base::Fields fields(*json, pointer);
  std::vector<std::string> listen;
  std::int64_t ttl = out.names.ttl_s;
  fields.optional("listen", listen, 16, {.length_min = 2, .length_max = 45});
  fields.optional("domain", out.names.domain, {.length_min = 1, .length_max = 63});
  fields.optional("ttl_seconds", ttl, {.min = 0, .max = 3600});
  read_port(fields, "port", out.dns_port);
  if (listen.empty()) fields.reject("listen", "at least one address is needed", "field_missing");
  for (const std::string& text : listen) {
    const auto address = IpAddress::parse(text);
    if (!address) fields.reject("listen", "'" + text + "' is no address");
    if (address) out.dns_listen.push_back(*address);
  }
  const auto domain = Vhost::parse(out.names.domain);
  if (!domain || domain->is_wildcard() || domain->text() != out.names.domain) {
    fields.reject("domain", "a domain is a host name in lower case");
  }
  out.names.ttl_s = static_cast<std::uint32_t>(ttl);
  return fields.finish(base::UnknownFields::refuse);
}

base::Result<void> read_peers(const base::Json* json, const std::string& pointer, Config& out) {
  if (json == nullptr) return {};
  out.peer_scopes.clear();
  base::Fields fields(*json, pointer);
  for (const auto& [user, value] : json->items()) {
    std::vector<std::string> scopes;
    fields.optional(user, scopes, 50, {.length_min = 1, .length_max = 64});
    out.peer_scopes.emplace(user, scopes);
  }
  return fields.finish(base::UnknownFields::refuse);
}

}  // namespace

base::Result<Config> read_config(const base::Json& json) {
  base::Fields fields(json);
  Config out;
  out.skeleton.user = "haproxy";
  read_path(fields, "state_folder", out.state_folder);
  read_path(fields, "tokens_file", out.tokens_file);
  const base::Json* const firewall = fields.find_object("firewall");
  const base::Json* const haproxy = fields.find_object("haproxy");
  const base::Json* const peers = fields.find_object("peer_scopes");
  const base::Json* const policy = fields.find_object("policy");
  const base::Json* const dns = fields.find_object("dns");
  fields.find("listen");
  fields.find("limits");
  TRY(fields.finish(base::UnknownFields::refuse));
  TRY(read_firewall(firewall, "/firewall", out));
  TRY(read_haproxy(haproxy, "/haproxy", out));
  TRY(read_peers(peers, "/peer_scopes", out));
  TRY(read_dns(dns, "/dns", out));
  if (policy != nullptr) {
    out.policy = TRY(read_policy(*policy));
    out.follows_networks = policy->find("management_sources") == policy->end();
    TRY(check_invariants(compile_policy(out.policy)));
  }
  out.listen =
      TRY(rest::read_listeners(json, "listen", {{.unix_path = "/run/gestalt/netfwd.sock"}}));
  out.limits = TRY(rest::read_limits(json));
  out.skeleton.folder = out.state_folder / "haproxy";
  out.skeleton.admin_socket = out.haproxy_run_folder / "admin.sock";
  out.skeleton.ipv6 = has_ipv6();
  return out;
}

}  // namespace netfw

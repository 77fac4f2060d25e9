// SPDX-License-Identifier: Apache-2.0
#include "netfw/haproxy/config.h"

#include "netfw/haproxy/certificates.h"

namespace netfw {
namespace {

// Requests that may be sent twice (RFC 9110 section 9.2.2).
constexpr std::string_view kRetryRule =
    "  http-request disable-l7-retry unless { method GET HEAD OPTIONS TRACE PUT DELETE }\n";

std::string bind_line(const LbSkeleton& skeleton, const std::string& ports,
                      const std::string& options) {
  if (skeleton.bind_address != "*") {
    return "  bind " + skeleton.bind_address + ":" + ports + options + "\n";
  }
  return (skeleton.ipv6 ? "  bind :::" + ports + " v4v6" : "  bind *:" + ports) + options + "\n";
}

std::string render_global(const LbSkeleton& skeleton, const std::string& fingerprint) {
  std::string out = "global\n";
  // The daemon keeps one session open for as long as both live.
  out += "  stats socket " + skeleton.admin_socket.string() +
         " mode 600 level admin expose-fd listeners\n"
         "  stats timeout 20d\n"
         "  hard-stop-after 60s\n";
  if (!fingerprint.empty()) out += "  description " + fingerprint + "\n";
  out += "  maxconn " + std::to_string(skeleton.connections_max) + "\n";
  if (!skeleton.user.empty()) out += "  user " + skeleton.user + "\n";
  if (!skeleton.certificate_folder.empty()) {
    // Mozilla's intermediate profile of 2024, without the key exchanges that lack forward secrecy.
    out +=
        "  ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets\n"
        "  ssl-default-bind-ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
        "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
        "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305\n"
        "  ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
        "TLS_CHACHA20_POLY1305_SHA256\n";
  }
  return out;
}

std::string render_defaults() {
  return "defaults\n"
         "  mode http\n"
         "  timeout connect 2s\n"
         "  timeout client 60s\n"
         "  timeout server 60s\n"
         "  timeout tunnel 1h\n"
         "  timeout http-request 10s\n"
         "  timeout http-keep-alive 15s\n"
         "  timeout queue 10s\n"
         "  retries 3\n"
         "  option redispatch 1\n"
         "  retry-on all-retryable-errors\n"
         "  option http-keep-alive\n"
         "  option dontlognull\n"
         "  http-reuse safe\n";
}

std::string render_redirects(const std::string& map) {
  std::string out;
  for (const char* const variable : {"txn.host", "txn.zone"}) {
    out += std::string("  http-request redirect scheme https code 301 if !{ ssl_fc } { var(") +
           variable + "),map_str(" + map + ") -m found }\n";
  }
  return out + "  http-request set-header X-Forwarded-Proto https if { ssl_fc }\n";
}

std::string render_hsts(const std::string& map) {
  std::string out;
  for (const char* const variable : {"txn.host", "txn.zone"}) {
    out +=
        std::string(
            "  http-response set-header Strict-Transport-Security max-age=15768000 if { ssl_fc } "
            "{ var(") +
        variable + "),map_str(" + map + ") -m found }\n";
  }
  return out;
}

std::string render_web(const LbSkeleton& skeleton) {
  const bool tls = !skeleton.certificate_folder.empty();
  const std::string hosts = map_path(skeleton, MapId::hosts).string();
  const std::string paths = map_path(skeleton, MapId::paths).string();
  const std::string missing = " unless { var(txn.pool) -m found }\n";
  std::string out = "frontend web\n" + bind_line(skeleton, std::to_string(skeleton.http_port), "");
  if (tls) {
    out += bind_line(skeleton, std::to_string(skeleton.https_port),
                     " ssl crt " + (skeleton.certificate_folder / kDefaultCertificate).string() +
                         " crt-list " + certificate_list(skeleton).string() +
                         " alpn h2,http/1.1 curves X25519:P-256:P-384");
  }
  out +=
      "  http-request set-var(txn.host) req.hdr(host),field(1,:),lower\n"
      "  http-request set-var(txn.zone) var(txn.host),regsub(^[^.]*,)\n"
      "  http-request set-var(txn.path) path\n";
  // The most exact match wins: host and path, wildcard and path, host, wildcard.
  const std::string set = "  http-request set-var(txn.pool) ";
  out += set + "var(txn.host),concat(,txn.path,),map_beg(" + paths + ")\n";
  out += set + "var(txn.zone),concat(,txn.path,),map_beg(" + paths + ")" + missing;
  out += set + "var(txn.host),map_str(" + hosts + ")" + missing;
  out += set + "var(txn.zone),map_str(" + hosts + ")" + missing;
  if (tls) {
    out += render_redirects(map_path(skeleton, MapId::redirects).string());
    out += render_hsts(map_path(skeleton, MapId::hsts).string());
  }
  out +=
      "  http-request set-header X-Forwarded-Proto http unless { ssl_fc }\n"
      "  use_backend %[var(txn.pool)] if { var(txn.pool) -m found }\n"
      "  default_backend nobody\n";
  return out;
}

std::string render_ports(const LbSkeleton& skeleton) {
  const std::string lookup = "dst_port,map_int(" + map_path(skeleton, MapId::ports).string() + ")";
  // One TCP frontend for all service ports. A connection that goes to an HTTP pool becomes HTTP
  // there, keep-alive and all, so that a port needs no mode of its own.
  std::string out = "frontend ports\n  mode tcp\n";
  out += bind_line(skeleton,
                   std::to_string(skeleton.range_first) + "-" + std::to_string(skeleton.range_last),
                   "");
  for (const std::uint16_t port : skeleton.extra_ports) {
    out += bind_line(skeleton, std::to_string(port), "");
  }
  out += "  tcp-request connection reject unless { " + lookup + " -m found }\n";
  out += "  use_backend %[" + lookup + "]\n";
  return out;
}

std::string render_pool(const PoolName& pool, const LbServers* servers) {
  std::string out = "backend " + pool.text() + "\n";
  const bool http = pool.kind().mode == Mode::http;
  out += http ? "  mode http\n" : "  mode tcp\n";
  switch (pool.kind().balance) {
    case Balance::roundrobin: out += "  balance roundrobin\n"; break;
    case Balance::leastconn: out += "  balance leastconn\n"; break;
    case Balance::source: out += "  balance source\n  hash-type consistent\n"; break;
  }
  if (pool.kind().sticky) {
    out += "  stick-table type ipv6 size 100k expire 30m\n  stick on src\n";
  }
  if (http) out += "  option forwardfor\n" + std::string(kRetryRule);
  if (servers == nullptr) return out;
  unsigned id = 0;
  for (const auto& [name, server] : *servers) {
    out += "  server " + name.text() + " " + host_and_port(server.address, server.port) + " id " +
           std::to_string(++id) + " " + std::string(server_options()) +
           (server.ready ? "\n" : " disabled\n");
  }
  return out;
}

std::string render(const LbSkeleton& skeleton, const LbState& state,
                   const std::string& fingerprint) {
  std::string out = "# Written by gestalt-netfwd, which replaces it: changes are lost.\n";
  out += render_global(skeleton, fingerprint) + render_defaults() + render_web(skeleton) +
         render_ports(skeleton) + "backend nobody\n  mode http\n";
  for (const auto& [kind, count] : skeleton.pools) {
    for (unsigned number = 0; number < count; ++number) {
      const PoolName pool(kind, number);
      const auto members = state.pools.find(pool);
      out += render_pool(pool, members == state.pools.end() ? nullptr : &members->second);
    }
  }
  return out;
}

}  // namespace

std::string host_and_port(const IpAddress& address, std::uint16_t port) {
  const std::string host =
      address.family == Family::v4 ? address.text() : "[" + address.text() + "]";
  return host + ":" + std::to_string(port);
}

std::filesystem::path config_path(const LbSkeleton& skeleton) {
  return skeleton.folder / "haproxy.cfg";
}

std::filesystem::path map_path(const LbSkeleton& skeleton, MapId id) {
  return skeleton.folder / (std::string(map_name(id)) + ".map");
}

std::string_view server_options() {
  // pool-…: without them HAProxy 2.6 keeps no idle connection to a server added at runtime.
  // observe: a member that refuses a connection is out at once, and back after one good check.
  return "weight 100 check inter 2s fastinter 250ms downinter 500ms rise 1 fall 3 observe layer4 "
         "error-limit 1 on-error mark-down "
         "pool-max-conn 256 pool-purge-delay 2s";
}

std::string render_config(const LbSkeleton& skeleton, const LbState& state) {
  return render(skeleton, state, fingerprint(skeleton));
}

std::string fingerprint(const LbSkeleton& skeleton) {
  // FNV-1a: it tells versions of our own text apart, nothing more.
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : render(skeleton, {}, "")) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return "gestalt-" + std::to_string(hash);
}

std::string render_map(const RouteMap& map) {
  std::string out;
  for (const auto& [key, pool] : map) out += key.text() + " " + pool.text() + "\n";
  return out;
}

base::Result<void> check_path(const std::filesystem::path& path) {
  const std::string text = path.string();
  bool ok = text.starts_with('/') && text.size() < 100;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    ok = ok && (plain || c == '/' || c == '.' || c == '-' || c == '_');
  }
  if (ok) return {};
  return base::Error{.code = base::Code::invalid_argument,
                     .detail = "the path " + text + " has bytes that a configuration cannot carry",
                     .reason = "config_path_unusable"};
}

}  // namespace netfw

// SPDX-License-Identifier: Apache-2.0
#include "netfw/haproxy/config.h"

#include <CppUTest/TestHarness.h>

#include <random>
#include <regex>

#include "common/base/text.h"
#include "netfw/haproxy/cli.h"
#include "tests/support/check_result.h"

using namespace netfw;

namespace {

// Every line that a configuration may have. Whatever labels say, nothing else comes out.
const std::regex& allowed_line() {
  static const std::regex kLine(
      "# Written by gestalt-netfwd, which replaces it: changes are lost\\."
      "|global|defaults|frontend (web|ports)|backend nobody"
      "|backend (http|tcp)_(roundrobin|leastconn|source)(_sticky)?_[0-9]+"
      "|  stats (socket /[a-z./]+ mode 600 level admin expose-fd listeners|timeout 20d)"
      "|  (hard-stop-after 60s|maxconn [0-9]+|user haproxy|description gestalt-[0-9]+)"
      "|  mode (http|tcp)"
      "|  timeout [a-z-]+ [0-9]+[smh]|  retries 3|  retry-on all-retryable-errors"
      "|  option (redispatch 1|http-keep-alive|dontlognull|forwardfor)|  http-reuse safe"
      "|  bind (:::|\\*:)[0-9]+(-[0-9]+)?( v4v6)?( ssl crt /[a-z/]+/default\\.pem crt-list "
      "/[a-z/]+/certificates\\.list alpn h2,http/1\\.1 curves X25519:P-256:P-384)?"
      "|  ssl-default-bind-options ssl-min-ver TLSv1\\.2 no-tls-tickets"
      "|  ssl-default-bind-ciphers(uites)? [A-Z0-9:_-]+"
      "|  http-response set-header Strict-Transport-Security max-age=15768000 if \\{ ssl_fc \\} "
      "\\{ "
      "var\\(txn\\.(host|zone)\\),map_str\\([a-z./]+\\) -m found \\}"
      "|  http-request (set-var\\(txn\\.[a-z]+\\)|set-header X-Forwarded-Proto|redirect scheme "
      "https|disable-l7-retry unless) [ -~]+"
      "|  (default_backend nobody|use_backend %\\[[a-z_.,()/]+\\]( if \\{ var\\(txn\\.pool\\) -m "
      "found \\})?)"
      "|  tcp-request connection reject unless \\{ [a-z_,()/.]+ -m found \\}"
      "|  balance (roundrobin|leastconn|source)|  hash-type consistent"
      "|  stick-table type ipv6 size 100k expire 30m|  stick on src"
      "|  server i_[0-9a-f]{16} [0-9a-f.:\\[\\]]+ id [0-9]+ weight 100 check inter 2s [a-z0-9 -]+");
  return kLine;
}

const std::regex& allowed_entry() {
  static const std::regex kEntry(
      "[a-z0-9.-]+(/[A-Za-z0-9/._~!$&()*+,=:@%-]*)? (http|tcp)_[a-z_]+_[0-9]+");
  return kEntry;
}

std::string random_text(std::mt19937& random) {
  static const std::vector<std::string> kPieces = {"a",
                                                   "web.demo",
                                                   "*.",
                                                   ".",
                                                   "/",
                                                   "/api",
                                                   "\n",
                                                   "\r",
                                                   ";",
                                                   " ",
                                                   "\t",
                                                   "#",
                                                   "\\",
                                                   "'",
                                                   "\"",
                                                   "%[src]",
                                                   "<<",
                                                   "  http-request return status 200",
                                                   "disable frontend web",
                                                   "http",
                                                   "tcp",
                                                   "true",
                                                   "80",
                                                   "10001",
                                                   "31000",
                                                   "99999",
                                                   "-1",
                                                   "roundrobin",
                                                   "source",
                                                   ",",
                                                   std::string(1, '\0'),
                                                   "\xc2\xa0",
                                                   "\xff",
                                                   "{",
                                                   "}",
                                                   "acl x",
                                                   "../",
                                                   "xn--bcher-kva"};
  std::string out;
  for (unsigned i = random() % 4; i < 4; ++i) out += kPieces[random() % kPieces.size()];
  return out;
}

std::map<std::string, std::string> random_labels(std::mt19937& random) {
  static const std::vector<std::string> kNames = {
      "HAPROXY_GROUP",          "HAPROXY_0_VHOST",
      "HAPROXY_1_VHOST",        "HAPROXY_0_PATH",
      "HAPROXY_0_PORT",         "HAPROXY_1_PORT",
      "HAPROXY_0_MODE",         "HAPROXY_0_BALANCE",
      "HAPROXY_1_STICKY",       "HAPROXY_0_REDIRECT_TO_HTTPS",
      "HAPROXY_0_BACKEND_HEAD", "HAPROXY_0_BACKEND_WEIGHT",
      "HAPROXY_0_USE_HSTS"};
  std::map<std::string, std::string> out;
  for (const std::string& name : kNames) {
    if (random() % 2 == 0) out[name] = random_text(random);
  }
  if (random() % 3 == 0) out[random_text(random)] = random_text(random);
  if (random() % 2 == 0) out["HAPROXY_0_VHOST"] = "good.demo";
  if (random() % 4 != 0) out["HAPROXY_GROUP"] = "external";
  return out;
}

void check_lines(const std::string& text, const std::regex& allowed) {
  for (const std::string_view line : base::split(text, '\n')) {
    if (line.empty()) continue;
    if (!std::regex_match(line.begin(), line.end(), allowed)) {
      FAIL(("not an allowed line: " + std::string(line)).c_str());
    }
  }
}

void check_command(const Command& command) {
  for (const char c : command.text()) CHECK_TRUE(c >= ' ' && c <= '~' && c != ';');
}

}  // namespace

TEST_GROUP(HaproxyConfig){};

TEST(HaproxyConfig, whatever_labels_say_only_the_expected_directives_come_out) {
  std::mt19937 random(20260131);
  unsigned routes = 0;
  for (int round = 0; round < 400; ++round) {
    std::vector<Service> services;
    std::map<InstanceId, Instance> instances;
    for (const char* const id : {"/a", "/b"}) {
      Service service{.id = ServiceId(id)};
      service.ports = {{.index = 0, .service_port = 10001}, {.index = 1, .service_port = 0}};
      apply_labels(random_labels(random), service);
      services.push_back(service);
      const InstanceId instance(std::string("i") + id[1]);
      instances.emplace(instance, Instance{instance,
                                           service.id,
                                           NodeName("n"),
                                           *IpAddress::parse("10.0.0.2"),
                                           {3001, 3002},
                                           InstanceState::healthy});
    }
    LbLimits limits;
    if (random() % 2 == 0) limits.certified = {"good.demo", "web.demo"};
    const LbDesired desired = make_lb({services, instances, limits, {}}, {});
    LbSkeleton skeleton;
    skeleton.user = "haproxy";
    if (!limits.certified.empty()) skeleton.certificate_folder = "/etc/certificates";
    skeleton.extra_ports = desired.extra_ports;
    for (const auto& [key, pool] : desired.assignments) skeleton.pools[pool.kind()] = 2;
    check_lines(render_config(skeleton, desired.state), allowed_line());
    for (const auto& [id, map] : desired.state.maps) {
      check_lines(render_map(map), allowed_entry());
      for (const auto& [key, pool] : map) {
        ++routes;
        check_command(Command::add_entry(map_path(skeleton, id), key, pool));
        CHECK_TRUE(UNWRAP(RouteKey::parse(key.text())) == key);
      }
    }
  }
  CHECK_TRUE(routes > 400);
}

TEST(HaproxyConfig, the_fingerprint_tells_skeletons_apart_and_nothing_else) {
  LbSkeleton skeleton;
  skeleton.pools = count_pools({});
  const std::string before = fingerprint(skeleton);
  LbState state;
  state.maps[MapId::ports].emplace(RouteKey::port(10001), PoolName({}, 0));
  CHECK_TRUE(render_config(skeleton, state).find(before) != std::string::npos);
  skeleton.extra_ports = {31000};
  CHECK_FALSE(before == fingerprint(skeleton));
}

TEST(HaproxyConfig, names_of_others_are_not_taken_for_ours) {
  for (const char* const name :
       {"", "i_", "i_0123", "web", "i_0123456789abcdeg", "I_0123456789abcdef"}) {
    CHECK_ERROR(base::Code::invalid_argument, "name_foreign", ServerName::parse(name));
  }
  for (const char* const name : {"", "nobody", "http_roundrobin_", "http_roundrobin_01",
                                 "http_random_0", "http_roundrobin_-1"}) {
    CHECK_ERROR(base::Code::invalid_argument, "name_foreign", PoolName::parse(name));
  }
  for (const PoolKind kind : all_pool_kinds()) {
    const PoolName pool(kind, 17);
    CHECK_TRUE(UNWRAP(PoolName::parse(pool.text())) == pool);
  }
}

TEST(HaproxyConfig, paths_that_a_configuration_cannot_carry_are_refused) {
  CHECK_OK(check_path("/var/lib/gestalt/netfw"));
  for (const char* const path : {"relative", "/a b", "/a\n", "/a;b", "/a#b", "/\"", ""}) {
    CHECK_ERROR(base::Code::invalid_argument, "config_path_unusable", check_path(path));
  }
}

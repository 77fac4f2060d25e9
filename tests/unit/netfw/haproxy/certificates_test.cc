// SPDX-License-Identifier: Apache-2.0
// Certificates in a real HAProxy, seen by a real client.
#include "netfw/haproxy/certificates.h"

#include <CppUTest/TestHarness.h>
#include <unistd.h>

#include <fstream>

#include "common/sys/tls.h"
#include "netfw/haproxy/runtime.h"
#include "tests/support/check_result.h"
#include "tests/unit/netfw/haproxy_fixture.h"
#include "tests/unit/netfw/netns.h"

using namespace netfw;
using namespace netfw_test;
using namespace std::chrono_literals;

namespace {

const char* const kCurl = "/usr/bin/curl";

Certificate make(const std::string& host) {
  const sys::KeyPair made = UNWRAP(sys::make_self_signed(host, {host}, 99h));
  auto read = UNWRAP(
      sys::read_server_certificate(made.certificate_pem + std::string(made.key_pem.reveal())));
  return {read.pem, read.sha1};
}

}  // namespace

// clang-format off
TEST_GROUP(HaproxyCertificates) {
  OwnNetwork network;
  TempFolder folder;
  LbSkeleton skeleton;
  CertificateSet set;
  std::unique_ptr<Haproxy> haproxy;
  std::unique_ptr<LbRuntime> runtime;
  std::unique_ptr<EchoServer> server;

  void setup() override {
    skeleton.folder = folder.path();
    skeleton.admin_socket = folder.path() / "admin.sock";
    skeleton.certificate_folder = folder.path() / "served";
    skeleton.bind_address = "127.0.0.1";
    skeleton.range_last = 10009;
    skeleton.connections_max = 500;
    skeleton.pools = count_pools({});
    set[kDefaultCertificate] = make("default.demo");
    CHECK_OK(write_certificates(skeleton, set));
    server = std::make_unique<EchoServer>(3001, "one");
    CHECK_OK(write_config(skeleton, state({})));
    haproxy = std::make_unique<Haproxy>(folder.path());
    runtime = std::make_unique<LbRuntime>(skeleton, folder.path() / "master.sock");
    if (!eventually([&] { return runtime->connect().has_value(); })) CHECK_OK(runtime->connect());
  }
  // web.demo and *.wild.demo, with labels on the first.
  LbState state(const std::set<std::string>& certified) {
    Service web{.id = ServiceId("/web"), .group = "external"};
    web.ports = {{.index = 0}, {.index = 1}};
    web.ports[0].vhosts = {*Vhost::parse("web.demo")};
    web.ports[0].redirect_to_https = true;
    web.ports[0].hsts = true;
    web.ports[1].vhosts = {*Vhost::parse("*.wild.demo")};
    const Instance instance{InstanceId("i1"), web.id, NodeName("n1"), *IpAddress::parse("127.0.0.1"),
                            {3001, 3001}, InstanceState::healthy};
    LbLimits limits{.range_last = 10009};
    limits.certified = certified;
    return make_lb({{web}, {{instance.id, instance}}, limits, {}}, {}).state;
  }
  void use(const LbState& wanted) {
    CHECK_OK(write_certificates(skeleton, set));
    CHECK_OK(runtime->use_certificates(set));
    for (const Step& step : plan_balance(wanted, runtime->seen())) CHECK_OK(runtime->execute(step));
  }
  // Status, headers and body as curl got them; "" when the handshake failed. Trusts only `name`.
  std::string get(const std::string& host, const std::string& name,
                  const std::vector<std::string>& options = {}) {
    const std::string ca = (folder.path() / "ca.pem").string();
    std::ofstream(ca) << set.at(name).pem.reveal();
    const std::string out = (folder.path() / "answer").string();
    std::ofstream(out) << "";
    std::vector<std::string> argv = {"/bin/sh", "-c", "\"$@\"; true", "sh", kCurl, "-s", "-i",
                                     "--max-time", "5", "--cacert", ca, "-o", out, "--resolve",
                                     host + ":443:127.0.0.1"};
    argv.insert(argv.end(), options.begin(), options.end());
    argv.push_back("https://" + host + "/");
    run_tool(argv);
    std::ifstream file(out);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  bool serves(const std::string& host, const std::string& name) {
    return get(host, name).find("HTTP/2 ") == 0;
  }
};
// clang-format on

TEST(HaproxyCertificates, each_host_has_its_own_and_others_the_default_without_a_reload) {
  const long pid = runtime->pid();
  const std::string web = certificate_file("web.pem");
  set[web] = make("web.demo");
  CHECK_TRUE(serves("default.demo", kDefaultCertificate));
  CHECK_FALSE(serves("web.demo", web));
  use(state({"web.demo"}));
  CHECK_TRUE(serves("web.demo", web));
  CHECK_TRUE(serves("default.demo", kDefaultCertificate));
  CHECK_TRUE(get("web.demo", web).ends_with("one"));
  // Replaced, then removed, seen by the next handshake.
  const Certificate old = set[web];
  set[web] = make("web.demo");
  set[kDefaultCertificate] = make("default.demo");
  use(state({"web.demo"}));
  CHECK_TRUE(serves("web.demo", web));
  CHECK_TRUE(serves("default.demo", kDefaultCertificate));
  set[web] = old;
  CHECK_FALSE(serves("web.demo", web));
  set.erase(web);
  use(state({}));
  CHECK_TRUE(get("web.demo", kDefaultCertificate, {"-k"}).find("HTTP/2 ") == 0);
  CHECK_EQUAL(1, UNWRAP(runtime->use_certificates(set)) + 1);
  CHECK_OK(runtime->connect());
  CHECK_EQUAL(pid, runtime->pid());
}

TEST(HaproxyCertificates, a_new_life_of_haproxy_has_the_same_from_its_files) {
  const std::string web = certificate_file("web.pem");
  set[web] = make("web.demo");
  use(state({"web.demo"}));
  haproxy->kill_hard();
  haproxy->start();
  CHECK_TRUE(eventually([&] { return runtime->connect().has_value(); }));
  CHECK_EQUAL(2, runtime->seen().certificates.size());
  CHECK_EQUAL(0, UNWRAP(runtime->use_certificates(set)));
  CHECK_TRUE(serves("web.demo", web));
}

TEST(HaproxyCertificates, labels_redirect_and_tell_browsers_to_stay_only_with_a_certificate) {
  use(state({}));
  CHECK_EQUAL(200, http_get(80, "web.demo", "/x").status);
  const std::string web = certificate_file("web.pem");
  set[web] = make("web.demo");
  use(state({"web.demo"}));
  const HttpAnswer moved = http_get(80, "web.demo", "/x?y=1");
  CHECK_EQUAL(301, moved.status);
  CHECK_TRUE(moved.head.find("location: https://web.demo/x?y=1") != std::string::npos);
  CHECK_EQUAL(200, http_get(80, "a.wild.demo", "/").status);
  CHECK_TRUE(get("web.demo", web).find("strict-transport-security: max-age=15768000") !=
             std::string::npos);
  CHECK_TRUE(get("a.wild.demo", kDefaultCertificate, {"-k"}).find("strict-transport") ==
             std::string::npos);
}

TEST(HaproxyCertificates, old_protocols_and_weak_ciphers_find_no_handshake) {
  const auto works = [&](const std::vector<std::string>& options) {
    return !get("default.demo", kDefaultCertificate, options).empty();
  };
  CHECK_TRUE(works({"--tlsv1.3"}));
  CHECK_TRUE(works({"--tlsv1.2", "--tls-max", "1.2"}));
  CHECK_FALSE(works({"--tlsv1.0", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0"}));
  CHECK_FALSE(works({"--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-AES128-SHA"}));
  CHECK_FALSE(works({"--tls-max", "1.2", "--ciphers", "AES128-GCM-SHA256"}));
}

TEST(HaproxyCertificates, what_haproxy_refuses_leaves_the_one_before_and_can_be_tried_again) {
  const Certificate good = set[kDefaultCertificate];
  const std::string text(good.pem.reveal());
  // A certificate and the key of another: HAProxy finds out at the commit.
  const std::string other(make("x.demo").pem.reveal());
  set[kDefaultCertificate] = {base::Secret(text.substr(0, text.find("-----BEGIN PRIVATE")) +
                                           other.substr(other.find("-----BEGIN PRIVATE"))),
                              "00"};
  const auto refused = runtime->use_certificates(set);
  CHECK_ERROR(base::Code::internal, "haproxy_refused", refused);
  CHECK_TRUE(refused.error().detail.find("PRIVATE") == std::string::npos);
  set[kDefaultCertificate] = good;
  CHECK_TRUE(serves("default.demo", kDefaultCertificate));
  set[kDefaultCertificate] = make("default.demo");
  CHECK_EQUAL(1, UNWRAP(runtime->use_certificates(set)));
  CHECK_TRUE(serves("default.demo", kDefaultCertificate));
}

TEST(HaproxyCertificates, swaps_under_load_fail_no_handshake) {
  std::atomic<bool> ending = false;
  std::atomic<unsigned> answers = 0;
  std::atomic<unsigned> failures = 0;
  std::thread client([&] {
    while (!ending) {
      ++answers;
      // curl tells by its status, which run_tool would take for the test's end.
      const std::string said = run_tool({"/bin/sh", "-c", "\"$@\"; true", "sh", kCurl, "-sk", "-w",
                                         "%{http_code}", "-o", "/dev/null", "--resolve",
                                         "default.demo:443:127.0.0.1", "https://default.demo/"});
      if (said != "503") ++failures;
    }
  });
  for (int i = 0; i < 50; ++i) {
    set[kDefaultCertificate] = make("default.demo");
    CHECK_EQUAL(1, UNWRAP(runtime->use_certificates(set)));
  }
  CHECK_TRUE(eventually([&] { return answers > 10; }));
  ending = true;
  client.join();
  CHECK_EQUAL(0, failures.load());
}

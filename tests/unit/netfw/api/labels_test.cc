// SPDX-License-Identifier: Apache-2.0
#include "netfw/api/labels.h"

#include <CppUTest/TestHarness.h>

#include <nlohmann/json.hpp>

#include "netfw/api/wire.h"
#include "tests/support/check_result.h"

using namespace netfw;

namespace {

Service two_ports() {
  Service out{.id = ServiceId("/demo/web")};
  out.ports = {{.index = 0, .service_port = 10001}, {.index = 1, .service_port = 10002}};
  out.group = "external";
  return out;
}

}  // namespace

TEST_GROUP(Labels){};

TEST(Labels, every_supported_label_counts) {
  Service service = two_ports();
  const auto problems = apply_labels({{"HAPROXY_GROUP", "external"},
                                      {"HAPROXY_0_VHOST", "Web.Demo, *.web.demo,web.demo"},
                                      {"HAPROXY_0_PATH", "/api"},
                                      {"HAPROXY_0_STICKY", "true"},
                                      {"HAPROXY_0_REDIRECT_TO_HTTPS", "True"},
                                      {"HAPROXY_0_BACKEND_WEIGHT", "7"},
                                      {"HAPROXY_1_MODE", "tcp"},
                                      {"HAPROXY_1_PORT", "9000"},
                                      {"HAPROXY_1_BALANCE", "leastconn"},
                                      {"HAPROXY_1_ENABLED", "false"},
                                      {"OTHER", "untouched;\n"}},
                                     service);
  CHECK_TRUE(problems.empty());
  STRCMP_EQUAL("external", service.group.c_str());
  const ServicePort& web = service.ports[0];
  CHECK_EQUAL(2, web.vhosts.size());
  STRCMP_EQUAL("web.demo", web.vhosts[0].text().c_str());
  STRCMP_EQUAL(".web.demo", web.vhosts[1].map_key().c_str());
  STRCMP_EQUAL("/api", web.paths[0].text().c_str());
  CHECK_TRUE(web.sticky && web.redirect_to_https && web.enabled);
  CHECK_EQUAL(7, web.weight);
  const ServicePort& raw = service.ports[1];
  CHECK_TRUE(raw.mode == Mode::tcp && raw.balance == Balance::leastconn && !raw.enabled);
  CHECK_EQUAL(9000, raw.service_port);
}

TEST(Labels, what_would_be_configuration_text_is_refused_label_by_label) {
  const struct {
    const char* label;
    std::string value;
  } kBad[] = {
      {"HAPROXY_0_VHOST", "a.example\n  http-request return status 200"},
      {"HAPROXY_0_VHOST", "a.example;disable frontend f"},
      {"HAPROXY_0_VHOST", "a.example\xc2\xa0"},
      {"HAPROXY_0_VHOST", "a b"},
      {"HAPROXY_0_VHOST", "-a.example"},
      {"HAPROXY_0_VHOST", "a..example"},
      {"HAPROXY_0_VHOST", "*.*.example"},
      {"HAPROXY_0_VHOST", "a.*.example"},
      {"HAPROXY_0_VHOST", ""},
      {"HAPROXY_0_VHOST", std::string(64, 'a') + ".example"},
      {"HAPROXY_0_VHOST", std::string("a.example\0x", 11)},
      {"HAPROXY_0_VHOST", "a_b.example"},
      {"HAPROXY_0_PATH", "/a b"},
      {"HAPROXY_0_PATH", "/a#b"},
      {"HAPROXY_0_PATH", "/a;b"},
      {"HAPROXY_0_PATH", "/a\\b"},
      {"HAPROXY_0_PATH", "/a\"b"},
      {"HAPROXY_0_PATH", "/a'b"},
      {"HAPROXY_0_PATH", "/a\nb"},
      {"HAPROXY_0_PATH", "a"},
      {"HAPROXY_0_PATH", "/<<"},
      {"HAPROXY_0_PORT", "0"},
      {"HAPROXY_0_PORT", "80 ssl"},
      {"HAPROXY_0_PORT", "65536"},
      {"HAPROXY_0_MODE", "health"},
      {"HAPROXY_0_BALANCE", "uri"},
      {"HAPROXY_0_BALANCE", "roundrobin\n"},
      {"HAPROXY_0_STICKY", "yes"},
      {"HAPROXY_0_BACKEND_WEIGHT", "1e3"},
      {"HAPROXY_7_VHOST", "a.example"},
      {"HAPROXY_x_VHOST", "a.example"},
      {"HAPROXY_0_BIND_ADDR", "*"},
      {"HAPROXY_0_SSL_CERT", "/etc/ssl/x"},
      {"HAPROXY_0_AUTH", "realm:user:pw"},
      {"HAPROXY_0_BACKEND_HEAD", "backend x"},
      {"HAPROXY_0_HTTP_FRONTEND_ACL", "acl x"},
      {"HAPROXY_HTTP_FRONTEND_HEAD", "frontend x"},
      {"HAPROXY_DEPLOYMENT_GROUP", "x"},
      {"HAPROXY_GROUP", "a\nb"},
      {"HAPROXY_", ""},
  };
  for (const auto& bad : kBad) {
    Service service = two_ports();
    const auto problems =
        apply_labels({{"HAPROXY_1_MODE", "tcp"}, {bad.label, bad.value}}, service);
    CHECK_EQUAL_TEXT(1, problems.size(), (std::string(bad.label) + "=" + bad.value).c_str());
    STRCMP_EQUAL(bad.label, problems[0].label.c_str());
    CHECK_TRUE(service.ports[1].mode == Mode::tcp);  // the good label counts all the same
    CHECK_TRUE(service.ports[0] == two_ports().ports[0]);
  }
}

// All that marathon-lb puts into its configuration as it stands.
TEST(Labels, every_template_label_is_refused_by_name) {
  const char* const names[] = {"BACKEND_HEAD",
                               "BACKEND_HTTP_OPTIONS",
                               "BACKEND_HTTP_HEALTHCHECK_OPTIONS",
                               "BACKEND_HSTS_OPTIONS",
                               "BACKEND_NETWORK_ALLOWED_ACL",
                               "BACKEND_PROXYPASS_GLUE",
                               "BACKEND_REDIRECT_HTTP_TO_HTTPS",
                               "BACKEND_REVPROXY_GLUE",
                               "BACKEND_SERVER_HTTP_HEALTHCHECK_OPTIONS",
                               "BACKEND_SERVER_OPTIONS",
                               "BACKEND_SERVER_TCP_HEALTHCHECK_OPTIONS",
                               "BACKEND_STICKY_OPTIONS",
                               "BACKEND_TCP_HEALTHCHECK_OPTIONS",
                               "FRONTEND_BACKEND_GLUE",
                               "FRONTEND_HEAD",
                               "HTTP_BACKEND_PROXYPASS_PATH",
                               "HTTP_BACKEND_REDIR",
                               "HTTP_BACKEND_REVPROXY_PATH",
                               "HTTP_FRONTEND_ACL",
                               "HTTP_FRONTEND_ACL_ONLY",
                               "HTTP_FRONTEND_ACL_WITH_AUTH",
                               "HTTP_FRONTEND_APPID_ACL",
                               "HTTP_FRONTEND_ROUTING_ONLY",
                               "HTTPS_FRONTEND_ACL",
                               "HTTPS_FRONTEND_ROUTING_ONLY_WITH_PATH",
                               "MAP_HTTP_FRONTEND_ACL",
                               "SSL_CERT",
                               "BIND_ADDR",
                               "BIND_OPTIONS",
                               "AUTH",
                               "VHOST ",
                               "VHOST;",
                               "vhost"};
  for (const char* const name : names) {
    Service service = two_ports();
    const std::string label = std::string("HAPROXY_0_") + name;
    const auto problems = apply_labels({{label, "x"}}, service);
    CHECK_EQUAL_TEXT(1, problems.size(), name);
    STRCMP_EQUAL(label.c_str(), problems[0].label.c_str());
    CHECK_TRUE(service == two_ports());
  }
  for (const char* const name :
       {"HAPROXY_HEAD", "HAPROXY_HTTP_FRONTEND_HEAD", "HAPROXY_USERLISTS"}) {
    Service service = two_ports();
    CHECK_EQUAL(1, apply_labels({{name, "x"}}, service).size());
  }
}

TEST(Labels, long_labels_and_long_lists_are_left_out) {
  Service service = two_ports();
  std::string many;
  for (int i = 0; i < 65; ++i) many += "a" + std::to_string(i) + ".example,";
  many.pop_back();
  CHECK_EQUAL(2,
              apply_labels({{"HAPROXY_0_VHOST", many}, {"HAPROXY_1_VHOST", std::string(8193, 'a')}},
                           service)
                  .size());
  CHECK_TRUE(service == two_ports());
}

TEST(Labels, a_path_without_a_host_and_hosts_of_a_tcp_port_are_reported) {
  Service service = two_ports();
  const auto problems = apply_labels(
      {{"HAPROXY_0_PATH", "/api"}, {"HAPROXY_1_MODE", "tcp"}, {"HAPROXY_1_VHOST", "a.example"}},
      service);
  CHECK_EQUAL(2, problems.size());
  CHECK_TRUE(service.ports[0].paths.empty());
  CHECK_TRUE(service.ports[1].vhosts.empty());
}

TEST(Labels, what_is_asked_for_in_vain_is_reported_and_not_given) {
  const auto check = [](const std::map<std::string, std::string>& labels, const char* label) {
    Service service{.id = ServiceId("/demo/web")};
    service.ports = {{.index = 0, .service_port = 10001}};
    const auto problems = apply_labels(labels, service);
    if (label == nullptr) {
      CHECK_TRUE(problems.empty());
      return;
    }
    CHECK_EQUAL(1, problems.size());
    STRCMP_EQUAL(label, problems[0].label.c_str());
  };
  check({{"OTHER", "x"}}, nullptr);
  check({{"HAPROXY_0_VHOST", "a.example"}}, "HAPROXY_GROUP");
  check({{"HAPROXY_0_VHOST", "a.example"}, {"HAPROXY_GROUP", ""}}, "HAPROXY_GROUP");
  check({{"HAPROXY_0_VHOST", "a.example"}, {"HAPROXY_GROUP", "internal"}}, "HAPROXY_0_VHOST");
  check({{"HAPROXY_GROUP", "internal"}}, nullptr);
}

TEST(Labels, a_set_of_services_is_read_with_its_problems) {
  const auto json = base::Json::parse(R"({"generation":3,"services":[
      {"id":"/demo/web","labels":{"HAPROXY_0_VHOST":"a b","HAPROXY_GROUP":"internal"},
       "ports":[{"index":0,"service_port":10001,"protocol":"udp,tcp"}]},
      {"id":"/demo/db","labels":{},"ports":[]}]})");
  const ServiceSet set = UNWRAP(read_services(json));
  CHECK_EQUAL(2, set.services.size());
  CHECK_EQUAL(1, set.problems.size());
  CHECK_TRUE(set.services[0].ports[0].udp && set.services[0].ports[0].tcp);
  STRCMP_EQUAL("internal", set.services[0].group.c_str());
}

TEST(Labels, bodies_that_do_not_fit_are_refused_with_a_pointer) {
  const struct {
    const char* body;
    const char* reason;
    const char* pointer;
  } kBad[] = {
      {R"({"services":[]})", "field_missing", "/generation"},
      {R"({"generation":1,"services":[{"id":"/a;b"}]})", "id_invalid", "/services/0/id"},
      {R"({"generation":1,"services":[{"id":"/a","x":1}]})", "field_unknown", "/services/0/x"},
      {R"({"generation":1,"services":[{"id":"/a","labels":{"L":1}}]})", "field_invalid",
       "/services/0/labels/L"},
      {R"({"generation":1,"services":[{"id":"/a","ports":[{"index":0,"protocol":"sctp"}]}]})",
       "field_invalid", "/services/0/ports/0/protocol"},
      {R"({"generation":1,"services":[{"id":"/a"},{"id":"/a"}]})", "service_twice", "/services"},
  };
  for (const auto& bad : kBad) {
    const auto result = read_services(base::Json::parse(bad.body));
    CHECK_ERROR(base::Code::invalid_argument, bad.reason, result);
    STRCMP_EQUAL(bad.pointer, result.error().pointer.c_str());
  }
}

TEST(Labels, instances_and_policies_come_back_as_they_were_written) {
  const auto json = base::Json::parse(
      R"({"service":"/demo/web","node":"n1","address":"10.0.0.2","ports":[3001],"state":"healthy"})");
  const Instance instance = UNWRAP(read_instance(json, "demo_web.instance-1._app.1"));
  CHECK_TRUE(UNWRAP(read_instance(write_instance(instance), "")) == instance);
  Policy policy = default_policy();
  policy.cluster.push_back(UNWRAP(IpNet::parse("10.9.0.0/16")));
  policy.public_udp = {53};
  CHECK_TRUE(UNWRAP(read_policy(write_policy(policy))) == policy);
  CHECK_ERROR(base::Code::invalid_argument, "net_invalid",
              read_policy(base::Json::parse(R"({"management_sources":["10.0.0.1/8"]})")));
  CHECK_ERROR(base::Code::invalid_argument, "address_invalid",
              read_instance(base::Json::parse(R"({"service":"/a","node":"n","address":"10.0.0.2;x",
                  "state":"healthy"})"),
                            "i"));
}

// SPDX-License-Identifier: Apache-2.0
#include "netfw/dns/zone.h"

#include <CppUTest/TestHarness.h>

#include "tests/support/check_result.h"

using namespace netfw;
using namespace netfw::dns;

namespace {

TEST_GROUP(DnsZone) {
  std::vector<Service> services;
  std::map<InstanceId, Instance> instances;
  std::vector<Problem> problems;
  std::shared_ptr<const Zone> zone;

  void service(const std::string& id, bool udp = false) {
    Service made{.id = UNWRAP(parse_service_id(id))};
    made.ports.push_back({.index = 0, .udp = udp});
    services.push_back(made);
  }
  void instance(const std::string& id, const std::string& of, const std::string& address,
                InstanceState state = InstanceState::healthy) {
    Instance made{.id = UNWRAP(parse_instance_id(id)),
                  .service = UNWRAP(parse_service_id(of)),
                  .node = UNWRAP(parse_node_name("n1")),
                  .address = UNWRAP(IpAddress::parse(address)),
                  .ports = {31000},
                  .state = state};
    instances.insert_or_assign(made.id, made);
  }
  Answer ask(const std::string& name, Type type) {
    zone = Zone::make(services, instances, {}, 7, problems);
    Query query;
    query.name = name;
    query.type = static_cast<std::uint16_t>(type);
    query.qclass = kClassIn;
    return zone->find(query);
  }
};

TEST(DnsZone, healthy_instances_have_the_names_of_their_application) {
  service("/shop/cart", true);
  instance("c.1", "/shop/cart", "10.0.0.1");
  instance("c.2", "/shop/cart", "fd00::2");
  instance("c.3", "/shop/cart", "10.0.0.3", InstanceState::starting);
  instance("c.4", "/shop/cart", "10.0.0.4", InstanceState::draining);
  for (const char* name : {"cart-shop.marathon.mesos", "cart.shop.marathon.mesos"}) {
    const Answer v4 = ask(name, Type::a);
    CHECK(v4.authoritative && v4.rcode == Rcode::ok);
    CHECK_EQUAL(1u, v4.answers.size());
    CHECK(v4.answers[0].data == std::string("\x0a\0\0\1", 4));
    CHECK_EQUAL(1u, ask(name, Type::aaaa).answers.size());
  }
  for (const char* name : {"_cart-shop._tcp.marathon.mesos", "_cart-shop._udp.marathon.mesos"}) {
    const Answer ports = ask(name, Type::srv);
    CHECK_EQUAL(2u, ports.answers.size());
    CHECK_EQUAL(2u, ports.additional.size());
    CHECK(ports.answers[0].data.substr(4, 2) == std::string("\x79\x18", 2));  // 31000
    CHECK_EQUAL(1u, ask(srv_target(ports.answers[0]), Type::any).answers.size());
  }
}

TEST(DnsZone, what_is_not_there_is_told_apart) {
  service("/web");
  instance("w.1", "/web", "10.0.0.1");
  const Answer other_kind = ask("web.marathon.mesos", Type::aaaa);
  CHECK(other_kind.rcode == Rcode::ok && other_kind.answers.empty());
  CHECK_EQUAL(1u, other_kind.authority.size());
  const Answer above = ask("marathon.mesos", Type::a);  // names below it exist
  CHECK(above.rcode == Rcode::ok && above.answers.empty());
  const Answer absent = ask("api.marathon.mesos", Type::a);
  CHECK(absent.rcode == Rcode::name_error && absent.authoritative);
  CHECK(absent.authority[0].type == Type::soa);
  for (const char* name : {"example.org", "", "xmesos"}) {
    const Answer elsewhere = ask(name, Type::a);
    CHECK(elsewhere.rcode == Rcode::refused && !elsewhere.authoritative);
  }
  CHECK_EQUAL(1u, ask("mesos", Type::soa).answers.size());
  CHECK_EQUAL(1u, ask("mesos", Type::ns).answers.size());
}

TEST(DnsZone, of_two_applications_with_one_name_the_lesser_has_it_and_the_other_is_told) {
  service("/b-a");
  service("/a/b");
  instance("x.1", "/b-a", "10.0.0.9");
  instance("x.2", "/a/b", "10.0.0.1");
  const Answer answer = ask("b-a.marathon.mesos", Type::a);
  CHECK_EQUAL(1u, answer.answers.size());
  CHECK(answer.answers[0].data == std::string("\x0a\0\0\1", 4));
  CHECK_EQUAL(1u, problems.size());
  STRCMP_EQUAL("/b-a", problems[0].service.c_str());
}

TEST(DnsZone, a_name_that_is_too_long_is_told_and_the_others_are_served) {
  service("/" + std::string(60, 'x') + "/" + std::string(60, 'y'));
  service("/web");
  instance("w.1", "/web", "10.0.0.1");
  instance("l.1", services[0].id.text(), "10.0.0.2");
  CHECK_EQUAL(1u, ask("web.marathon.mesos", Type::a).answers.size());
  CHECK_EQUAL(1u, problems.size());
}

TEST(DnsZone, instances_take_turns) {
  service("/web");
  for (int i = 1; i <= 3; ++i) {
    instance("w." + std::to_string(i), "/web", "10.0.0." + std::to_string(i));
  }
  ask("web.marathon.mesos", Type::a);
  Query query;
  query.name = "web.marathon.mesos";
  query.type = 1;
  query.qclass = kClassIn;
  std::set<std::string> first;
  for (int i = 0; i < 3; ++i) first.insert(zone->find(query).answers[0].data);
  CHECK_EQUAL(3u, first.size());
}

}  // namespace

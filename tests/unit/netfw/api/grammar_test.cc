// SPDX-License-Identifier: Apache-2.0
#include "netfw/api/grammar.h"

#include <CppUTest/TestHarness.h>

#include "netfw/haproxy/cli.h"
#include "netfw/haproxy/config.h"
#include "netfw/model/balance.h"
#include "tests/support/check_result.h"

using namespace netfw;

namespace {

// Each is text that HAProxy, a shell, a rule's comment or a map file would take for more than a
// word.
const std::string kInjections[] = {"a;set maxconn frontend web 0",
                                   "a\n  http-request return status 200",
                                   "a\r\nx",
                                   "a b",
                                   "a\tb",
                                   "a#b",
                                   "a\"b",
                                   "a'b",
                                   "a\\b",
                                   "a`id`",
                                   "$(id)",
                                   "a|b",
                                   "a<<",
                                   "%[src]",
                                   "{ a }",
                                   std::string("a\0b", 3),
                                   "a\xc2\xa0",
                                   "\xff",
                                   "a\x7f",
                                   "a\x1b[2J",
                                   "<b>",
                                   "a^b"};

}  // namespace

TEST_GROUP(Grammar){};

TEST(Grammar, no_type_takes_what_means_more_than_itself) {
  for (const std::string& text : kInjections) {
    CHECK_FALSE_TEXT(Vhost::parse(text + ".demo").has_value(), text.c_str());
    CHECK_FALSE_TEXT(Vhost::parse("*." + text).has_value(), text.c_str());
    // A path stands in a map file and in a command only, where '$' and parentheses mean nothing.
    const bool is_plain = text == "$(id)";
    CHECK_EQUAL_TEXT(is_plain, UrlPath::parse("/" + text).has_value(), text.c_str());
    CHECK_FALSE_TEXT(parse_service_id("/" + text).has_value(), text.c_str());
    CHECK_FALSE_TEXT(parse_instance_id(text).has_value(), text.c_str());
    CHECK_FALSE_TEXT(parse_node_name(text).has_value(), text.c_str());
    CHECK_FALSE_TEXT(IpAddress::parse("10.0.0.1" + text).has_value(), text.c_str());
    CHECK_FALSE_TEXT(IpNet::parse("10.0.0.0/8" + text).has_value(), text.c_str());
    CHECK_FALSE_TEXT(PoolName::parse("http_roundrobin_0" + text).has_value(), text.c_str());
    CHECK_FALSE_TEXT(ServerName::parse("i_0123456789abcdef" + text).has_value(), text.c_str());
    CHECK_EQUAL_TEXT(is_plain, RouteKey::parse("a.demo/" + text).has_value(), text.c_str());
    CHECK_FALSE_TEXT(check_path("/" + text).has_value(), text.c_str());
  }
}

TEST(Grammar, a_command_says_one_thing_whatever_its_instance_is_called) {
  const auto address = UNWRAP(IpAddress::parse("fd00::1"));
  const InstanceId id = UNWRAP(parse_instance_id("demo_web.instance-1:x"));
  const ServerName name = ServerName::make(id, 0, {Transport::tcp, address, 3001});
  const std::string text = Command::add_server(PoolName({}, 0), name, address, 3001, 1).text();
  CHECK_TRUE(
      text.starts_with("add server http_roundrobin_0/" + name.text() + " [fd00::1]:3001 id 1 "));
  CHECK_TRUE(text.find("demo_web") == std::string::npos);
  CHECK_TRUE(text.find_first_of(";\n") == std::string::npos);
}

TEST(Grammar, host_names_have_the_lengths_and_letters_of_the_dns) {
  const std::string label(63, 'a');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'b');
  CHECK_EQUAL(253, UNWRAP(Vhost::parse(longest)).text().size());
  CHECK_FALSE(Vhost::parse(longest + "b").has_value());
  CHECK_FALSE(Vhost::parse(label + "a.demo").has_value());
  STRCMP_EQUAL("web.demo", UNWRAP(Vhost::parse("WEB.Demo")).text().c_str());
  STRCMP_EQUAL(".demo", UNWRAP(Vhost::parse("*.demo")).map_key().c_str());
  // An international name comes as its A-label.
  CHECK_OK(Vhost::parse("xn--bcher-kva.example"));
  for (const char* const bad : {"", ".", "a.", ".a", "*", "*.", "*a.demo", "a.*", "-a", "a-", "a_b",
                                "b\xc3\xbc"
                                "cher.example"}) {
    CHECK_FALSE_TEXT(Vhost::parse(bad).has_value(), bad);
  }
}

TEST(Grammar, paths_addresses_and_networks_have_limits) {
  CHECK_OK(UrlPath::parse("/" + std::string(1023, 'a')));
  CHECK_FALSE(UrlPath::parse("/" + std::string(1024, 'a')).has_value());
  CHECK_FALSE(UrlPath::parse("a").has_value());
  for (const char* const bad : {"", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0.1/8",
                                "::/129", "::ffff:10.0.0.1", "10.0.0"}) {
    CHECK_FALSE_TEXT(IpNet::parse(bad).has_value(), bad);
  }
  const IpNet net = UNWRAP(IpNet::parse("fd00:1::/33"));
  CHECK_TRUE(net.contains(UNWRAP(IpAddress::parse("fd00:1:7fff::1"))));
  CHECK_FALSE(net.contains(UNWRAP(IpAddress::parse("fd00:1:8000::1"))));
  CHECK_FALSE(net.contains(UNWRAP(IpAddress::parse("10.0.0.1"))));
  STRCMP_EQUAL(
      "tcp [fd00::2]:3001",
      (Endpoint{Transport::tcp, UNWRAP(IpAddress::parse("fd00::2")), 3001}).text().c_str());
}

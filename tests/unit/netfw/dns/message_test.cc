// SPDX-License-Identifier: Apache-2.0
#include "netfw/dns/message.h"

#include <CppUTest/TestHarness.h>

#include "tests/support/check_result.h"

using namespace netfw;
using namespace netfw::dns;

namespace {

// A query for `name`, whose labels come as they are.
std::string query_of(const std::vector<std::string>& labels, std::uint16_t type,
                     const std::string& more = "", char additional = 0, char flags = 1) {
  std::string out = std::string("\x12\x34", 2) + flags + std::string("\0\0\1\0\0\0\0\0", 8);
  out += additional;
  for (const std::string& label : labels) {
    out += static_cast<char>(label.size());
    out += label;
  }
  out += '\0';
  out += static_cast<char>(type >> 8);
  out += static_cast<char>(type & 0xff);
  out += std::string("\0\1", 2);
  return out + more;
}
std::string opt(std::uint16_t size, char version = 0) {
  std::string out("\0\0\x29", 3);
  out += static_cast<char>(size >> 8);
  out += static_cast<char>(size & 0xff);
  out += '\0';
  out += version;
  return out + std::string(4, '\0');
}

TEST_GROUP(DnsMessage){};

TEST(DnsMessage, a_question_is_read_whatever_its_case) {
  const auto query = read_query(query_of({"Web", "mArathon", "MESOS"}, 1));
  CHECK(query && query->wrong == Rcode::ok);
  STRCMP_EQUAL("web.marathon.mesos", query->name.c_str());
  CHECK_EQUAL(1u, query->type);
  CHECK(query->recursion_desired && !query->has_edns);
  CHECK_EQUAL(kUdpPlain, query->udp_size);
  // It goes back as it came.
  const std::string reply = write_reply(*query, {.authoritative = true}, kUdpPlain);
  CHECK(reply.find("mArathon") != std::string::npos);
  CHECK_EQUAL(query_of({"Web", "mArathon", "MESOS"}, 1).size(), reply.size());
}

TEST(DnsMessage, what_is_no_query_is_not_answered) {
  CHECK_FALSE(read_query("").has_value());
  CHECK_FALSE(read_query(std::string(11, '\0')).has_value());
  CHECK_FALSE(read_query(std::string(kQueryMax + 1, '\0')).has_value());
  CHECK_FALSE(read_query(query_of({"a"}, 1, "", 0, static_cast<char>(0x80))).has_value());
}

TEST(DnsMessage, what_cannot_be_understood_is_told_so) {
  struct Case {
    std::string bytes;
    Rcode rcode;
  };
  const std::string whole = query_of({"web", "mesos"}, 1);
  std::string none = whole;
  none[5] = 0;  // no question
  std::string pointer = query_of({}, 1);
  pointer.replace(12, 1, std::string("\xc0\x0c", 2));
  std::string many = query_of({}, 1);
  many.insert(12, std::string(300, '\1'));  // labels without end
  const Case cases[] = {
      {whole.substr(0, whole.size() - 1), Rcode::format_error},
      {none, Rcode::format_error},
      {pointer, Rcode::format_error},
      {many, Rcode::format_error},
      {query_of({"a"}, 1, "", 0, 0x10), Rcode::not_implemented},  // another opcode
      {query_of({"a"}, 1, opt(1232, 1), 1), Rcode::bad_version},
      {query_of({"a"}, 1, opt(1232) + opt(1232), 2), Rcode::format_error},
      {query_of({"a"}, 1, "", 1), Rcode::format_error},  // the record that it counts is not there
  };
  for (const Case& each : cases) {
    const auto query = read_query(each.bytes);
    CHECK(query.has_value());
    CHECK(query->wrong == each.rcode);
    const std::string reply = write_reply(*query, {.rcode = query->wrong}, kUdpPlain);
    CHECK(reply.size() >= 12 && reply[0] == '\x12');
  }
}

TEST(DnsMessage, edns_gives_room_within_bounds) {
  CHECK_EQUAL(1000u, read_query(query_of({"a"}, 1, opt(1000), 1))->udp_size);
  CHECK_EQUAL(kUdpMax, read_query(query_of({"a"}, 1, opt(65535), 1))->udp_size);
  CHECK_EQUAL(kUdpPlain, read_query(query_of({"a"}, 1, opt(0), 1))->udp_size);
}

TEST(DnsMessage, what_does_not_fit_is_left_out_and_said_to_be) {
  const auto query = read_query(query_of({"web", "mesos"}, 1));
  Answer answer{.authoritative = true};
  for (int i = 0; i < 20; ++i) {
    const auto address = UNWRAP(IpAddress::parse("10.0.0." + std::to_string(i)));
    answer.answers.push_back(address_record("web.mesos", 5, address));
    answer.additional.push_back(address_record("other.mesos", 5, address));
  }
  const std::string all = write_reply(*query, answer, kMessageMax);
  CHECK_EQUAL(0, all[2] & 2);
  const std::string some = write_reply(*query, answer, kUdpPlain);
  CHECK_EQUAL(0, some[2] & 2);
  CHECK_EQUAL(20, some[7]);
  CHECK_EQUAL(0, some[11]);  // the additional ones are no loss
  const std::string none = write_reply(*query, answer, 200);
  CHECK_EQUAL(2, none[2] & 2);
  CHECK_EQUAL(0, none[7]);
}

TEST(DnsMessage, names_have_bounds) {
  CHECK_OK(name_to_wire("a.b"));
  CHECK_OK(name_to_wire(std::string(63, 'a') + ".b"));
  for (const std::string& bad :
       {std::string(), std::string("a..b"), std::string(".a"), std::string(64, 'a'),
        std::string(63, 'a') + "." + std::string(63, 'b') + "." + std::string(63, 'c') + "." +
            std::string(63, 'd')}) {
    CHECK_ERROR(base::Code::invalid_argument, "dns_name_invalid", name_to_wire(bad));
  }
}

}  // namespace

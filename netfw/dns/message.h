// SPDX-License-Identifier: Apache-2.0
// DNS messages, as far as an authoritative server needs them: queries are read, replies written.
//
// Used by the zone and the server of netfwd. Names are texts without the last dot, in lower case;
// the question goes back as it came, so that what a client mixes into its case (0x20) returns.
// 1. A reader never reads beyond its input and follows no compression pointer: a question has none
// to follow.
// 2. What does not fit the limit is left out by whole sections, with TC set.
// Threads: any. Source: RFC 1035, RFC 2782 (SRV), RFC 3596 (AAAA), RFC 6891 (EDNS), RFC 8020.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "netfw/api/grammar.h"

namespace netfw::dns {

enum class Type : std::uint16_t {
  a = 1,
  ns = 2,
  soa = 6,
  aaaa = 28,
  srv = 33,
  opt = 41,
  any = 255,
};
inline constexpr std::uint16_t kClassIn = 1;

enum class Rcode : std::uint16_t {
  ok = 0,
  format_error = 1,
  name_error = 3,
  not_implemented = 4,
  refused = 5,
  bad_version = 16,
};

inline constexpr std::size_t kMessageMax = 65535;  // over TCP
inline constexpr std::size_t kUdpPlain = 512;      // without EDNS
inline constexpr std::size_t kUdpMax = 1232;       // DNS flag day 2020: fits unfragmented
inline constexpr std::size_t kQueryMax = 1232;     // longer ones are not read

struct Query {
  std::uint16_t id = 0;
  bool recursion_desired = false;
  Rcode wrong = Rcode::ok;  // what it is answered with whatever it asks
  std::string question;     // as it came; empty when it could not be read
  std::string name;
  std::uint16_t type = 0;
  std::uint16_t qclass = 0;
  bool has_edns = false;
  std::size_t udp_size = kUdpPlain;  // that the client takes, at most kUdpMax
};
// nullopt: no query at all (too short, a reply), and not to be answered.
std::optional<Query> read_query(std::string_view bytes);

struct Record {
  std::string name;
  Type type = Type::a;
  std::uint32_t ttl = 0;
  std::string data;  // as it goes over the wire
  friend bool operator==(const Record&, const Record&) = default;
};
// Errors: invalid_argument dns_name_invalid: a label is empty or has more than 63 bytes, or the
// name more than 253.
base::Result<std::string> name_to_wire(std::string_view name);
Record address_record(std::string name, std::uint32_t ttl, const IpAddress& address);
// Requires: the names are valid.
Record srv_record(std::string name, std::uint32_t ttl, std::uint16_t port, std::string_view target);
std::string srv_target(const Record& record);  // Requires: srv_record() made it
Record ns_record(std::string name, std::uint32_t ttl, std::string_view server);
struct Soa {
  std::string server, mailbox;
  std::uint32_t serial = 0, refresh = 0, retry = 0, expire = 0, minimum = 0;
};
Record soa_record(std::string name, std::uint32_t ttl, const Soa& soa);

struct Answer {
  Rcode rcode = Rcode::ok;
  bool authoritative = false;
  std::vector<Record> answers = {};
  std::vector<Record> authority = {};
  std::vector<Record> additional = {};
};
std::string write_reply(const Query& query, const Answer& answer, std::size_t limit);

}  // namespace netfw::dns

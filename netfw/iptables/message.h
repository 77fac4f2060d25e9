// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// What the daemon and the helper gestalt-netfw-iptc say to each other over a SOCK_SEQPACKET
// socketpair: one request packet, one reply packet. Rules are neutral; only the helper knows
// iptables.
//
// 1. Plain structures in host byte order: both ends are of one build on one machine. The magic
// number tells builds apart.
// 2. Texts are zero-terminated within their arrays.
#pragma once

#include <cstdint>

namespace netfw::iptc {

inline constexpr std::uint32_t kMagic = 0x67697031;  // "gip1"
inline constexpr int kHelperFd = 3;                  // the helper's end of the pair
inline constexpr unsigned kRulesPerRequestMax = 64;

enum class Operation : std::uint8_t {
  apply = 1,  // make the own chains of one family equal to the rules
  check = 2,  // as apply, but write nothing: `changed` tells whether apply would
  remove = 3  // take the own chains away
};

enum class WireVerdict : std::uint8_t { accept = 0, drop = 1 };
enum class WireChain : std::uint8_t { input = 0, forward = 1 };

struct WireRule {
  std::uint8_t chain;
  std::uint8_t verdict;
  std::uint8_t from_loopback;
  std::uint8_t states;    // 1 new, 2 established, 4 related, 8 invalid; 0 any
  std::uint8_t protocol;  // IP protocol number, 0 any
  std::uint8_t has_icmp_type;
  std::uint8_t icmp_type;
  std::uint8_t source_prefix;  // of source_net; 0 means no source network
  std::uint16_t port;          // destination; 0 any
  std::uint16_t reserved;
  std::uint8_t source_net[16];
  char source_set[32];    // the packet's source address is in this set
  char port_set[32];      // its destination port
  char endpoint_set[32];  // its destination address and port
  char comment[48];
};

struct RequestHeader {
  std::uint32_t magic;
  std::uint8_t operation;
  std::uint8_t family;  // 4 or 6
  std::uint16_t rule_count;
  std::uint32_t deadline_ms;  // for the xtables lock and all tries together
  char lock_file[108];
};

struct Request {
  RequestHeader header;
  WireRule rules[kRulesPerRequestMax];  // only rule_count of them are sent
};

enum class Stage : std::uint8_t { done, bad_request, lock, open, build, foreign_changed, commit };

struct Reply {
  std::uint32_t magic;
  std::int32_t os_errno;
  std::uint8_t stage;
  std::uint8_t changed;
  std::uint16_t attempts;
  std::uint32_t own_rules;
  std::uint32_t foreign_rules;
  char text[200];
};

}  // namespace netfw::iptc

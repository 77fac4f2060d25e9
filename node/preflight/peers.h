// SPDX-License-Identifier: Apache-2.0
// How far another node is: echo requests, small and as large as an Ethernet frame.
// Blocks for kPatience per echo. Needs CAP_NET_RAW. Source: icmp(7), RFC 792, RFC 4443, ip(7).
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace node::preflight {

struct PeerAnswer {
  std::string address;                                  // empty: the name does not resolve
  std::optional<std::chrono::microseconds> round_trip;  // the shortest of some; empty: no answer
  int mtu = 0;  // largest packet that came back whole: kMtuWanted, or what the kernel knows, or 0
};

inline constexpr int kMtuWanted = 1500;

// nullopt: not permitted to ask.
std::optional<PeerAnswer> ask_peer(const std::string& host);

}  // namespace node::preflight

// SPDX-License-Identifier: Apache-2.0
// Netlink attributes as bytes: written one after the other, and read back as views.
//
// Used by this folder. Numbers of nf_tables are big-endian, except where its header says otherwise.
// Threads: any. Source: linux/netlink.h.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace netfw::nft {

class Attributes {
 public:
  void put(std::uint16_t type, std::string_view bytes);
  void put_text(std::uint16_t type, std::string_view text);  // with its ending zero
  void put_u32(std::uint16_t type, std::uint32_t value);     // big-endian
  void put_u64(std::uint16_t type, std::uint64_t value);     // big-endian
  void nest(std::uint16_t type, const Attributes& inner);
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// The attributes of a block by type, the last of each; stops at the first that does not fit.
std::map<std::uint16_t, std::string_view> parse_attributes(std::string_view bytes);

// Calls `visit(type, payload)` for each attribute in order.
template <class Visit>
void for_each_attribute(std::string_view bytes, Visit visit);

std::uint32_t read_u32(std::string_view bytes);      // big-endian; 0 when too short
std::string_view read_text(std::string_view bytes);  // up to its ending zero

std::string port_bytes(std::uint16_t port);  // big-endian

// One attribute from the front of `bytes`, which becomes shorter; false at the end.
bool take_attribute(std::string_view& bytes, std::uint16_t& type, std::string_view& payload);

template <class Visit>
void for_each_attribute(std::string_view bytes, Visit visit) {
  std::uint16_t type = 0;
  std::string_view payload;
  while (take_attribute(bytes, type, payload)) visit(type, payload);
}

}  // namespace netfw::nft

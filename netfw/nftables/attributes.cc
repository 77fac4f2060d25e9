// SPDX-License-Identifier: Apache-2.0
#include "netfw/nftables/attributes.h"

#include <linux/netlink.h>
#include <string.h>

#include "common/base/check.h"

namespace netfw::nft {
namespace {

std::string big_endian(std::uint64_t value, unsigned bytes) {
  std::string out;
  for (unsigned i = bytes; i > 0; --i) out += static_cast<char>(value >> (8 * (i - 1)));
  return out;
}

}  // namespace

void Attributes::put(std::uint16_t type, std::string_view bytes) {
  CHECK_THAT(bytes.size() + NLA_HDRLEN <= UINT16_MAX);
  nlattr head = {};
  head.nla_len = static_cast<std::uint16_t>(NLA_HDRLEN + bytes.size());
  head.nla_type = type;
  bytes_.append(reinterpret_cast<const char*>(&head), sizeof head);
  bytes_.append(bytes);
  bytes_.resize(NLA_ALIGN(bytes_.size()), '\0');
}

void Attributes::put_text(std::uint16_t type, std::string_view text) {
  put(type, std::string(text) + '\0');
}
void Attributes::put_u32(std::uint16_t type, std::uint32_t value) {
  put(type, big_endian(value, 4));
}
void Attributes::put_u64(std::uint16_t type, std::uint64_t value) {
  put(type, big_endian(value, 8));
}
void Attributes::nest(std::uint16_t type, const Attributes& inner) {
  put(type | NLA_F_NESTED, inner.bytes());
}

bool take_attribute(std::string_view& bytes, std::uint16_t& type, std::string_view& payload) {
  nlattr head = {};
  if (bytes.size() < sizeof head) return false;
  memcpy(&head, bytes.data(), sizeof head);
  if (head.nla_len < NLA_HDRLEN || head.nla_len > bytes.size()) return false;
  type = head.nla_type & static_cast<std::uint16_t>(NLA_TYPE_MASK);
  payload = bytes.substr(NLA_HDRLEN, head.nla_len - NLA_HDRLEN);
  bytes.remove_prefix(std::min<std::size_t>(NLA_ALIGN(head.nla_len), bytes.size()));
  return true;
}

std::map<std::uint16_t, std::string_view> parse_attributes(std::string_view bytes) {
  std::map<std::uint16_t, std::string_view> out;
  for_each_attribute(bytes,
                     [&](std::uint16_t type, std::string_view payload) { out[type] = payload; });
  return out;
}

std::uint32_t read_u32(std::string_view bytes) {
  if (bytes.size() < 4) return 0;
  std::uint32_t out = 0;
  for (unsigned i = 0; i < 4; ++i) out = (out << 8) | static_cast<unsigned char>(bytes[i]);
  return out;
}

std::string port_bytes(std::uint16_t port) {
  return {static_cast<char>(port >> 8), static_cast<char>(port & 0xff)};
}

std::string_view read_text(std::string_view bytes) { return bytes.substr(0, bytes.find('\0')); }

}  // namespace netfw::nft

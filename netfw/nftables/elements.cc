// SPDX-License-Identifier: Apache-2.0
#include "netfw/nftables/elements.h"

#include <netinet/in.h>  // before the kernel's headers, which give way to it

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>

#include <algorithm>

#include "netfw/nftables/rules.h"

namespace netfw::nft {
namespace {

// The length of an attribute has 16 bits; an element takes at most 52 bytes, an interval two.
constexpr std::size_t kElementsPerMessage = 600;

// Numbers by which nft shows the types; the kernel only keeps them.
constexpr std::uint32_t kTypeAddress4 = 7, kTypeAddress6 = 8, kTypeProtocol = 12, kTypePort = 13;
constexpr std::uint32_t kTypeBits = 6;

struct Key {
  std::string bytes;
  bool is_end = false;
};

std::string address_bytes(const IpAddress& address) {
  return {reinterpret_cast<const char*>(address.bytes.data()), address.bits() / 8};
}

// The first address behind the network; empty when there is none.
std::string end_of(const IpNet& net) {
  std::string out = address_bytes(net.base);
  unsigned carry = 1;
  for (unsigned i = net.prefix; i > 0 && carry != 0; --i) {
    const unsigned bit = 0x80U >> ((i - 1) % 8);
    auto byte = static_cast<unsigned char>(out[(i - 1) / 8]);
    carry = (byte & bit) != 0 ? 1 : 0;
    byte = static_cast<unsigned char>(byte ^ bit);
    out[(i - 1) / 8] = static_cast<char>(byte);
  }
  return carry != 0 ? std::string() : out;
}

void add_net(const IpNet& net, std::vector<Key>& out) {
  out.push_back({address_bytes(net.base), false});
  const std::string end = end_of(net);
  if (!end.empty()) out.push_back({end, true});
}

// Parts of a key are padded to four bytes.
std::string endpoint_bytes(const Endpoint& endpoint) {
  std::string out = address_bytes(endpoint.address);
  out += static_cast<char>(endpoint.transport == Transport::tcp ? IPPROTO_TCP : IPPROTO_UDP);
  out += std::string(3, '\0') + port_bytes(endpoint.port) + std::string(2, '\0');
  return out;
}

void add_elements(std::uint16_t type, const std::string& set, const std::vector<Key>& keys,
                  std::vector<Message>& out) {
  for (std::size_t start = 0; start < keys.size(); start += kElementsPerMessage) {
    Attributes list;
    for (std::size_t i = start; i < std::min(keys.size(), start + kElementsPerMessage); ++i) {
      Attributes value;
      value.put(NFTA_DATA_VALUE, keys[i].bytes);
      Attributes element;
      element.nest(NFTA_SET_ELEM_KEY, value);
      if (keys[i].is_end) element.put_u32(NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
      list.nest(NFTA_LIST_ELEM, element);
    }
    Message message{.type = type, .flags = NLM_F_CREATE, .family = NFPROTO_INET};
    message.attributes.put_text(NFTA_SET_ELEM_LIST_TABLE, kTable);
    message.attributes.put_text(NFTA_SET_ELEM_LIST_SET, set);
    message.attributes.nest(NFTA_SET_ELEM_LIST_ELEMENTS, list);
    out.push_back(std::move(message));
  }
}

void add_half(std::uint16_t type, SetId id, const std::vector<IpNet>& nets,
              const std::vector<std::uint16_t>& ports, const std::vector<Endpoint>& endpoints,
              std::vector<Message>& out) {
  for (const Family family : kFamilies) {
    std::vector<Key> keys;
    for (const IpNet& net : nets) {
      if (net.base.family == family) add_net(net, keys);
    }
    for (const Endpoint& endpoint : endpoints) {
      if (endpoint.address.family == family) keys.push_back({endpoint_bytes(endpoint), false});
    }
    add_elements(type, nft_set_name(id, family), keys, out);
  }
  std::vector<Key> keys;
  for (const std::uint16_t port : ports) keys.push_back({port_bytes(port), false});
  add_elements(type, nft_set_name(id, Family::v4), keys, out);
}

IpAddress to_address(std::string_view bytes, Family family) {
  IpAddress out;
  out.family = family;
  std::copy_n(bytes.begin(), std::min<std::size_t>(bytes.size(), out.bits() / 8),
              out.bytes.begin());
  return out;
}

std::uint16_t to_port(std::string_view bytes) {
  return static_cast<std::uint16_t>((static_cast<unsigned char>(bytes[0]) << 8) |
                                    static_cast<unsigned char>(bytes[1]));
}

}  // namespace

std::vector<Message> make_set(SetId id) {
  std::vector<Message> out;
  for (const Family family : kFamilies) {
    if (set_kind(id) == SetKind::ports && family == Family::v6) continue;
    const bool v4 = family == Family::v4;
    std::uint32_t type = v4 ? kTypeAddress4 : kTypeAddress6;
    std::uint32_t size = v4 ? 4 : 16;
    if (set_kind(id) == SetKind::ports) {
      type = kTypePort;
      size = 2;
    } else if (set_kind(id) == SetKind::endpoints) {
      type = (((type << kTypeBits) | kTypeProtocol) << kTypeBits) | kTypePort;
      size += 8;
    }
    Message message{.type = NFT_MSG_NEWSET, .flags = NLM_F_CREATE, .family = NFPROTO_INET};
    Attributes& attributes = message.attributes;
    attributes.put_text(NFTA_SET_TABLE, kTable);
    attributes.put_text(NFTA_SET_NAME, nft_set_name(id, family));
    attributes.put_u32(NFTA_SET_FLAGS, set_kind(id) == SetKind::nets ? NFT_SET_INTERVAL : 0);
    attributes.put_u32(NFTA_SET_KEY_TYPE, type);
    attributes.put_u32(NFTA_SET_KEY_LEN, size);
    attributes.put_u32(NFTA_SET_ID, (static_cast<std::uint32_t>(id) << 1) + (v4 ? 1 : 2));
    out.push_back(std::move(message));
  }
  return out;
}

std::vector<Message> make_changes(const std::vector<SetChange>& changes) {
  std::vector<Message> out;
  for (const SetChange& c : changes) {
    add_half(NFT_MSG_DELSETELEM, c.id, c.nets_removed, c.ports_removed, c.endpoints_removed, out);
  }
  for (const SetChange& c : changes) {
    add_half(NFT_MSG_NEWSETELEM, c.id, c.nets_added, c.ports_added, c.endpoints_added, out);
  }
  return out;
}

void ElementReader::read(std::string_view attributes) {
  const auto parts = parse_attributes(attributes);
  const auto list = parts.find(NFTA_SET_ELEM_LIST_ELEMENTS);
  if (list == parts.end()) return;
  for_each_attribute(list->second, [&](std::uint16_t, std::string_view item) {
    auto element = parse_attributes(item);
    auto value = parse_attributes(element[NFTA_SET_ELEM_KEY]);
    const bool is_end = (read_u32(element[NFTA_SET_ELEM_FLAGS]) & NFT_SET_ELEM_INTERVAL_END) != 0;
    (is_end ? ends_ : starts_).emplace_back(value[NFTA_DATA_VALUE]);
  });
}

void ElementReader::store(FirewallSets& out) const {
  const std::size_t address_size = family_ == Family::v4 ? 4 : 16;
  for (const std::string& start : starts_) {
    switch (set_kind(id_)) {
      case SetKind::ports:
        if (start.size() >= 2) out.ports[id_].insert(to_port(start));
        break;
      case SetKind::endpoints:
        if (start.size() >= address_size + 8) {
          out.instances.insert(
              {start[address_size] == IPPROTO_TCP ? Transport::tcp : Transport::udp,
               to_address(start, family_),
               to_port(std::string_view(start).substr(address_size + 4))});
        }
        break;
      case SetKind::nets: {
        // The network whose end stands there; an interval that is none counts as one address.
        IpNet net{to_address(start, family_), 0};
        for (unsigned prefix = 0; prefix <= net.base.bits(); ++prefix) {
          net.prefix = prefix;
          const std::string end = end_of(net);
          const bool aligned = IpNet::parse(net.text()).has_value();
          const bool ends =
              end.empty() || std::find(ends_.begin(), ends_.end(), end) != ends_.end();
          const bool ends_before = std::any_of(ends_.begin(), ends_.end(), [&](const auto& other) {
            return other > start && (end.empty() || other < end);
          });
          if (aligned && ends && !ends_before) break;
        }
        out.nets[id_].insert(net);
        break;
      }
    }
  }
}

}  // namespace netfw::nft

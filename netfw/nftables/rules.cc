// SPDX-License-Identifier: Apache-2.0
#include "netfw/nftables/rules.h"

#include <netinet/in.h>  // before the kernel's headers, which give way to it

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>

#include <algorithm>
#include <vector>

namespace netfw::nft {
namespace {

// The first 16 bytes of the registers, which a key of several parts fills from the front.
constexpr std::uint32_t kFirst = NFT_REG_1;
constexpr std::size_t kInterfaceNameBytes = 16;

class Builder {
 public:
  void meta(std::uint32_t key, std::uint32_t reg) {
    Attributes data;
    data.put_u32(NFTA_META_KEY, key);
    data.put_u32(NFTA_META_DREG, reg);
    add("meta", data);
  }

  void payload(std::uint32_t base, std::uint32_t offset, std::uint32_t size, std::uint32_t reg) {
    Attributes data;
    data.put_u32(NFTA_PAYLOAD_DREG, reg);
    data.put_u32(NFTA_PAYLOAD_BASE, base);
    data.put_u32(NFTA_PAYLOAD_OFFSET, offset);
    data.put_u32(NFTA_PAYLOAD_LEN, size);
    add("payload", data);
  }

  void compare(std::uint32_t op, std::string_view bytes) {
    Attributes value;
    value.put(NFTA_DATA_VALUE, bytes);
    Attributes data;
    data.put_u32(NFTA_CMP_SREG, kFirst);
    data.put_u32(NFTA_CMP_OP, op);
    data.nest(NFTA_CMP_DATA, value);
    add("cmp", data);
  }

  // A base chain has led here by family already; with it nft shows addresses as such.
  void only(Family family) {
    const auto number =
        static_cast<char>(family == Family::v4 ? int{NFPROTO_IPV4} : int{NFPROTO_IPV6});
    meta(NFT_META_NFPROTO, kFirst);
    compare(NFT_CMP_EQ, {&number, 1});
  }

  void mask(std::string_view bytes) {
    Attributes mask_value;
    mask_value.put(NFTA_DATA_VALUE, bytes);
    Attributes xor_value;
    xor_value.put(NFTA_DATA_VALUE, std::string(bytes.size(), '\0'));
    Attributes data;
    data.put_u32(NFTA_BITWISE_SREG, kFirst);
    data.put_u32(NFTA_BITWISE_DREG, kFirst);
    data.put_u32(NFTA_BITWISE_LEN, static_cast<std::uint32_t>(bytes.size()));
    data.nest(NFTA_BITWISE_MASK, mask_value);
    data.nest(NFTA_BITWISE_XOR, xor_value);
    add("bitwise", data);
  }

  void flow_states(std::uint32_t bits) {
    Attributes data;
    data.put_u32(NFTA_CT_KEY, NFT_CT_STATE);
    data.put_u32(NFTA_CT_DREG, kFirst);
    add("ct", data);
    mask(host_bytes(bits));
    compare(NFT_CMP_NEQ, host_bytes(0));
  }

  void lookup(std::string_view set) {
    Attributes data;
    data.put_text(NFTA_LOOKUP_SET, set);
    data.put_u32(NFTA_LOOKUP_SREG, kFirst);
    add("lookup", data);
  }

  void count_and(std::uint32_t verdict, std::string_view chain = {}) {
    Attributes counts;
    counts.put_u64(NFTA_COUNTER_BYTES, 0);
    counts.put_u64(NFTA_COUNTER_PACKETS, 0);
    add("counter", counts);
    Attributes code;
    code.put_u32(NFTA_VERDICT_CODE, verdict);
    if (!chain.empty()) code.put_text(NFTA_VERDICT_CHAIN, chain);
    Attributes value;
    value.nest(NFTA_DATA_VERDICT, code);
    Attributes data;
    data.put_u32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    data.nest(NFTA_IMMEDIATE_DATA, value);
    add("immediate", data);
  }

  Attributes take() { return std::move(list_); }

  // Masks and states are in host order, unlike attributes.
  static std::string host_bytes(std::uint32_t value) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
  }

 private:
  void add(std::string_view name, const Attributes& data) {
    Attributes expression;
    expression.put_text(NFTA_EXPR_NAME, name);
    expression.nest(NFTA_EXPR_DATA, data);
    list_.nest(NFTA_LIST_ELEM, expression);
  }
  Attributes list_;
};

std::uint32_t state_bits(std::uint8_t states) {
  // include/net/netfilter/nf_conntrack_core.h: invalid is bit 0, the others follow by number.
  std::uint32_t out = 0;
  if ((states & kInvalid) != 0) out |= 1;
  if ((states & kEstablished) != 0) out |= 2;
  if ((states & kRelated) != 0) out |= 4;
  if ((states & kNew) != 0) out |= 8;
  return out;
}

std::uint8_t protocol_number(Protocol protocol, Family family) {
  switch (protocol) {
    case Protocol::any: return 0;
    case Protocol::tcp: return IPPROTO_TCP;
    case Protocol::udp: return IPPROTO_UDP;
    case Protocol::icmp: return family == Family::v4 ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6};
  }
  return 0;
}

struct Header {
  std::uint32_t source;
  std::uint32_t destination;
  std::uint32_t size;
};
Header header_of(Family family) {
  return family == Family::v4 ? Header{12, 16, 4} : Header{8, 24, 16};
}

std::string mask_of(const IpNet& net) {
  std::string out(net.base.bits() / 8, '\0');
  for (unsigned bit = 0; bit < net.prefix; ++bit) {
    out[bit / 8] =
        static_cast<char>(static_cast<unsigned char>(out[bit / 8]) | (0x80U >> (bit % 8)));
  }
  return out;
}

void add_source(Builder& out, const Rule& rule, Family family) {
  const Header header = header_of(family);
  if (rule.source) {
    out.payload(NFT_PAYLOAD_NETWORK_HEADER, header.source, header.size, kFirst);
    out.lookup(nft_set_name(*rule.source, family));
  }
  if (rule.source_net) {
    out.payload(NFT_PAYLOAD_NETWORK_HEADER, header.source, header.size, kFirst);
    out.mask(mask_of(*rule.source_net));
    const auto* const bytes = reinterpret_cast<const char*>(rule.source_net->base.bytes.data());
    out.compare(NFT_CMP_EQ, {bytes, header.size});
  }
}

void add_destination(Builder& out, const Rule& rule, Family family) {
  constexpr std::uint32_t kPortOffset = 2;
  if (rule.ports || rule.port) {
    out.payload(NFT_PAYLOAD_TRANSPORT_HEADER, kPortOffset, 2, kFirst);
    if (rule.ports) out.lookup(nft_set_name(*rule.ports, family));
    if (rule.port) out.compare(NFT_CMP_EQ, port_bytes(*rule.port));
  }
  if (!rule.endpoints) return;
  const Header header = header_of(family);
  const bool v4 = family == Family::v4;
  out.payload(NFT_PAYLOAD_NETWORK_HEADER, header.destination, header.size, kFirst);
  out.meta(NFT_META_L4PROTO, v4 ? std::uint32_t{NFT_REG32_01} : std::uint32_t{NFT_REG_2});
  out.payload(NFT_PAYLOAD_TRANSPORT_HEADER, kPortOffset, 2,
              v4 ? std::uint32_t{NFT_REG32_02} : std::uint32_t{NFT_REG32_05});
  out.lookup(nft_set_name(*rule.endpoints, family));
}

std::string comment(std::string_view text) {
  constexpr char kComment = 0;  // NFTNL_UDATA_RULE_COMMENT of libnftnl
  const std::string value = "gestalt " + std::string(text) + '\0';
  return std::string{kComment, static_cast<char>(value.size())} + value;
}

bool is_zero(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == 0; });
}

// Blocks of attributes; `nested` says which of them hold attributes again.
bool is_same_block(std::string_view sent, std::string_view listed, int depth) {
  constexpr int kDepthMax = 4;
  const auto wanted = parse_attributes(sent);
  const auto have = parse_attributes(listed);
  for (const auto& [type, value] : wanted) {
    const auto found = have.find(type);
    if (found == have.end()) return false;
    if (found->second == value) continue;
    if (depth >= kDepthMax || value.size() < sizeof(nlattr)) return false;
    if (!is_same_block(value, found->second, depth + 1)) return false;
    if (parse_attributes(value).empty()) return false;
  }
  return std::all_of(have.begin(), have.end(), [&](const auto& item) {
    return wanted.contains(item.first) || is_zero(item.second);
  });
}

struct Expression {
  std::string_view name;
  std::string_view data;
};
std::vector<Expression> parse_expressions(std::string_view bytes) {
  std::vector<Expression> out;
  for_each_attribute(bytes, [&](std::uint16_t, std::string_view item) {
    auto parts = parse_attributes(item);
    out.push_back({read_text(parts[NFTA_EXPR_NAME]), parts[NFTA_EXPR_DATA]});
  });
  return out;
}

}  // namespace

std::string nft_set_name(SetId id, Family family) {
  const std::string name(set_name(id));
  if (set_kind(id) == SetKind::ports) return name;
  return name + (family == Family::v4 ? "4" : "6");
}

RenderedRule render_rule(const Rule& rule, Family family) {
  Builder out;
  if (rule.from_loopback) {
    out.meta(NFT_META_IIFNAME, kFirst);
    std::string name = "lo";
    name.resize(kInterfaceNameBytes, '\0');
    out.compare(NFT_CMP_EQ, name);
  }
  if (rule.source || rule.source_net || rule.endpoints) out.only(family);
  if (rule.states != 0) out.flow_states(state_bits(rule.states));
  if (rule.protocol != Protocol::any) {
    out.meta(NFT_META_L4PROTO, kFirst);
    const auto number = static_cast<char>(protocol_number(rule.protocol, family));
    out.compare(NFT_CMP_EQ, {&number, 1});
  }
  add_source(out, rule, family);
  add_destination(out, rule, family);
  if (rule.icmp_type) {
    out.payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, kFirst);
    const auto type = static_cast<char>(*rule.icmp_type);
    out.compare(NFT_CMP_EQ, {&type, 1});
  }
  out.count_and(rule.verdict == Verdict::accept ? NF_ACCEPT : NF_DROP);
  return {out.take(), comment(rule.name)};
}

RenderedRule render_jump(Family family, std::string_view chain) {
  Builder out;
  out.only(family);
  out.count_and(static_cast<std::uint32_t>(NFT_JUMP), chain);
  return {out.take(), comment(chain)};
}

bool is_same_rule(const RenderedRule& rendered, std::string_view listed_expressions) {
  const auto wanted = parse_expressions(rendered.expressions.bytes());
  const auto have = parse_expressions(listed_expressions);
  return std::equal(wanted.begin(), wanted.end(), have.begin(), have.end(),
                    [](const Expression& a, const Expression& b) {
                      if (a.name != b.name) return false;
                      return a.name == "counter" || is_same_block(a.data, b.data, 0);
                    });
}

}  // namespace netfw::nft

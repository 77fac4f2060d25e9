// SPDX-License-Identifier: GPL-2.0-only
#include "netfw/iptables/entry.h"

#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_set.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>

namespace netfw::iptc {
namespace {

class Socket {
 public:
  explicit Socket(int family) : fd_(socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW)) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

bool knows_match(int fd, int family, const char* name, std::uint8_t revision) {
  xt_get_revision request = {};
  strncpy(request.name, name, sizeof request.name - 1);
  request.revision = revision;
  socklen_t size = sizeof request;
  const int level = family == 4 ? int{IPPROTO_IP} : int{IPPROTO_IPV6};
  const int option = family == 4 ? IPT_SO_GET_REVISION_MATCH : IP6T_SO_GET_REVISION_MATCH;
  return getsockopt(fd, level, option, &request, &size) == 0;
}

int find_set(int fd, const char* name, std::uint16_t& index) {
  ip_set_req_version version = {};
  version.op = IP_SET_OP_VERSION;
  socklen_t size = sizeof version;
  if (getsockopt(fd, SOL_IP, SO_IP_SET, &version, &size) != 0) return errno;
  ip_set_req_get_set request = {};
  request.op = IP_SET_OP_GET_BYNAME;
  request.version = version.version;
  strncpy(request.set.name, name, IPSET_MAXNAMELEN - 1);
  size = sizeof request;
  if (getsockopt(fd, SOL_IP, SO_IP_SET, &request, &size) != 0) return errno;
  if (request.set.index == IPSET_INVALID_ID) return ENOENT;
  index = request.set.index;
  return 0;
}

void add_match(std::vector<char>& entry, const char* name, std::uint8_t revision, const void* data,
               std::size_t data_size) {
  xt_entry_match head = {};
  const std::size_t size = XT_ALIGN(sizeof head) + XT_ALIGN(data_size);
  head.u.user.match_size = static_cast<std::uint16_t>(size);
  strncpy(head.u.user.name, name, sizeof head.u.user.name - 1);
  head.u.user.revision = revision;
  const std::size_t start = entry.size();
  entry.resize(start + size, 0);
  memcpy(entry.data() + start, &head, sizeof head);
  memcpy(entry.data() + start + XT_ALIGN(sizeof head), data, data_size);
}

void add_states(std::vector<char>& entry, std::uint8_t states) {
  xt_conntrack_mtinfo3 info = {};
  info.match_flags = XT_CONNTRACK_STATE;
  if ((states & 1) != 0) info.state_mask |= XT_CONNTRACK_STATE_BIT(IP_CT_NEW);
  if ((states & 2) != 0) info.state_mask |= XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED);
  if ((states & 4) != 0) info.state_mask |= XT_CONNTRACK_STATE_BIT(IP_CT_RELATED);
  if ((states & 8) != 0) info.state_mask |= XT_CONNTRACK_STATE_INVALID;
  add_match(entry, "conntrack", 3, &info, sizeof info);
}

void add_set(std::vector<char>& entry, const KernelTraits& traits, const char* name,
             std::uint8_t dimensions, bool source) {
  xt_set_info set = {};
  set.index = traits.set_indexes.at(name);
  set.dim = dimensions;
  set.flags = source ? IPSET_DIM_ONE_SRC : 0;
  if (traits.set_revision == 4) {
    xt_set_info_match_v4 info = {};
    info.match_set = set;
    add_match(entry, "set", 4, &info, sizeof info);
  } else {
    xt_set_info_match_v1 info = {};
    info.match_set = set;
    add_match(entry, "set", 1, &info, sizeof info);
  }
}

void add_port(std::vector<char>& entry, const WireRule& rule) {
  if (rule.protocol == IPPROTO_TCP) {
    xt_tcp info = {};
    info.spts[1] = 0xffff;
    info.dpts[0] = info.dpts[1] = rule.port;
    add_match(entry, "tcp", 0, &info, sizeof info);
  } else {
    xt_udp info = {};
    info.spts[1] = 0xffff;
    info.dpts[0] = info.dpts[1] = rule.port;
    add_match(entry, "udp", 0, &info, sizeof info);
  }
}

void add_icmp(std::vector<char>& entry, int family, std::uint8_t type) {
  if (family == 4) {
    ipt_icmp info = {};
    info.type = type;
    info.code[1] = 0xff;
    add_match(entry, "icmp", 0, &info, sizeof info);
  } else {
    ip6t_icmp info = {};
    info.type = type;
    info.code[1] = 0xff;
    add_match(entry, "icmp6", 0, &info, sizeof info);
  }
}

void add_matches(std::vector<char>& entry, const WireRule& rule, int family,
                 const KernelTraits& traits) {
  if (rule.states != 0) add_states(entry, rule.states);
  if (rule.source_set[0] != 0) add_set(entry, traits, rule.source_set, 1, true);
  if (rule.port != 0) add_port(entry, rule);
  if (rule.port_set[0] != 0) add_set(entry, traits, rule.port_set, 1, false);
  if (rule.endpoint_set[0] != 0) add_set(entry, traits, rule.endpoint_set, 2, false);
  if (rule.has_icmp_type != 0) add_icmp(entry, family, rule.icmp_type);
  if (rule.comment[0] != 0) {
    xt_comment_info info = {};
    memcpy(info.comment, rule.comment, sizeof rule.comment);
    add_match(entry, "comment", 0, &info, sizeof info);
  }
}

template <class Entry>
void finish(std::vector<char>& entry, const char* target) {
  xt_standard_target out = {};
  out.target.u.user.target_size = XT_ALIGN(sizeof out);
  strncpy(out.target.u.user.name, target, sizeof out.target.u.user.name - 1);
  const std::size_t start = entry.size();
  entry.resize(start + XT_ALIGN(sizeof out), 0);
  memcpy(entry.data() + start, &out, sizeof out);
  auto* const head = reinterpret_cast<Entry*>(entry.data());
  head->target_offset = static_cast<std::uint16_t>(start);
  head->next_offset = static_cast<std::uint16_t>(entry.size());
}

void set_prefix_mask(std::uint8_t* mask, unsigned prefix) {
  for (unsigned bit = 0; bit < prefix; ++bit) {
    mask[bit / 8] = static_cast<std::uint8_t>(mask[bit / 8] | (0x80U >> (bit % 8)));
  }
}

template <class Head>
void fill_interface(Head& head) {
  memcpy(head.iniface, "lo", 2);
  memset(head.iniface_mask, 0xff, 3);  // the name and its end: exactly "lo"
}

std::vector<char> start_entry(const WireRule& rule, int family) {
  if (family == 4) {
    ipt_entry head = {};
    head.ip.proto = rule.protocol;
    if (rule.from_loopback != 0) fill_interface(head.ip);
    if (rule.source_prefix != 0) {
      memcpy(&head.ip.src, rule.source_net, 4);
      set_prefix_mask(reinterpret_cast<std::uint8_t*>(&head.ip.smsk), rule.source_prefix);
    }
    std::vector<char> entry(XT_ALIGN(sizeof head), 0);
    memcpy(entry.data(), &head, sizeof head);
    return entry;
  }
  ip6t_entry head = {};
  head.ipv6.proto = rule.protocol;
  if (rule.protocol != 0) head.ipv6.flags |= IP6T_F_PROTO;
  if (rule.from_loopback != 0) fill_interface(head.ipv6);
  if (rule.source_prefix != 0) {
    memcpy(&head.ipv6.src, rule.source_net, 16);
    set_prefix_mask(reinterpret_cast<std::uint8_t*>(&head.ipv6.smsk), rule.source_prefix);
  }
  std::vector<char> entry(XT_ALIGN(sizeof head), 0);
  memcpy(entry.data(), &head, sizeof head);
  return entry;
}

}  // namespace

int probe_kernel(const Request& request, KernelTraits& traits, std::string& text) {
  const int family = request.header.family;
  const Socket socket(family == 4 ? AF_INET : AF_INET6);
  if (socket.fd() < 0) {
    text = "cannot open a raw socket";
    return errno;
  }
  traits.set_revision = knows_match(socket.fd(), family, "set", 4) ? 4 : 1;
  if (!knows_match(socket.fd(), family, "set", 1)) {
    text = "the kernel has no set match";
    return EPROTONOSUPPORT;
  }
  if (!knows_match(socket.fd(), family, "conntrack", 3)) {
    text = "the kernel has no conntrack match of revision 3";
    return EPROTONOSUPPORT;
  }
  // Sets are asked for over an IPv4 socket, whatever their family.
  const Socket sets(AF_INET);
  for (unsigned i = 0; i < request.header.rule_count; ++i) {
    const WireRule& rule = request.rules[i];
    for (const char* const name : {rule.source_set, rule.port_set, rule.endpoint_set}) {
      if (name[0] == 0 || traits.set_indexes.contains(name)) continue;
      std::uint16_t index = 0;
      if (const int error = find_set(sets.fd(), name, index); error != 0) {
        text = std::string("no set ") + name;
        return error;
      }
      traits.set_indexes[name] = index;
    }
  }
  return 0;
}

std::vector<char> build_entry(const WireRule& rule, int family, const KernelTraits& traits) {
  std::vector<char> entry = start_entry(rule, family);
  add_matches(entry, rule, family, traits);
  const char* const target =
      rule.verdict == static_cast<std::uint8_t>(WireVerdict::accept) ? "ACCEPT" : "DROP";
  if (family == 4) {
    finish<ipt_entry>(entry, target);
  } else {
    finish<ip6t_entry>(entry, target);
  }
  return entry;
}

std::vector<char> build_jump(int family, const char* chain) {
  std::vector<char> entry = start_entry(WireRule{}, family);
  if (family == 4) {
    finish<ipt_entry>(entry, chain);
  } else {
    finish<ip6t_entry>(entry, chain);
  }
  return entry;
}

}  // namespace netfw::iptc

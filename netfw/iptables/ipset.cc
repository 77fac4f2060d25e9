// SPDX-License-Identifier: Apache-2.0
#include "netfw/iptables/ipset.h"

#include <netinet/in.h>  // before the kernel's headers, which give way to it

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/handlers.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <string.h>
#include <sys/socket.h>

#include <functional>
#include <optional>

namespace netfw {
namespace {

// Version 6 is understood by every kernel since 2.6.39; version 7 adds nothing that is used here.
constexpr std::uint8_t kProtocol = 6;
// Elements of one message: the length of an attribute has 16 bits, and an element takes at most 64.
constexpr std::size_t kMessageElementsMax = 800;
constexpr std::size_t kElementBytesMax = 64;
constexpr std::size_t kMessageBytesMin = 512;
constexpr int kReceiveBufferBytes = 1 << 20;
constexpr std::uint32_t kElementsMax = 65536;

void free_message(nl_msg* message) noexcept { nlmsg_free(message); }
using Message = sys::Handle<nl_msg, free_message>;

void free_callbacks(nl_cb* callbacks) noexcept { nl_cb_put(callbacks); }
using Callbacks = sys::Handle<nl_cb, free_callbacks>;

struct Exchange {
  std::function<void(nlmsghdr*)> on_message;
  std::uint32_t sequence = 0;
  bool done = false;
  int error = 0;  // the first errno that came back
};

// A dump that fails is answered twice: what is left of an earlier exchange is none of this one's.
int on_valid(nl_msg* message, void* context) noexcept {
  auto& exchange = *static_cast<Exchange*>(context);
  if (nlmsg_hdr(message)->nlmsg_seq != exchange.sequence) return NL_SKIP;
  if (exchange.on_message) exchange.on_message(nlmsg_hdr(message));
  return NL_OK;
}

int on_end(nl_msg* message, void* context) noexcept {
  auto& exchange = *static_cast<Exchange*>(context);
  if (nlmsg_hdr(message)->nlmsg_seq == exchange.sequence) exchange.done = true;
  return NL_OK;
}

int on_error(sockaddr_nl*, nlmsgerr* error, void* context) noexcept {
  auto& exchange = *static_cast<Exchange*>(context);
  if (error->msg.nlmsg_seq != exchange.sequence) return NL_SKIP;
  if (exchange.error == 0) exchange.error = -error->error;
  exchange.done = true;
  return NL_SKIP;
}

// The callbacks look at the numbers themselves.
int on_sequence(nl_msg*, void*) noexcept { return NL_OK; }

base::Error ipset_error(int error, std::string_view what) {
  // The set type's own codes lie above the errnos.
  if (error < IPSET_ERR_PRIVATE) return base::os_error(error, what);
  return {.code = base::Code::internal,
          .detail = std::string(what) + ": ipset error " + std::to_string(error),
          .reason = "ipset_failed"};
}

Message start_message(int command, std::uint8_t family, int flags, std::string_view set,
                      std::size_t elements = 0) {
  Message message(nlmsg_alloc_size(kMessageBytesMin + elements * kElementBytesMax));
  CHECK_THAT(message != nullptr);
  CHECK_THAT(nlmsg_put(message.get(), NL_AUTO_PORT, NL_AUTO_SEQ, (NFNL_SUBSYS_IPSET << 8) | command,
                       0, flags) != nullptr);
  nfgenmsg head = {};
  head.nfgen_family = family;
  head.version = NFNETLINK_V0;
  CHECK_THAT(nlmsg_append(message.get(), &head, sizeof head, NLMSG_ALIGNTO) == 0);
  nla_put_u8(message.get(), IPSET_ATTR_PROTOCOL, kProtocol);
  if (!set.empty()) nla_put_string(message.get(), IPSET_ATTR_SETNAME, std::string(set).c_str());
  return message;
}

void put_address(nl_msg* message, const IpAddress& address) {
  nlattr* const nest = nla_nest_start(message, NLA_F_NESTED | IPSET_ATTR_IP);
  const bool v4 = address.family == Family::v4;
  nla_put(message, (v4 ? IPSET_ATTR_IPADDR_IPV4 : IPSET_ATTR_IPADDR_IPV6) | NLA_F_NET_BYTEORDER,
          v4 ? 4 : 16, address.bytes.data());
  nla_nest_end(message, nest);
}

void put_port(nl_msg* message, int attribute, std::uint16_t port) {
  nla_put_u16(message, attribute | NLA_F_NET_BYTEORDER, htons(port));
}

void put_element(nl_msg* message, const SetElement& element) {
  nlattr* const nest = nla_nest_start(message, NLA_F_NESTED | IPSET_ATTR_DATA);
  switch (element.kind) {
    case SetKind::nets:
      put_address(message, element.net.base);
      nla_put_u8(message, IPSET_ATTR_CIDR, static_cast<std::uint8_t>(element.net.prefix));
      break;
    case SetKind::ports: put_port(message, IPSET_ATTR_PORT, element.port); break;
    case SetKind::endpoints:
      put_address(message, element.endpoint.address);
      put_port(message, IPSET_ATTR_PORT, element.endpoint.port);
      nla_put_u8(message, IPSET_ATTR_PROTO,
                 element.endpoint.transport == Transport::tcp ? IPPROTO_TCP : IPPROTO_UDP);
      break;
  }
  nla_nest_end(message, nest);
}

std::optional<IpAddress> read_address(nlattr* attribute) {
  if (attribute == nullptr) return std::nullopt;
  nlattr* parts[IPSET_ATTR_IPADDR_MAX + 1] = {};
  if (nla_parse_nested(parts, IPSET_ATTR_IPADDR_MAX, attribute, nullptr) < 0) return std::nullopt;
  IpAddress out;
  if (parts[IPSET_ATTR_IPADDR_IPV4] != nullptr) {
    if (nla_len(parts[IPSET_ATTR_IPADDR_IPV4]) < 4) return std::nullopt;
    memcpy(out.bytes.data(), nla_data(parts[IPSET_ATTR_IPADDR_IPV4]), 4);
    return out;
  }
  if (parts[IPSET_ATTR_IPADDR_IPV6] == nullptr || nla_len(parts[IPSET_ATTR_IPADDR_IPV6]) < 16) {
    return std::nullopt;
  }
  out.family = Family::v6;
  memcpy(out.bytes.data(), nla_data(parts[IPSET_ATTR_IPADDR_IPV6]), 16);
  return out;
}

std::optional<SetElement> read_element(nlattr* data, SetKind kind) {
  nlattr* parts[IPSET_ATTR_ADT_MAX + 1] = {};
  if (nla_parse_nested(parts, IPSET_ATTR_ADT_MAX, data, nullptr) < 0) return std::nullopt;
  SetElement out;
  out.kind = kind;
  const auto address = read_address(parts[IPSET_ATTR_IP]);
  if (kind != SetKind::ports && !address) return std::nullopt;
  if (kind != SetKind::nets && parts[IPSET_ATTR_PORT] == nullptr) return std::nullopt;
  const std::uint16_t port =
      parts[IPSET_ATTR_PORT] != nullptr ? ntohs(nla_get_u16(parts[IPSET_ATTR_PORT])) : 0;
  switch (kind) {
    case SetKind::ports: out.port = port; break;
    case SetKind::nets:
      out.net.base = *address;
      out.net.prefix =
          parts[IPSET_ATTR_CIDR] != nullptr ? nla_get_u8(parts[IPSET_ATTR_CIDR]) : address->bits();
      break;
    case SetKind::endpoints:
      out.endpoint.address = *address;
      out.endpoint.port = port;
      out.endpoint.transport =
          parts[IPSET_ATTR_PROTO] != nullptr && nla_get_u8(parts[IPSET_ATTR_PROTO]) == IPPROTO_UDP
              ? Transport::udp
              : Transport::tcp;
      break;
  }
  return out;
}

// Sends what is in `bytes` and reads until the answer to `sequence` has come.
base::Result<int> exchange(nl_sock* socket, void* bytes, std::size_t size, Exchange& state) {
  const Callbacks callbacks(nl_cb_alloc(NL_CB_DEFAULT));
  CHECK_THAT(callbacks != nullptr);
  nl_cb_set(callbacks.get(), NL_CB_VALID, NL_CB_CUSTOM, on_valid, &state);
  nl_cb_set(callbacks.get(), NL_CB_FINISH, NL_CB_CUSTOM, on_end, &state);
  nl_cb_set(callbacks.get(), NL_CB_ACK, NL_CB_CUSTOM, on_end, &state);
  nl_cb_set(callbacks.get(), NL_CB_SEQ_CHECK, NL_CB_CUSTOM, on_sequence, nullptr);
  nl_cb_err(callbacks.get(), NL_CB_CUSTOM, on_error, &state);
  if (const int sent = nl_sendto(socket, bytes, size); sent < 0) {
    return base::os_error(EIO, std::string("netlink send: ") + nl_geterror(sent));
  }
  while (!state.done) {
    const int got = nl_recvmsgs(socket, callbacks.get());
    if (got < 0 && !state.done && state.error == 0) {
      return base::os_error(EIO, std::string("netlink receive: ") + nl_geterror(got));
    }
  }
  return state.error;
}

base::Result<int> ask(nl_sock* socket, nl_msg* message,
                      std::function<void(nlmsghdr*)> on_message = {}) {
  nl_complete_msg(socket, message);
  nlmsghdr* const head = nlmsg_hdr(message);
  Exchange state;
  state.on_message = std::move(on_message);
  state.sequence = head->nlmsg_seq;
  return exchange(socket, head, head->nlmsg_len, state);
}

const char* type_of(SetKind kind) {
  switch (kind) {
    case SetKind::nets: return "hash:net";
    case SetKind::ports: return "bitmap:port";
    case SetKind::endpoints: return "hash:ip,port";
  }
  return "";
}

std::uint8_t family_of(SetKind kind, Family family) {
  if (kind == SetKind::ports) return NFPROTO_UNSPEC;
  return family == Family::v4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
}

}  // namespace

void IpsetSocket::close(nl_sock* socket) noexcept { nl_socket_free(socket); }

base::Result<IpsetSocket> IpsetSocket::open() {
  IpsetSocket out(nl_socket_alloc());
  CHECK_THAT(out.socket_ != nullptr);
  if (const int error = nl_connect(out.socket_.get(), NETLINK_NETFILTER); error < 0) {
    return base::os_error(EPROTONOSUPPORT, std::string("netlink: ") + nl_geterror(error));
  }
  nl_socket_set_buffer_size(out.socket_.get(), kReceiveBufferBytes, kReceiveBufferBytes);
  return out;
}

base::Result<std::uint8_t> IpsetSocket::highest_revision(const char* type, std::uint8_t family) {
  const Message message = start_message(IPSET_CMD_TYPE, family, NLM_F_REQUEST | NLM_F_ACK, "");
  nla_put_string(message.get(), IPSET_ATTR_TYPENAME, type);
  nla_put_u8(message.get(), IPSET_ATTR_FAMILY, family);
  std::uint8_t revision = 0;
  const int error = TRY(ask(socket_.get(), message.get(), [&](nlmsghdr* reply) {
    nlattr* parts[IPSET_ATTR_CMD_MAX + 1] = {};
    if (nlmsg_parse(reply, sizeof(nfgenmsg), parts, IPSET_ATTR_CMD_MAX, nullptr) < 0) return;
    if (parts[IPSET_ATTR_REVISION] != nullptr) revision = nla_get_u8(parts[IPSET_ATTR_REVISION]);
  }));
  if (error != 0) return ipset_error(error, std::string("set type ") + type);
  return revision;
}

base::Result<void> IpsetSocket::create(const std::string& name, SetKind kind, Family family) {
  const char* const type = type_of(kind);
  const std::uint8_t number = family_of(kind, family);
  const std::uint8_t revision = TRY(highest_revision(type, number));
  const Message message =
      start_message(IPSET_CMD_CREATE, number, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE, name);
  nla_put_string(message.get(), IPSET_ATTR_TYPENAME, type);
  nla_put_u8(message.get(), IPSET_ATTR_REVISION, revision);
  nla_put_u8(message.get(), IPSET_ATTR_FAMILY, number);
  nlattr* const nest = nla_nest_start(message.get(), NLA_F_NESTED | IPSET_ATTR_DATA);
  if (kind == SetKind::ports) {
    put_port(message.get(), IPSET_ATTR_PORT_FROM, 0);
    put_port(message.get(), IPSET_ATTR_PORT_TO, 65535);
  } else {
    nla_put_u32(message.get(), IPSET_ATTR_MAXELEM | NLA_F_NET_BYTEORDER, htonl(kElementsMax));
  }
  nla_nest_end(message.get(), nest);
  const int error = TRY(ask(socket_.get(), message.get()));
  if (error == IPSET_ERR_EXIST || error == EEXIST || error == IPSET_ERR_TYPE_MISMATCH) {
    return base::Error{.code = base::Code::already_exists,
                       .detail = "the set " + name + " is there with another type",
                       .reason = "set_type_differs"};
  }
  if (error != 0) return ipset_error(error, "create set " + name);
  return {};
}

base::Result<std::vector<SetElement>> IpsetSocket::list(const std::string& name, SetKind kind) {
  const Message message =
      start_message(IPSET_CMD_LIST, NFPROTO_UNSPEC, NLM_F_REQUEST | NLM_F_ACK | NLM_F_DUMP, name);
  std::vector<SetElement> out;
  const int error = TRY(ask(socket_.get(), message.get(), [&](nlmsghdr* reply) {
    nlattr* parts[IPSET_ATTR_CMD_MAX + 1] = {};
    if (nlmsg_parse(reply, sizeof(nfgenmsg), parts, IPSET_ATTR_CMD_MAX, nullptr) < 0) return;
    if (parts[IPSET_ATTR_ADT] == nullptr) return;
    nlattr* data = nullptr;
    int rest = 0;
    nla_for_each_nested(data, parts[IPSET_ATTR_ADT], rest) {
      if (const auto element = read_element(data, kind)) out.push_back(*element);
    }
  }));
  if (error == ENOENT) {
    return base::Error{
        .code = base::Code::not_found, .detail = "there is no set " + name, .reason = "set_absent"};
  }
  if (error != 0) return ipset_error(error, "list set " + name);
  return out;
}

base::Result<void> IpsetSocket::change(const std::vector<ElementChange>& changes) {
  for (std::size_t start = 0; start < changes.size();) {
    const ElementChange& first = changes[start];
    std::size_t end = start;
    while (end < changes.size() && end - start < kMessageElementsMax &&
           changes[end].set == first.set && changes[end].add == first.add) {
      ++end;
    }
    const Message message = start_message(first.add ? IPSET_CMD_ADD : IPSET_CMD_DEL, NFPROTO_UNSPEC,
                                          NLM_F_REQUEST | NLM_F_ACK, first.set, end - start);
    if (end - start == 1) {
      put_element(message.get(), first.element);
    } else {
      // The kernel wants a line number with a list, and does not use it.
      nla_put_u32(message.get(), IPSET_ATTR_LINENO, 1);
      nlattr* const list = nla_nest_start(message.get(), NLA_F_NESTED | IPSET_ATTR_ADT);
      for (std::size_t i = start; i < end; ++i) put_element(message.get(), changes[i].element);
      nla_nest_end(message.get(), list);
    }
    const int error = TRY(ask(socket_.get(), message.get()));
    if (error != 0) return ipset_error(error, "change set " + first.set);
    start = end;
  }
  return {};
}

base::Result<void> IpsetSocket::destroy(const std::string& name) {
  const Message message =
      start_message(IPSET_CMD_DESTROY, NFPROTO_UNSPEC, NLM_F_REQUEST | NLM_F_ACK, name);
  const int error = TRY(ask(socket_.get(), message.get()));
  if (error == IPSET_ERR_BUSY) return base::os_error(EBUSY, "destroy set " + name);
  if (error != 0 && error != ENOENT) return ipset_error(error, "destroy set " + name);
  return {};
}

}  // namespace netfw

// SPDX-License-Identifier: Apache-2.0
#include "node/agent/oci_start/bridge.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node/agent/oci_start/become.h"

namespace oci_start {

namespace {

constexpr unsigned kNobody = 65534;
constexpr int kBacklog = 512;
constexpr const char* kInside = "eth0";

bool refuse(const char* what, const char* detail) {
  dprintf(STDERR_FILENO, "gestalt-oci-start: %s %s: %s\n", what, detail, strerror(errno));
  return false;
}

// One request to the kernel, attributes appended. What does not fit is an error of ours.
struct Request {
  alignas(nlmsghdr) char bytes[1024] = {};
  nlmsghdr* header() { return reinterpret_cast<nlmsghdr*>(bytes); }

  template <class Body>
  Body* begin(unsigned short type, unsigned short flags) {
    header()->nlmsg_len = NLMSG_LENGTH(sizeof(Body));
    header()->nlmsg_type = type;
    header()->nlmsg_flags = static_cast<unsigned short>(NLM_F_REQUEST | NLM_F_ACK | flags);
    return static_cast<Body*>(NLMSG_DATA(header()));
  }
  rtattr* add(unsigned short type, const void* data, size_t size) {
    const size_t at = NLMSG_ALIGN(header()->nlmsg_len);
    if (at + RTA_SPACE(size) > sizeof bytes) abort();
    auto* out = reinterpret_cast<rtattr*>(bytes + at);
    out->rta_type = type;
    out->rta_len = static_cast<unsigned short>(RTA_LENGTH(size));
    if (size > 0) memcpy(RTA_DATA(out), data, size);
    header()->nlmsg_len = static_cast<unsigned>(at + RTA_SPACE(size));
    return out;
  }
  void add_text(unsigned short type, const char* text) { add(type, text, strlen(text) + 1); }
  void add_number(unsigned short type, unsigned number) { add(type, &number, sizeof number); }
  rtattr* nest(unsigned short type) { return add(type, nullptr, 0); }
  // Closes what nest() opened.
  void end(rtattr* nested) {
    nested->rta_len =
        static_cast<unsigned short>(bytes + header()->nlmsg_len - reinterpret_cast<char*>(nested));
  }
  // A structure in the middle of a nest, as VETH_INFO_PEER wants its ifinfomsg.
  void skip(size_t size) { header()->nlmsg_len += static_cast<unsigned>(NLMSG_ALIGN(size)); }
};

int open_netlink() { return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE); }

// Sends and waits for the answer. False with errno.
bool ask(int netlink, Request& request) {
  if (send(netlink, request.bytes, request.header()->nlmsg_len, 0) < 0) return false;
  alignas(nlmsghdr) char answer[8192];
  const ssize_t length = recv(netlink, answer, sizeof answer, 0);
  const auto* header = reinterpret_cast<const nlmsghdr*>(answer);
  if (length < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(nlmsgerr))) ||
      header->nlmsg_type != NLMSG_ERROR) {
    errno = EPROTO;
    return false;
  }
  errno = -static_cast<const nlmsgerr*>(NLMSG_DATA(header))->error;
  return errno == 0;
}

unsigned index_of(int netlink, const char* name) {
  Request request;
  request.begin<ifinfomsg>(RTM_GETLINK, 0)->ifi_family = AF_UNSPEC;
  request.header()->nlmsg_flags = NLM_F_REQUEST;
  request.add_text(IFLA_IFNAME, name);
  if (send(netlink, request.bytes, request.header()->nlmsg_len, 0) < 0) return 0;
  alignas(nlmsghdr) char answer[32768];
  const ssize_t length = recv(netlink, answer, sizeof answer, 0);
  const auto* header = reinterpret_cast<const nlmsghdr*>(answer);
  if (length < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(ifinfomsg))) ||
      header->nlmsg_type != RTM_NEWLINK) {
    errno = ENODEV;
    return 0;
  }
  return static_cast<unsigned>(static_cast<const ifinfomsg*>(NLMSG_DATA(header))->ifi_index);
}

struct Address {
  int family = AF_INET;
  unsigned char bytes[16] = {};
  size_t size = 4;
  unsigned char prefix = 0;
};

bool parse(const char* text, Address* out) {
  char copy[64];
  snprintf(copy, sizeof copy, "%s", text);
  if (char* slash = strchr(copy, '/'); slash != nullptr) {
    *slash = '\0';
    out->prefix = static_cast<unsigned char>(strtoul(slash + 1, nullptr, 10));
  }
  out->family = strchr(copy, ':') == nullptr ? AF_INET : AF_INET6;
  out->size = out->family == AF_INET ? 4 : 16;
  errno = EINVAL;
  return inet_pton(out->family, copy, out->bytes) == 1;
}

// A node may do without IPv6.
bool is_without_v6(const Address& address) {
  return address.family == AF_INET6 &&
         (errno == EACCES || errno == EOPNOTSUPP || errno == EAFNOSUPPORT || errno == EPERM);
}

bool add_address(int netlink, unsigned index, const char* text, unsigned char prefix) {
  Address address;
  if (!parse(text, &address)) return refuse("read the address", text);
  Request request;
  auto* body = request.begin<ifaddrmsg>(RTM_NEWADDR, NLM_F_CREATE);
  body->ifa_family = static_cast<unsigned char>(address.family);
  body->ifa_prefixlen = prefix != 0 ? prefix : address.prefix;
  body->ifa_flags = address.family == AF_INET6 ? IFA_F_NODAD : 0;
  body->ifa_index = index;
  request.add(IFA_LOCAL, address.bytes, address.size);
  request.add(IFA_ADDRESS, address.bytes, address.size);
  if (ask(netlink, request) || errno == EEXIST || is_without_v6(address)) return true;
  return refuse("add the address", text);
}

bool add_route(int netlink, unsigned index, const char* gateway) {
  Address address;
  if (!parse(gateway, &address)) return refuse("read the gateway", gateway);
  Request request;
  auto* body = request.begin<rtmsg>(RTM_NEWROUTE, NLM_F_CREATE);
  body->rtm_family = static_cast<unsigned char>(address.family);
  body->rtm_table = RT_TABLE_MAIN;
  body->rtm_protocol = RTPROT_STATIC;
  body->rtm_scope = RT_SCOPE_UNIVERSE;
  body->rtm_type = RTN_UNICAST;
  request.add(RTA_GATEWAY, address.bytes, address.size);
  request.add_number(RTA_OIF, index);
  if (ask(netlink, request)) return true;
  // Without an address of that family there is no way to the gateway either.
  if (address.family == AF_INET6) return true;
  return refuse("add the route by", gateway);
}

bool set_up(int netlink, unsigned index) {
  Request request;
  auto* body = request.begin<ifinfomsg>(RTM_NEWLINK, 0);
  body->ifi_index = static_cast<int>(index);
  body->ifi_flags = IFF_UP;
  body->ifi_change = IFF_UP;
  return ask(netlink, request) || refuse("set up", "an interface");
}

// Several helpers may do this at once: what is there already is right.
unsigned make_bridge(int netlink, const BridgeOptions& options) {
  Request request;
  request.begin<ifinfomsg>(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  request.add_text(IFLA_IFNAME, options.name);
  rtattr* info = request.nest(IFLA_LINKINFO);
  request.add_text(IFLA_INFO_KIND, "bridge");
  request.end(info);
  if (!ask(netlink, request) && errno != EEXIST) {
    refuse("make the bridge", options.name);
    return 0;
  }
  const unsigned index = index_of(netlink, options.name);
  Address v4;
  Address v6;
  if (index == 0 || !parse(options.address, &v4) || !parse(options.address6, &v6)) {
    refuse("find the bridge", options.name);
    return 0;
  }
  const bool made = add_address(netlink, index, options.gateway, v4.prefix) &&
                    add_address(netlink, index, options.gateway6, v6.prefix) &&
                    set_up(netlink, index);
  return made ? index : 0;
}

// The pair: `outside` here, kInside in the namespace of this process.
bool make_pair(int node, const char* outside) {
  // The kernel takes its time to remove a namespace, and with it the pair of an earlier instance.
  Request old;
  old.begin<ifinfomsg>(RTM_DELLINK, 0);
  old.add_text(IFLA_IFNAME, outside);
  if (!ask(node, old) && errno != ENODEV) return refuse("remove", outside);
  Request request;
  request.begin<ifinfomsg>(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  request.add_text(IFLA_IFNAME, outside);
  rtattr* info = request.nest(IFLA_LINKINFO);
  request.add_text(IFLA_INFO_KIND, "veth");
  rtattr* data = request.nest(IFLA_INFO_DATA);
  rtattr* peer = request.nest(VETH_INFO_PEER);
  request.skip(sizeof(ifinfomsg));
  request.add_text(IFLA_IFNAME, kInside);
  request.add_number(IFLA_NET_NS_PID, static_cast<unsigned>(getpid()));
  request.end(peer);
  request.end(data);
  request.end(info);
  return ask(node, request) || refuse("make", outside);
}

bool plug_in(int node, unsigned outside, unsigned bridge) {
  Request request;
  auto* body = request.begin<ifinfomsg>(RTM_NEWLINK, 0);
  body->ifi_index = static_cast<int>(outside);
  request.add_number(IFLA_MASTER, bridge);
  if (!ask(node, request)) return refuse("plug into", "the bridge");
  Request isolate;
  auto* port = isolate.begin<ifinfomsg>(RTM_SETLINK, 0);
  port->ifi_family = AF_BRIDGE;
  port->ifi_index = static_cast<int>(outside);
  rtattr* info = isolate.nest(IFLA_PROTINFO | NLA_F_NESTED);
  const unsigned char yes = 1;
  isolate.add(IFLA_BRPORT_ISOLATED, &yes, sizeof yes);
  isolate.end(info);
  if (!ask(node, isolate)) return refuse("isolate", "a port of the bridge");
  return set_up(node, outside);
}

bool configure_inside(const BridgeOptions& options) {
  const int own = open_netlink();
  if (own < 0) return refuse("open", "netlink");
  const unsigned index = index_of(own, kInside);
  const bool done =
      index != 0 && set_up(own, index_of(own, "lo")) && set_up(own, index) &&
      add_address(own, index, options.address, 0) && add_address(own, index, options.address6, 0) &&
      add_route(own, index, options.gateway) && add_route(own, index, options.gateway6);
  close(own);
  return done;
}

int listen_on(const char* forward) {
  const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int no = 0;
  const int yes = 1;
  sockaddr_in6 address = {};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_any;
  address.sin6_port = htons(static_cast<unsigned short>(strtoul(forward, nullptr, 10)));
  if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no) == 0 &&
      setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
      bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      listen(fd, kBacklog) == 0) {
    return fd;
  }
  close(fd);
  return -1;
}

[[noreturn]] void become_proxy(const BridgeOptions& options, const char* forward, int listener) {
  constexpr int kListenFd = 3;  // SD_LISTEN_FDS_START
  if (listener == kListenFd) {
    fcntl(listener, F_SETFD, 0);
  } else if (dup2(listener, kListenFd) < 0) {
    refuse("pass on", forward);
    _exit(1);
  }
  char target[96];
  const int length = static_cast<int>(strcspn(options.address, "/"));
  snprintf(target, sizeof target, "%.*s:%s", length, options.address, strchr(forward, ':') + 1);
  char pid[32];
  snprintf(pid, sizeof pid, "LISTEN_PID=%d", getpid());
  char count[] = "LISTEN_FDS=1";
  char most[] = "--connections-max=4096";
  char* environment[] = {pid, count, nullptr};
  char* argv[] = {const_cast<char*>(options.proxy), most, target, nullptr};
  if (become(kNobody)) {
    execve(options.proxy, argv, environment);
    refuse("exec", options.proxy);
  }
  _exit(1);
}

}  // namespace

bool enter_bridge(const BridgeOptions& options) {
  const int node = open_netlink();
  if (node < 0) return refuse("open", "netlink");
  if (unshare(CLONE_NEWNET) != 0) return refuse("unshare", "network");
  char outside[IFNAMSIZ];
  // By the first port, which is this instance's alone.
  snprintf(outside, sizeof outside, "gst%lu", strtoul(options.forwards[0], nullptr, 10));
  const unsigned bridge = make_bridge(node, options);
  const bool made = bridge != 0 && make_pair(node, outside);
  const unsigned index = made ? index_of(node, outside) : 0;
  const bool done = index != 0 && plug_in(node, index, bridge);
  close(node);
  return done && configure_inside(options);
}

bool open_low_ports(const char* place) {
  // The node's own /proc may be read-only.
  if (mount("proc", place, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) {
    return refuse("mount", place);
  }
  char path[256];
  snprintf(path, sizeof path, "%s/sys/net/ipv4/ip_unprivileged_port_start", place);
  const int file = open(path, O_WRONLY | O_CLOEXEC);
  const bool written = file >= 0 && write(file, "0", 1) == 1;
  if (!written) refuse("write", path);
  if (file >= 0) close(file);
  umount2(place, MNT_DETACH);
  return written;
}

bool listen_forwards(const BridgeOptions& options, int* sockets) {
  for (int i = 0; i < options.forward_count; ++i) {
    sockets[i] = listen_on(options.forwards[i]);
    if (sockets[i] < 0) return refuse("listen on port", options.forwards[i]);
  }
  return true;
}

bool start_proxies(const BridgeOptions& options, const int* sockets) {
  for (int i = 0; i < options.forward_count; ++i) {
    const pid_t child = fork();
    if (child < 0) return refuse("fork", options.proxy);
    if (child == 0) become_proxy(options, options.forwards[i], sockets[i]);
    close(sockets[i]);
  }
  return true;
}

}  // namespace oci_start

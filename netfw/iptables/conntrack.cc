// SPDX-License-Identifier: Apache-2.0
#include "netfw/iptables/conntrack.h"

#include <errno.h>
#include <netinet/in.h>
#include <netlink/addr.h>
#include <netlink/cache.h>
#include <netlink/netfilter/ct.h>
#include <netlink/netfilter/nfnl.h>
#include <netlink/socket.h>
#include <string.h>

#include <algorithm>
#include <set>

#include "common/base/config.h"
#include "common/base/text.h"
#include "common/sys/handle.h"

namespace netfw {
namespace {

void free_socket(nl_sock* socket) noexcept { nl_socket_free(socket); }
void free_cache(nl_cache* cache) noexcept { nl_cache_free(cache); }

struct Wanted {
  std::set<Endpoint> endpoints;
  std::set<std::uint16_t> tcp_ports;
};

bool is_wanted(const Wanted& wanted, const nfnl_ct* flow) {
  nl_addr* const destination = nfnl_ct_get_dst(flow, 0);
  if (destination == nullptr || nfnl_ct_test_dst_port(flow, 0) == 0) return false;
  const std::uint8_t protocol = nfnl_ct_get_proto(flow);
  if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP) return false;
  Endpoint key;
  key.transport = protocol == IPPROTO_TCP ? Transport::tcp : Transport::udp;
  key.address.family = nl_addr_get_len(destination) == 4 ? Family::v4 : Family::v6;
  memcpy(key.address.bytes.data(), nl_addr_get_binary_addr(destination),
         std::min<std::size_t>(nl_addr_get_len(destination), 16));
  key.port = nfnl_ct_get_dst_port(flow, 0);
  if (key.transport == Transport::tcp && wanted.tcp_ports.contains(key.port)) return true;
  return wanted.endpoints.contains(key);
}

// Spares a walk of the whole table where nothing is tracked.
bool has_no_flows() {
  const auto count = base::read_file("/proc/sys/net/netfilter/nf_conntrack_count", 64);
  return count && base::trim(*count) == "0";
}

}  // namespace

base::Result<std::size_t> revoke_flows(const std::vector<Endpoint>& endpoints,
                                       const std::vector<std::uint16_t>& tcp_ports) {
  if (endpoints.empty() && tcp_ports.empty()) return std::size_t{0};
  const Wanted wanted{{endpoints.begin(), endpoints.end()}, {tcp_ports.begin(), tcp_ports.end()}};
  if (has_no_flows()) return std::size_t{0};
  const sys::Handle<nl_sock, free_socket> socket(nl_socket_alloc());
  CHECK_THAT(socket != nullptr);
  if (const int error = nfnl_connect(socket.get()); error < 0) {
    return base::os_error(EPROTONOSUPPORT, std::string("conntrack: ") + nl_geterror(error));
  }
  nl_cache* raw = nullptr;
  if (const int error = nfnl_ct_alloc_cache(socket.get(), &raw); error < 0) {
    return base::os_error(EIO, std::string("conntrack dump: ") + nl_geterror(error));
  }
  const sys::Handle<nl_cache, free_cache> cache(raw);
  std::size_t count = 0;
  for (nl_object* object = nl_cache_get_first(cache.get()); object != nullptr;
       object = nl_cache_get_next(object)) {
    auto* const flow = reinterpret_cast<nfnl_ct*>(object);
    if (!is_wanted(wanted, flow)) continue;
    const int error = nfnl_ct_del(socket.get(), flow, 0);
    if (error >= 0) {
      ++count;
    } else if (error != -NLE_OBJ_NOTFOUND) {  // ended by itself meanwhile
      return base::os_error(EIO, std::string("conntrack delete: ") + nl_geterror(error));
    }
  }
  return count;
}

}  // namespace netfw

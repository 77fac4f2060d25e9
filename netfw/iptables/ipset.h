// SPDX-License-Identifier: Apache-2.0
// Sets of the kernel (ipset) over netlink: created, listed, and changed element by element.
//
// Used by the iptables backend. No ipset library or program is involved.
// 1. Neighbouring changes of one kind to one set go out as one message, some hundreds at a time.
// 2. Adding what is there and deleting what is not are no errors.
// Threads: one at a time. Source: linux/netfilter/ipset/ip_set.h, libnl 3.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/sys/handle.h"
#include "netfw/api/grammar.h"
#include "netfw/model/firewall.h"

struct nl_sock;
struct nl_msg;

namespace netfw {

// One element: a network, a port, or an endpoint, as its set's kind says.
struct SetElement {
  SetKind kind = SetKind::ports;
  IpNet net = {};
  std::uint16_t port = 0;
  Endpoint endpoint = {};
};

struct ElementChange {
  std::string set;
  bool add = true;
  SetElement element;
};

class IpsetSocket {
 public:
  static base::Result<IpsetSocket> open();
  IpsetSocket(IpsetSocket&&) noexcept = default;
  IpsetSocket& operator=(IpsetSocket&&) noexcept = default;

  // Makes the set when it is not there. Errors: already_exists set_type_differs.
  base::Result<void> create(const std::string& name, SetKind kind, Family family);
  // Errors: not_found set_absent.
  base::Result<std::vector<SetElement>> list(const std::string& name, SetKind kind);
  // In the given order, up to the first that fails. Errors: os errors; internal ipset_failed.
  base::Result<void> change(const std::vector<ElementChange>& changes);
  // A set that is not there is no error. Errors: EBUSY while a rule refers to it.
  base::Result<void> destroy(const std::string& name);

 private:
  static void close(nl_sock* socket) noexcept;
  explicit IpsetSocket(nl_sock* socket) : socket_(socket) {}
  base::Result<std::uint8_t> highest_revision(const char* type, std::uint8_t family);
  sys::Handle<nl_sock, close> socket_;
};

}  // namespace netfw

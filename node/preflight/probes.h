// SPDX-License-Identifier: Apache-2.0
// What only a system call can tell. Live on this machine; absent (every answer empty) for a fake
// tree, where the checks that need one are skipped.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/preflight/peers.h"

namespace node::preflight {

enum class TableState { usable, missing, not_permitted };

class Probes {
 public:
  virtual ~Probes() = default;
  // Whether the kernel has the legacy iptables table, by IPT_SO_GET_INFO as iptc_init asks it.
  virtual std::optional<TableState> iptables_table(const std::string& name) = 0;
  virtual std::optional<TableState> nf_tables() = 0;
  // Whether the kernel says that a time service disciplines its clock.
  virtual std::optional<bool> clock_synchronised() = 0;
  // IPv4 addresses of a host name; empty list when it does not resolve.
  virtual std::optional<std::vector<std::string>> resolve(const std::string& host) = 0;
  // Size of the filesystem that holds `path`.
  virtual std::optional<std::uint64_t> filesystem_bytes(const std::string& path) = 0;
  // Whether /dev/fuse can be opened; an errno text otherwise.
  virtual std::optional<std::string> open_fuse() = 0;
  // nullopt: not looked at, or not permitted.
  virtual std::optional<PeerAnswer> ask_peer(const std::string& host) = 0;
};

std::unique_ptr<Probes> live_probes();
std::unique_ptr<Probes> no_probes();

}  // namespace node::preflight

// SPDX-License-Identifier: Apache-2.0
// Members of sets as nf_tables elements, and back.
//
// Used by the nftables backend. A network is an interval: an element where it begins and one, with
// a flag, behind its end; the last network of the address space has no end.
// Threads: any. Source: linux/netfilter/nf_tables.h.
#pragma once

#include <string_view>
#include <vector>

#include "netfw/model/firewall.h"
#include "netfw/nftables/socket.h"

namespace netfw::nft {

// Messages that create the sets of `id` in our table.
std::vector<Message> make_set(SetId id);
// Deletions of all changes, then additions, some hundreds of elements in a message.
std::vector<Message> make_changes(const std::vector<SetChange>& changes);

// Elements of one set as they are listed, gathered into members.
class ElementReader {
 public:
  ElementReader(SetId id, Family family) : id_(id), family_(family) {}
  void read(std::string_view attributes);  // of one listed message
  void store(FirewallSets& out) const;

 private:
  SetId id_;
  Family family_;
  std::vector<std::string> starts_;
  std::vector<std::string> ends_;
};

}  // namespace netfw::nft

// SPDX-License-Identifier: Apache-2.0
// nf_tables over netlink: one batch that takes effect as a whole or not at all, and listings.
//
// Used by the nftables backend.
// 1. A batch is one message to the kernel; the kernel commits it in one step, for IPv4 and IPv6.
// 2. A listing that the kernel says was interrupted by a change is begun again.
// Threads: one at a time. Source: linux/netfilter/nfnetlink.h, nf_tables.h; kernel nfnetlink.c.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/sys/handle.h"
#include "netfw/nftables/attributes.h"

namespace netfw::nft {

struct Message {
  std::uint16_t type = 0;   // NFT_MSG_…
  std::uint16_t flags = 0;  // beside NLM_F_REQUEST
  Attributes attributes = {};
  std::uint8_t family = 0;  // NFPROTO_…
};

class Socket {
 public:
  static base::Result<Socket> open();

  // Errors: os errors; the detail names the number of the message that the kernel refused.
  base::Result<void> commit(const std::vector<Message>& messages);
  // Calls `visit` with the attributes of each object. Errors: os errors, ENOENT among them.
  base::Result<void> list(const Message& request,
                          const std::function<void(std::string_view attributes)>& visit);

 private:
  explicit Socket(sys::Fd fd) : fd_(std::move(fd)) {}
  base::Result<bool> list_once(const Message& request,
                               const std::function<void(std::string_view)>& visit);
  sys::Fd fd_;
  std::uint32_t sequence_ = 1;
};

}  // namespace netfw::nft

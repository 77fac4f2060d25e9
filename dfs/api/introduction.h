// SPDX-License-Identifier: Apache-2.0
// Of each caller's links to a server the newest alone is listened to: what is still under way on an
// older one, or comes late, is not carried out after what its caller sent again, and then changed.
//
// Used by mounts, which send content again after a link has ended, and by storage servers.
// 1. The first frame of such a caller's links is a Hello: a notice of kind kHelloKind. A server
// that does not know it ignores it; links without one are left alone. Threads: the loop's.
#pragma once

#include <memory>

#include "common/base/net.h"

namespace dfs {

inline constexpr std::uint8_t kHelloKind = 255;
struct Hello {
  std::uint64_t caller = 0;  // random, not 0
  std::uint64_t link = 0;    // counts up with each link of the caller
  template <class Archive>
  void fields(Archive& archive) {
    archive(caller, link);
  }
};

// A network on which each link that is made begins with a Hello.
std::unique_ptr<base::Net> introduce_links(std::unique_ptr<base::Net> net, std::uint64_t caller);
// A network that ends a caller's older link when a newer one has introduced itself, and refuses the
// older one when it comes later.
std::unique_ptr<base::Net> hear_newest_links(std::unique_ptr<base::Net> net);

}  // namespace dfs

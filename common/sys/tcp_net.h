// SPDX-License-Identifier: Apache-2.0
// base::Net over TCP: each frame is led by its length in four bytes, big-endian.
//
// Threads: the loop's. Source: tcp(7), epoll(7).
#pragma once

#include <memory>

#include "common/base/net.h"
#include "common/sys/event_loop.h"

namespace sys {

// Requires: the loop outlives it and all its links.
std::unique_ptr<base::Net> make_tcp_net(EventLoop& loop);

}  // namespace sys

// SPDX-License-Identifier: Apache-2.0
// Listening sockets for the HTTP server: unix sockets with a mode, TCP on a literal address.
#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "common/rest/server.h"
#include "common/sys/handle.h"

namespace rest {

struct ListeningSocket {
  sys::Fd fd;
  std::uint16_t port = 0;  // 0 for a unix socket
};

// Errors: os errors; invalid_argument listener_invalid.
base::Result<ListeningSocket> open_listener(const ListenerOptions& options);

}  // namespace rest

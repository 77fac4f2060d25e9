// SPDX-License-Identifier: Apache-2.0
// Whether something accepts TCP connections at an address, without blocking.
// Threads: loop thread.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "common/sys/event_loop.h"

namespace node::agent {

// `done` comes once, never inside this call; its text is empty when a connection was made. Dropping
// the handle ends the probe without `done`.
[[nodiscard]] sys::WatchHandle probe_tcp(sys::EventLoop& loop, const std::string& address,
                                         std::uint16_t port, std::chrono::milliseconds timeout,
                                         std::function<void(std::string failure)> done);

// Whether the port can be bound now on all addresses. Errors: failed_precondition port_in_use.
base::Result<void> check_port_free(std::uint16_t port);

}  // namespace node::agent

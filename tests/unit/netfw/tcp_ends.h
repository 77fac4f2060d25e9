// SPDX-License-Identifier: Apache-2.0
// The two ends of TCP connections across the namespaces of netns.h.
//
// 1. A socket belongs to the namespace in which it was made and stays there.
#pragma once

#include <cstdint>
#include <string>

#include "common/sys/handle.h"
#include "netfw/api/grammar.h"

namespace netfw_test {

// Listens; connections wait in its queue, which is enough for them to be established.
class TcpListener {
 public:
  TcpListener(const netfw::IpAddress& address, std::uint16_t port);

 private:
  sys::Fd socket_;
};

// One connection, or the try.
class TcpClient {
 public:
  TcpClient(const netfw::IpAddress& address, std::uint16_t port);
  // From a certain address of the client.
  TcpClient(const netfw::IpAddress& source, const netfw::IpAddress& address, std::uint16_t port);
  bool is_open() const { return is_open_; }
  // Whether the other end's kernel acknowledges a byte within 300 ms.
  bool is_heard();
  // This end, "10.1.0.2:51234" or "[fd00:1::2]:51234".
  std::string name() const;

 private:
  void connect_to(const netfw::IpAddress& address, std::uint16_t port);
  sys::Fd socket_;
  bool is_open_ = false;
};

}  // namespace netfw_test

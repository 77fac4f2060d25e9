// SPDX-License-Identifier: Apache-2.0
// The ZooKeeper engine of Coordination: for clusters.
//
// 1. A call that fails with coordination_lost may have taken effect: ZooKeeper was reached and went
// away, or never answered.
// 2. The session is renewed by a small read of our own every sixth of its timeout, whose send time
// is what lease_valid_until() counts from. A process that stands still longer than the timeout
// loses its session.
// 3. The stat of a node that a multi created is read after it.
// Threads: as Coordination; callbacks come on the client library's completion thread.
// Source: zookeeper.h 3.8; the servers need jute.maxbuffer of at least 4 MiB for data of 1 MiB.
#pragma once

#include "common/coordination/coordination.h"

namespace coordination {

struct ZookeeperOptions {
  std::string servers;            // "10.0.0.1:2181,10.0.0.2:2181,10.0.0.3:2181"
  std::string root = "/gestalt";  // of this tree; made when it is missing
  base::Duration session_timeout = std::chrono::seconds(6);  // the servers may give another one
  base::Duration connect_timeout = std::chrono::seconds(15);
};

// How a session may be taken over by another handle: for tests, which end sessions with it.
struct ZookeeperTicket {
  std::int64_t session = 0;
  std::string password;  // 16 bytes
};

class ZookeeperCoordination : public Coordination {
 public:
  virtual ZookeeperTicket ticket() const = 0;
};

// Errors: unavailable coordination_lost when no server answered within connect_timeout;
// invalid_argument path_invalid.
base::Result<std::unique_ptr<ZookeeperCoordination>> open_zookeeper(
    const ZookeeperOptions& options);

}  // namespace coordination

// SPDX-License-Identifier: Apache-2.0
// The storage server's side of the metadata server: says every second that it is here, starts and
// stops groups by the answer, and has their configurations decided.
//
// 1. A group that metadata no longer names for this server is stopped after a few answers in a row;
// what the device holds of it stays until it is removed by hand.
// 2. An answer tells the configuration of each group; a change that this server asks for is told to
// the group at once.
// Threads: the loop's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dfs/api/meta_protocol.h"
#include "dfs/api/rpc.h"
#include "dfs/replication/group.h"

namespace dfs::storage {

GroupConfiguration to_wire(GroupNumber group, const replication::Configuration& configuration);
replication::Configuration from_wire(const GroupConfiguration& configuration);

// Calls to whichever metadata server leads: the next one is asked when one does not answer.
class MetaLink {
 public:
  MetaLink(base::Net& net, base::Timers& timers, std::vector<base::Endpoint> servers);

  template <class Request>
  void call(const Request& request, base::Duration timeout,
            std::function<void(base::Result<typename Request::Reply>)> answered) {
    const std::size_t asked = current_;
    links_[asked]->template call<Request>(
        request, timeout,
        [this, asked, answered = std::move(answered)](base::Result<typename Request::Reply> reply,
                                                      std::string_view) {
          if (!reply) note(asked, reply.error());
          answered(std::move(reply));
        });
  }

 private:
  void note(std::size_t asked, const base::Error& error);

  std::vector<std::unique_ptr<RpcClient>> links_;
  std::size_t current_ = 0;
};

class Registrar {
 public:
  struct Hooks {
    // What is registered: address, capacity, free space.
    std::function<RegisterStorage()> describe;
    std::function<void(const std::vector<NodeAddress>&)> set_nodes;
    std::function<base::Result<void>(GroupNumber, replication::ConfigurationStore&)> start_group;
    std::function<void(GroupNumber)> stop_group;
  };
  // Requires: net and timers outlive it. At least one server.
  Registrar(base::Net& net, base::Timers& timers, std::vector<base::Endpoint> metadata,
            Hooks hooks);
  ~Registrar();
  Registrar(const Registrar&) = delete;
  Registrar& operator=(const Registrar&) = delete;

  void start() { register_now(); }
  // Metadata answered the last registration.
  bool is_registered() const { return registered_; }
  std::uint64_t failures() const { return failures_; }

 private:
  class Store;
  struct Known {
    std::unique_ptr<Store> store;
    bool is_started = false;
    int missed = 0;  // answers in a row that did not name it
  };
  void register_now();
  void take(const RegisterStorageReply& reply);

  base::Timers& timers_;
  Hooks hooks_;
  MetaLink link_;
  std::map<GroupNumber, Known> groups_;
  bool registered_ = false;
  std::uint64_t failures_ = 0;
  base::TimerHandle timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace dfs::storage

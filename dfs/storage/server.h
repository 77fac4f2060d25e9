// SPDX-License-Identifier: Apache-2.0
// The storage server (7863): the requests of storage_protocol.h in front of the chunk groups of one
// device.
//
// 1. A change is answered when the group says that it is applied. Before it is proposed its data
// is measured, its volume's epoch and the room on the devices are looked at.
// 2. A read is answered from the state that is applied here while the group's lease holds. What is
// in the page cache is read on the loop, the rest by the readers.
// 3. A block that does not match is mended from another member before the answer.
// 4. Memory: kProposedMax bytes of changes and kReadMax bytes of reads under way; what is beyond is
// refused (throttled in_flight_full).
// Threads: the loop's.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "dfs/api/rpc.h"
#include "dfs/replication/group.h"
#include "dfs/storage/machine.h"
#include "dfs/storage/mender.h"

namespace dfs::storage {

inline constexpr std::size_t kProposedMax = std::size_t{256} << 20;
inline constexpr std::size_t kReadMax = std::size_t{256} << 20;

// Makes the group's other half: start_group() in the daemon, a double in tests. The machine
// outlives it.
using MakeGroup = std::function<base::Result<std::unique_ptr<replication::Group>>(
    GroupNumber group, replication::StateMachine& machine)>;

struct ServerCounters {
  std::uint64_t changes = 0;
  std::uint64_t change_bytes = 0;
  std::uint64_t reads = 0;
  std::uint64_t read_bytes = 0;
  std::uint64_t cold_reads = 0;  // had to wait for the device
  std::uint64_t refused = 0;
  std::uint64_t stale = 0;  // refused for their volume's epoch
  MendCounters blocks;
};

class StorageServer {
 public:
  struct Parts {
    base::Net& net;
    base::Timers& timers;
    Device& device;
    DiskExecutor readers;  // several at a time
  };
  struct Options {
    std::string node;  // the disk's id
    base::Endpoint listen;
    // Gets what members of groups send each other (StorageKind::replicate).
    std::function<void(std::string_view body, std::string_view data)> on_replicate = {};
  };
  // Requires: the parts outlive it. Errors: those of Net::listen.
  static base::Result<std::unique_ptr<StorageServer>> start(Parts parts, Options options);
  ~StorageServer();

  // Opens the group's objects and starts it. Errors: already_exists chunk_group_exists; those of
  // ChunkMachine::open and of `make`.
  base::Result<void> add_group(GroupNumber group, const MakeGroup& make);
  void drop_group(GroupNumber group);
  std::vector<GroupNumber> groups() const;
  replication::Group* find_group(GroupNumber group);
  ChunkMachine* find_machine(GroupNumber group);

  // The cluster's storage servers, for mending and for word of full devices.
  Peers& peers() { return peers_; }
  Mender& mender() { return mender_; }
  const base::Endpoint& endpoint() const { return listener_->endpoint(); }
  const ServerCounters& counters() const { return counters_; }
  const std::string& node() const { return options_.node; }
  // The in-sync members of the group but this one.
  std::vector<std::string> others(GroupNumber group) const;

 private:
  struct Chunk;
  struct Reading;
  StorageServer(Parts parts, Options options);

  void handle(std::uint8_t kind, std::string_view body, std::string_view data, Responder responder);
  template <class Request>
  void handle_change(std::string_view body, std::string_view data, Responder responder);
  template <class Request>
  base::Result<Chunk*> check_change(const Request& request, std::string_view data);
  base::Result<Chunk*> find_primary(GroupNumber group);
  base::Result<void> check_room(const Chunk& chunk) const;
  void handle_read(std::string_view body, Responder responder);
  void go_on_reading(const std::shared_ptr<Reading>& reading);
  void check_reading(const std::shared_ptr<Reading>& reading);
  void answer_reading(const std::shared_ptr<Reading>& reading);
  void handle_seek(std::string_view body, Responder responder);
  void handle_fetch(std::string_view body, Responder responder);
  void tell_room();

  Parts parts_;
  const Options options_;
  ServerCounters counters_;
  Peers peers_;
  Mender mender_;
  std::map<GroupNumber, std::shared_ptr<Chunk>> chunks_;  // shared with reads under way
  std::map<std::string, bool> full_peers_;
  std::size_t proposed_ = 0;
  std::size_t reading_ = 0;
  base::TimerHandle tick_;
  std::unique_ptr<RpcServer> listener_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace dfs::storage

// SPDX-License-Identifier: Apache-2.0
// A storage server that keeps objects in memory and checks what it is sent: that checksums fit and
// that requests that overlap in an object are never under way together.
//
// Threads: the world's.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "dfs/api/meta_protocol.h"
#include "dfs/api/rpc.h"
#include "dfs/api/storage_protocol.h"
#include "tests/support/sim/sim_net.h"

namespace dfs::testing {

// Planted mistakes: `ignored` takes changes of any epoch, to `none` all links are alike.
enum class Epochs : std::uint8_t { checked, ignored };
enum class Introductions : std::uint8_t { heard, none };

class FakeStorage {
 public:
  FakeStorage(sim::World& world, sim::SimNet& network, const std::string& host, base::Endpoint meta,
              Introductions introductions = Introductions::heard);
  ~FakeStorage();

  // What was wrong with a request; empty while nothing was.
  const std::string& complaint() const { return complaint_; }
  std::map<ObjectNumber, std::string> objects;
  std::uint64_t writes = 0;
  Epochs epochs = Epochs::checked;
  base::Duration delay_max = std::chrono::milliseconds(2);

 private:
  struct Range {
    ObjectNumber object;
    std::uint64_t first, end;
    std::weak_ptr<Caller> caller;
  };
  void handle(std::uint8_t kind, std::string_view body, std::string_view data, Responder responder);
  void change(const ObjectPlace& place, std::uint64_t first, std::uint64_t end,
              std::function<void(std::string& object)> apply, Responder responder);
  void register_here();

  sim::World& world_;
  std::string host_;
  std::unique_ptr<base::Net> net_;
  std::unique_ptr<RpcServer> server_;
  std::unique_ptr<RpcClient> meta_;
  std::map<VolumeNumber, VolumeEpoch> epochs_;
  std::map<std::uint64_t, Range> under_way_;
  std::uint64_t next_ = 1;
  base::Instant due_;  // requests are carried out in the order in which they came
  std::string complaint_;
  base::TimerHandle timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace dfs::testing

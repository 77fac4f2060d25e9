// SPDX-License-Identifier: Apache-2.0
// The simulator's disk and network against the contracts of the real ones.
#include "tests/contract/disk_suite.h"
#include "tests/contract/net_suite.h"
#include "tests/support/sim/sim_disk.h"
#include "tests/support/sim/sim_net.h"

namespace {

class SimDiskEngine : public contract::DiskEngine {
 public:
  base::Disk& disk() override { return disk_; }

 private:
  sim::World world_{1};
  sim::SimDisk disk_{world_};
};

class SimNetEngine : public contract::NetEngine {
 public:
  base::Net& server() override { return *server_; }
  base::Net& client() override { return *client_; }
  std::string server_address() override { return "server"; }
  bool run_until(const std::function<bool()>& done) override { return world_.run_until(done); }

 private:
  sim::World world_{1};
  sim::SimNet net_{world_};
  std::unique_ptr<base::Net> server_ = net_.host("server");
  std::unique_ptr<base::Net> client_ = net_.host("client");
};

}  // namespace

TEST_GROUP(SimDiskContract) { SimDiskEngine engine; };
DISK_CONTRACT_TESTS(SimDiskContract, CONTRACT_TEST)

TEST_GROUP(SimNetContract) { SimNetEngine engine; };
NET_CONTRACT_TESTS(SimNetContract, CONTRACT_TEST)

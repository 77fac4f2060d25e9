// SPDX-License-Identifier: Apache-2.0
// One device with one group on a simulated disk, the log that stands behind it, and a model that
// says what every byte must be.
//
// The log outlives power cuts, as the group's journal does; after a cut the store is opened again
// and given what is behind its durable position.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dfs/storage/device.h"
#include "tests/support/sim/sim_disk.h"

namespace dfs::storage {

struct StoreOp {
  enum class Kind { write, cut, punch, remove } kind = Kind::write;
  ObjectNumber object = 1;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::string data = {};
  bool may_be_placed = false;
  bool is_placed = false;  // the log has no copy of the data
};

// Checksums as WriteObject has them.
std::vector<std::uint32_t> sums_of(std::uint64_t offset, std::string_view data);

// Whether checkpoints take place at once, or in steps with other work between.
enum class Steps { at_once, delayed };

class StoreRig {
 public:
  StoreRig(std::uint64_t seed, Steps steps);
  ~StoreRig();

  // False when the power failed meanwhile.
  bool apply(const StoreOp& op);
  void checkpoint();
  StoreOp random_op();
  // Cuts the power at a later change; 0 takes that back.
  void cut_at_change(std::uint64_t count) { disk.cut_power_at_change(count); }
  // Power on, open, apply the log. Empty, or what went wrong.
  std::string restart();
  // Empty when every object reads as the model says.
  std::string compare();
  std::string read(ObjectNumber object, std::uint64_t offset, std::size_t size);
  bool failed() const { return failed_; }
  std::uint64_t durable() const { return durable_; }

  sim::World world;
  sim::SimDisk disk;
  std::unique_ptr<base::Disk> wrapped;  // what the device uses instead, to plant mistakes
  std::unique_ptr<BlockIndex> index;
  std::unique_ptr<Device> device;
  std::unique_ptr<ObjectStore> store;
  std::map<ObjectNumber, std::string> model;

 private:
  std::string open();
  bool replay(const StoreOp& op, std::uint64_t at);
  // Whether it may be placed, and then is, durably. False: the power failed.
  bool place_some(StoreOp& op);
  std::string check_placed();

  const Steps steps_;
  std::vector<StoreOp> log_;
  std::uint64_t applied_ = 0;
  std::uint64_t durable_ = 0;
  bool failed_ = false;
};

}  // namespace dfs::storage

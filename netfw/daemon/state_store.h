// SPDX-License-Identifier: Apache-2.0
// What must outlive the daemon: services, instances, the policy, and which pool belongs to whom.
//
// Used by the engine. Values are JSON, so that an operator can read them with mdb_dump.
// Threads: one at a time.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "common/sys/lmdb.h"
#include "netfw/model/balance.h"

namespace netfw {

// Keys of the store with their new values; nullopt erases.
using Writes = std::map<std::string, std::optional<std::string>>;

struct StoredState {
  ServiceSet services;
  std::map<InstanceId, Instance> instances;
  std::optional<Policy> policy;
  std::vector<IpNet> networks;  // that managed last while no policy was stored
  PoolAssignments assignments;
};

class StateStore {
 public:
  static base::Result<StateStore> open(const std::filesystem::path& folder);
  // Errors: corrupt state_unreadable.
  base::Result<StoredState> load();
  // Policy and networks alone, whatever the rest is like. Errors: corrupt state_unreadable.
  base::Result<StoredState> load_policy();
  // One durable transaction.
  base::Result<void> write(const Writes& writes);

  static std::string services_key() { return "services"; }
  static std::string policy_key() { return "policy"; }
  static std::string networks_key() { return "networks"; }
  static std::string pools_key() { return "pools"; }
  static std::string instance_key(const InstanceId& id) { return "instance/" + id.text(); }
  static std::string encode(const PoolAssignments& assignments);
  static std::string encode(const std::vector<IpNet>& networks);

 private:
  StateStore(sys::LmdbEnv env, sys::LmdbDb db) : env_(std::move(env)), db_(db) {}
  sys::LmdbEnv env_;
  sys::LmdbDb db_;
};

}  // namespace netfw

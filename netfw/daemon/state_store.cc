// SPDX-License-Identifier: Apache-2.0
#include "netfw/daemon/state_store.h"

#include <nlohmann/json.hpp>

namespace netfw {
namespace {

constexpr std::size_t kMapBytes = std::size_t{256} << 20;
constexpr base::JsonLimits kValueLimits = {.bytes_max = 64 << 20};

base::Error unreadable(std::string_view key, const base::Error& error) {
  return {.code = base::Code::corrupt,
          .detail = "the stored value of " + std::string(key) + ": " + base::to_string(error),
          .reason = "state_unreadable"};
}

base::Result<PoolAssignments> decode_pools(const base::Json& json) {
  PoolAssignments out;
  for (const base::Json& item : json) {
    base::Fields fields(item);
    std::string service;
    std::int64_t index = 0;
    std::string pool;
    fields.required("service", service);
    fields.required("index", index, {.min = 0, .max = 999});
    fields.required("pool", pool);
    TRY(fields.finish(base::UnknownFields::refuse));
    out.emplace(PoolKey(TRY(parse_service_id(service)), static_cast<unsigned>(index)),
                TRY(PoolName::parse(pool)));
  }
  return out;
}

base::Result<void> decode(std::string_view key, std::string_view value, StoredState& out) {
  const base::Json json = TRY(base::parse_json(value, kValueLimits));
  if (key == StateStore::services_key()) {
    out.services = TRY(read_services(json));
  } else if (key == StateStore::policy_key()) {
    out.policy = TRY(read_policy(json));
  } else if (key == StateStore::networks_key()) {
    for (const base::Json& item : json) {
      out.networks.push_back(TRY(IpNet::parse(item.is_string() ? item.get<std::string>() : "")));
    }
  } else if (key == StateStore::pools_key()) {
    out.assignments = TRY(decode_pools(json));
  } else {
    Instance instance = TRY(read_instance(json, ""));
    out.instances.emplace(instance.id, std::move(instance));
  }
  return {};
}

}  // namespace

std::string StateStore::encode(const PoolAssignments& assignments) {
  base::Json out = base::Json::array();
  for (const auto& [key, pool] : assignments) {
    out.push_back({{"service", key.first.text()}, {"index", key.second}, {"pool", pool.text()}});
  }
  return base::dump_json(out);
}

std::string StateStore::encode(const std::vector<IpNet>& networks) {
  base::Json out = base::Json::array();
  for (const IpNet& net : networks) out.push_back(net.text());
  return base::dump_json(out);
}

base::Result<StateStore> StateStore::open(const std::filesystem::path& folder) {
  sys::LmdbEnv env = TRY(sys::LmdbEnv::open(
      folder, {.map_size_bytes = kMapBytes, .databases_max = 4, .readers_max = 16, .mode = 0600}));
  const sys::LmdbDb db = TRY(env.database("netfw"));
  return StateStore(std::move(env), db);
}

base::Result<StoredState> StateStore::load() {
  StoredState out;
  const auto txn = TRY(sys::LmdbReadTxn::begin(env_));
  sys::LmdbCursor cursor = TRY(txn.cursor(db_));
  for (auto entry = TRY(cursor.first()); entry; entry = TRY(cursor.next())) {
    const auto done = decode(entry->first, entry->second, out);
    if (!done) return unreadable(entry->first, done.error());
  }
  return out;
}

base::Result<StoredState> StateStore::load_policy() {
  const auto txn = TRY(sys::LmdbReadTxn::begin(env_));
  StoredState out;
  for (const std::string& key : {policy_key(), networks_key()}) {
    const auto value = TRY(txn.find(db_, key));
    if (!value) continue;
    const auto done = decode(key, *value, out);
    if (!done) return unreadable(key, done.error());
  }
  return out;
}

base::Result<void> StateStore::write(const Writes& writes) {
  if (writes.empty()) return {};
  auto txn = TRY(sys::LmdbWriteTxn::begin(env_));
  for (const auto& [key, value] : writes) {
    if (value) {
      TRY(txn.put(db_, key, *value));
    } else {
      TRY(txn.erase(db_, key));
    }
  }
  return std::move(txn).commit();
}

}  // namespace netfw

// SPDX-License-Identifier: Apache-2.0
// Adapters: how a service acts on a foreign system. One interface, one file each, registered by
// name, one contract suite (tests/contract/adapter_suite.h) for all.
//
// Used by services that have adapters (change, launcher, …); implemented in their adapters/ folder.
// 1. What shall be is a JSON object under an id of ours. The adapter finds its counterpart in the
// foreign system by that id, so that a lost reply never makes two of it.
// 2. plan() of what is observed already is empty. A step that is applied twice is applied once.
// 3. validate() and plan() are pure; the other calls block: workers only.
// Threads: one call at a time per object.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/result.h"
#include "common/sys/http_client.h"

namespace services {

using Abilities = std::uint32_t;
inline constexpr Abilities kCanUpdate = 1;   // what is there can become something else
inline constexpr Abilities kCanScale = 2;    // in numbers, without a replacement
inline constexpr Abilities kCanMigrate = 4;  // to another place of the same kind
inline constexpr Abilities kCanRemove = 8;

struct AdapterStep {
  std::string verb;  // "create", "update", "scale", "remove", …
  std::string id;    // ours
  std::string body;  // JSON text for the foreign system
};

class Adapter {
 public:
  virtual ~Adapter() = default;
  virtual std::string_view name() const = 0;
  virtual Abilities abilities() const = 0;
  // Errors: invalid_argument, with the pointer of the field.
  virtual base::Result<void> validate(const base::Json& desired) const = 0;
  // Reaches the foreign system and says what it is: {"product": …, "version": …}. Errors:
  // unavailable, timed_out, unauthenticated, permission_denied.
  virtual base::Result<base::Json> probe() = 0;
  // nullopt: it is not there. Errors: as probe().
  virtual base::Result<std::optional<base::Json>> observe(const std::string& id) = 0;
  // `desired` null: it shall not be there. Errors: unsupported ability_missing.
  virtual base::Result<std::vector<AdapterStep>> plan(
      const std::string& id, const base::Json& desired,
      const std::optional<base::Json>& observed) const = 0;
  // Errors: as probe(); conflict, failed_precondition and invalid_argument as the foreign system
  // refuses.
  virtual base::Result<void> apply(const AdapterStep& step) = 0;
};

struct AdapterParts {
  const base::Clock& clock;
  base::Rng& rng;
  sys::HttpClient& http;
};

class AdapterRegistry {
 public:
  // Errors: invalid_argument, with a pointer within the settings.
  using Maker = base::Result<std::unique_ptr<Adapter>> (*)(const base::Json& settings,
                                                           const AdapterParts& parts);
  // Requires: no other of this kind and name.
  void add(std::string kind, std::string name, Maker maker);
  // Errors: unsupported adapter_unknown; those of the maker.
  base::Result<std::unique_ptr<Adapter>> make(std::string_view kind, std::string_view name,
                                              const base::Json& settings,
                                              const AdapterParts& parts) const;
  bool has(std::string_view kind, std::string_view name) const;
  std::vector<std::string> names(std::string_view kind) const;

 private:
  std::map<std::pair<std::string, std::string>, Maker> makers_;
};

// Reads, plans, applies each step. Returns how many steps it took. Errors: those of the adapter.
base::Result<std::size_t> reconcile(Adapter& adapter, const std::string& id,
                                    const base::Json& desired);
// What an HTTP reply of a foreign system means when it is not 2xx: 401, 403, 404, 409, 412, 429
// and 5xx have their codes, other 4xx are invalid_argument adapter_refused.
base::Result<void> check_adapter_status(const sys::HttpReply& reply, std::string_view what);

}  // namespace services

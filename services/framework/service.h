// SPDX-License-Identifier: Apache-2.0
// A service: what the host runs. Opens no socket, thread or file of its own.
//
// Life: construction → collections(), schemas(), actions() → the store opens → start() → calls →
// stop() → destruction. Threads: start and stop on the loop; handlers on the loop (queries) and on
// workers.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"
#include "common/store/store.h"
#include "services/framework/action.h"

namespace services {

class Host;

// The shape of error bodies below a mount, unless the client accepts application/problem+json.
enum class Dialect {
  problem,   // application/problem+json
  security,  // {code, message, resource, developerMessage}; below /oauth {error, error_description}
  meta,      // {code, message}
  confluent,  // {error_code, message}
};

struct Schema {
  std::string_view name;  // "#/components/schemas/NAME"
  std::string_view text;  // JSON
};

// From one version of a service's records to the next, in parts: each call does a bounded part in a
// transaction of its own, moves `place` on (empty at first) and returns whether it was the last. A
// process that dies goes on behind the last part that was committed.
struct Migration {
  std::string_view name;  // for the log
  base::Result<bool> (*part)(store::Writer& writer, std::string& place);
};

class Service {
 public:
  virtual ~Service() = default;
  virtual std::string_view name() const = 0;   // "security"
  virtual std::string_view mount() const = 0;  // "/security"
  virtual Dialect dialect() const { return Dialect::problem; }
  // Collections with their indexes, named "security.accounts" and so on.
  virtual std::vector<store::Collection> collections() const = 0;
  // The n-th leads from version n of its records to version n + 1. Only ever added to.
  virtual std::span<const Migration> migrations() const { return {}; }
  virtual std::vector<Schema> schemas() const { return {}; }
  virtual void actions(ActionTable& table) = 0;  // table.add(kActions, *this)
  // Registers stages, runners, subscriptions and timers; reads what it keeps in memory.
  virtual base::Result<void> start(Host& host) = 0;
  virtual void stop() {}
  // Its part of GET /health: {"status": "ok" | "degraded", …}.
  virtual base::Json health();
};

// How the host makes a service from its part of the configuration ("services": {"event": {…}}).
// Errors carry a pointer within that part.
struct ServiceMaker {
  std::string_view name;
  base::Result<std::unique_ptr<Service>> (*make)(const base::Json& config);
};

}  // namespace services

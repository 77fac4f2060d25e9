// SPDX-License-Identifier: Apache-2.0
// The seam between containers as resources (meta) and what runs them (the launcher).
//
// The launcher finds Containers with Host::find("meta") and registers itself there. Meta tells it
// of every change within the transaction that makes it, so that no change can be lost; the events
// "meta.container.created", "…updated", "…scaled", "…migrated" and "…deleted" say afterwards that
// there is something to look at. What came of it the launcher tells through Containers.
// A container is told as {id, name, type, state, org, fqon, parent, path, version, properties, env,
// provider, problem, lacks, waits_for}: `env` with what it inherits; `provider` is the name of the
// provider, "default" when it names none, null when it cannot be used, and `problem` says why.
// `lacks` and `waits_for` are keys of its configuration that have no value and must have one: with
// some of the first it cannot run, with some of the second not yet.
// 1. A report about a container that is gone is no error: the launcher then has nothing to keep.
// 2. A report that changes nothing writes nothing.
// 3. Who may make providers for others to use is the operator: only those directly below the root
// organisation are known by their name.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"
#include "common/store/store.h"
#include "services/framework/call.h"

namespace services::meta {

enum class Fate { keep, failed };

struct ContainerReport {
  std::string status;       // RUNNING, STAGED, SUSPENDED, SCALING, LOST, FAILED, …
  std::string external_id;  // on the provider: "/root/ws/env/name"
  std::int64_t running = 0;
  std::int64_t healthy = 0;
  std::int64_t staged = 0;
  std::int64_t unhealthy = 0;
  base::Json instances = {};          // [{id, host, ports, started}]
  base::Json service_addresses = {};  // {PORT NAME: {host, port, protocol}}
  Fate fate = Fate::keep;             // failed: the resource's state becomes Failed
  std::string message = {};           // why it is not as it should be
};

class ContainerRunner {
 public:
  virtual ~ContainerRunner() = default;
  // Within the transaction of the change; `verb`: create, update, scale, migrate, delete, restore.
  // Makes a task of the call's caller for it, and returns its id; empty when there is nothing to
  // do.
  virtual base::Result<std::string> take_change(Call& call, std::string_view verb,
                                                const base::Json& container) = 0;
  // What stands for containers of these ids at a provider, as its cluster says, by their ids: an
  // application of Marathon with its tasks. Those that it does not have are left out. Blocks.
  // Errors: unsupported adapter_unknown; unavailable and others of the adapter.
  virtual base::Result<std::map<std::string, base::Json>> observe_containers(
      const std::string& provider, const std::vector<std::string>& ids) = 0;
  // {"product", "version"} of a provider's cluster. Blocks. Errors: as above.
  virtual base::Result<base::Json> probe_provider(const std::string& provider) = 0;
};

class Containers {
 public:
  virtual ~Containers() = default;
  // Null: nobody any more. Requires: no calls under way, as when services start and stop.
  virtual void set_runner(ContainerRunner* runner) = 0;
  // Every container there is. O(containers).
  virtual base::Result<std::vector<std::string>> container_ids(store::Reader& reader) = 0;
  // Whether report_container would write something.
  virtual base::Result<bool> is_news(store::Reader& reader, std::string_view id,
                                     const ContainerReport& report) = 0;
  // Within Host::transact or a handler.
  virtual base::Result<void> report_container(Call& call, std::string_view id,
                                              const ContainerReport& report) = 0;
  // The container as it is wanted now, nullopt when it is gone.
  virtual base::Result<std::optional<base::Json>> wanted_container(store::Reader& reader,
                                                                   std::string_view id) = 0;
};

}  // namespace services::meta

// SPDX-License-Identifier: Apache-2.0
// The seam between containers as resources (meta) and what runs them (the launcher).
//
// Meta emits "meta.container.created", "…updated", "…scaled", "…migrated" and "…deleted" with the
// resource as payload: {id, name, type, org, fqon, parent, version, properties, provider}. The
// launcher subscribes, makes it so, and tells what came of it through Containers, which it finds
// with Host::find("meta").
// 1. A report about a container that is gone is no error: the launcher then has nothing to keep.
// 2. A report that changes nothing writes nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

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
  std::string message = {};
};

class Containers {
 public:
  virtual ~Containers() = default;
  // Within Host::transact or a handler.
  virtual base::Result<void> report_container(Call& call, std::string_view id,
                                              const ContainerReport& report) = 0;
  // The container as it is wanted now (the payload of the events), nullopt when it is gone.
  virtual base::Result<std::optional<base::Json>> wanted_container(store::Reader& reader,
                                                                   std::string_view id) = 0;
};

}  // namespace services::meta

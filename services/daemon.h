// SPDX-License-Identifier: Apache-2.0
// gestalt-services: which services exist, the configuration, and how the process is put together.
//
// Used by main.cc and by the tests that start the whole.
// Threads: the loop's.
#pragma once

#include <span>

#include "common/rest/daemon.h"
#include "services/framework/service.h"

namespace services {

// All services, in the order in which they start.
std::span<const ServiceMaker> makers();

// Configuration as docs/reference/config.md says. `wanted`: names from --services=, empty: those of
// the configuration. Errors: invalid_argument field_*, service_unknown.
base::Result<void> check_services_config(const base::Json& config, const std::string& wanted);
base::Result<std::unique_ptr<rest::DaemonBody>> start_services(rest::DaemonContext context,
                                                               const std::string& wanted);
void describe_services(rest::RouteTable& table);

// Where the store of a configuration is, and what the services that it hosts keep there.
struct StoreSettings {
  std::string state;   // the folder of keys and logs, and of the lmdb engine's store
  std::string engine;  // "lmdb" or "postgresql"
  std::string connection;
  store::Options options;
  std::string lmdb_folder() const { return state + "/store"; }
};
// Errors: as check_services_config().
base::Result<StoreSettings> store_settings(const base::Json& config, const std::string& wanted);
base::Result<std::unique_ptr<store::Store>> open_store(const StoreSettings& settings);
// While the service has it open, or nobody.
base::Result<std::unique_ptr<store::Store>> open_store_to_read(const StoreSettings& settings);
std::string_view program_version();

}  // namespace services

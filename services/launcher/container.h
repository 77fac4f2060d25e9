// SPDX-License-Identifier: Apache-2.0
// A container of meta as an application of Marathon, and what Marathon says as a report for meta.
// Pure.
//
// Used by service.cc. What Marathon keeps as labels is how load balancer and firewall follow: an
// exposed port has HAPROXY_GROUP and HAPROXY_n_VHOST, which masterd hands to netfw.
// Threads: plain functions. Source: services.md 1b (Provisioning), Marathon 1.11 REST API.
#pragma once

#include <optional>
#include <string>

#include "common/base/json.h"
#include "common/base/result.h"
#include "services/meta/api/containers.h"

namespace services::launcher {

// "/gestalt/ORG/NAME-0123456789abcdef", the end from the container's id.
std::string app_id_of(const base::Json& container);

// What the operator of a cluster lets containers be.
struct Terms {
  bool processes = false;  // without an image, as commands of the node's own file system
};
// The application without its id. `container`: as meta gives it (services/meta/api/containers.h);
// "env" at its top is the environment with what it inherits. Errors: invalid_argument field_*, with
// a pointer within the container ("/properties/image").
base::Result<base::Json> app_of(const base::Json& container, const Terms& terms);

// What Marathon says, without an id: RUNNING, STAGED, SCALING, SUSPENDED, WAITING or UNHEALTHY.
struct Seen : meta::ContainerReport {
  bool is_settled = false;  // as many run as shall, and nothing is under way
};
Seen seen_of(const base::Json& app);

}  // namespace services::launcher

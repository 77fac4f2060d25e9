// SPDX-License-Identifier: Apache-2.0
// `gestalt org|workspace|environment|get|create|delete|apply|diff|context`: resources of the meta
// service.
//
// A place is /fqon[/workspace[/environment]]. Without --context the one that `gestalt context
// PLACE` has kept is taken, in $XDG_CONFIG_HOME/gestalt/context.
#pragma once

#include <string>
#include <vector>

#include "cli/session.h"

namespace cli {

// Levels of the hierarchy that have verbs of their own.
enum class Tier { org, workspace, environment };

struct ResourceOptions {
  std::string context;
  std::string kind;
  std::string name;
  std::string description;
  std::string environment_type = "development";
  std::vector<std::string> files;
  std::vector<std::string> properties;  // KEY=VALUE, the value as JSON or else as text
  bool force = false;
  bool dry_run = false;
  bool wait = false;  // until what was changed is so
  std::int64_t timeout_seconds = 300;
};

Status tier_list(const Session& session, Tier tier, const std::string& context);
// `place` is the new thing's own: /acme, /acme/shop, /acme/shop/test.
Status tier_create(const Session& session, Tier tier, const std::string& place,
                   const ResourceOptions& options);
Status tier_show(const Session& session, const std::string& place);
Status tier_remove(const Session& session, const std::string& place, bool force);

// Resources of a kind, or one by name.
Status resource_get(const Session& session, const ResourceOptions& options);
Status resource_create(const Session& session, const ResourceOptions& options);
Status resource_delete(const Session& session, const ResourceOptions& options);
// Makes it so; a second run changes nothing.
Status resource_apply(const Session& session, const ResourceOptions& options);
// Exit status 1 when something differs.
Status resource_diff(const Session& session, const ResourceOptions& options);
// Keeps a place, or prints the one that is kept; "-" forgets it.
Status context_command(const Session& session, const std::string& place);

}  // namespace cli

// SPDX-License-Identifier: Apache-2.0
#include "cli/app_commands.h"

#include <iterator>
#include <nlohmann/json.hpp>

#include "cli/api.h"
#include "cli/deployment_watch.h"
#include "cli/input.h"
#include "cli/views.h"
#include "common/base/clock.h"
#include "common/base/text.h"

namespace cli {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

std::string app_path(const std::string& id) { return "/v2/apps/" + encode_id(id); }

std::string absolute(const std::string& id) { return "/" + encode_id(id); }

std::string force_query(const ChangeOptions& change) { return change.force ? "?force=true" : ""; }

Status finish(const Session& session, const Result<void>& outcome) {
  return outcome ? Status::ok : report(session, Daemon::master, outcome.error());
}

Result<Json> read_document(const std::string& file) {
  if (file.empty()) return Json();
  return read_json_input(file);
}

// The deployment that a reply of masterd names: {"deploymentId"} or {"deployments": [{"id"}]}.
std::string deployment_of(const Json& reply) {
  const std::string id = text_at(reply, "deploymentId");
  return id.empty() ? text_at(reply, "deployments/0/id") : id;
}

// Waits unless told not to, then says in one line what was done.
Result<void> follow(const Session& session, const Json& reply, const std::string& app,
                    const ChangeOptions& change, const std::string& done, bool removal = false) {
  const std::string deployment = deployment_of(reply);
  if (session.json && change.no_wait) session.print_json(reply);
  if (deployment.empty() || change.no_wait) {
    if (!session.json) {
      session.out << (deployment.empty() ? app + ": nothing to do"
                                         : app + ": deployment " + deployment + " is under way")
                  << "\n";
    }
    return {};
  }
  TRY(wait_for_deployment(session, {.deployment = deployment,
                                    .app = app,
                                    .removal = removal,
                                    .timeout = std::chrono::seconds(change.timeout_seconds)}));
  if (session.json) {
    session.print_json(reply);
  } else {
    session.out << app << ": " << done << "\n";
  }
  return {};
}

Result<void> run(const Session& session, const AppOptions& options, bool update,
                 const ChangeOptions& change) {
  Json document = TRY(read_document(options.file));
  const Json app = TRY(make_app(std::move(document), options));
  Api api = TRY(Api::make(session, Daemon::master));
  const std::string id = absolute(app["id"].get<std::string>());
  Result<Json> reply = update ? api.put(app_path(id) + force_query(change), app)
                              : api.post("/v2/apps" + force_query(change), app);
  if (!reply && reply.error().code == Code::already_exists) {
    return Error{
        Code::already_exists,
        id + " exists; to change it: gestalt app run --update, to look at it: gestalt app show " +
            id,
        "app_exists"};
  }
  if (!reply) return std::move(reply).error();
  return follow(session, *reply, id, change, "runs");
}

Result<void> kill(const Session& session, const std::string& id, const std::string& instance,
                  bool scale, const ChangeOptions& change) {
  Api api = TRY(Api::make(session, Daemon::master));
  std::string path = app_path(id) + "/tasks";
  if (!instance.empty()) path += "/" + base::percent_encode(instance);
  const Json reply = TRY(api.del(path + (scale ? "?scale=true" : "")));
  if (scale) return follow(session, reply, absolute(id), change, "killed and scaled down");
  if (session.json) {
    session.print_json(reply);
    return {};
  }
  const Json& tasks = value_at(reply, "tasks");
  const std::size_t count = tasks.is_array() ? tasks.size() : value_at(reply, "task").is_object();
  session.out << absolute(id) << ": " << count
              << (count == 1 ? " instance is being killed and replaced\n"
                             : " instances are being killed and replaced\n");
  return {};
}

}  // namespace

Status app_run(const Session& session, const AppOptions& app, bool update,
               const ChangeOptions& change) {
  const Result<void> outcome = run(session, app, update, change);
  if (!outcome && outcome.error().reason == "option_invalid") {
    report(session, Daemon::master, outcome.error());
    return Status::usage;
  }
  return finish(session, outcome);
}

Status app_list(const Session& session) {
  const auto list = [&]() -> Result<void> {
    Api api = TRY(Api::make(session, Daemon::master));
    const Json reply = TRY(api.get("/v2/apps?embed=apps.counts&embed=apps.deployments"));
    if (session.json) {
      session.print_json(reply);
    } else {
      session.out << render_apps(reply, session.style);
    }
    return {};
  };
  return finish(session, list());
}

Status app_show(const Session& session, const std::string& id) {
  const auto show = [&]() -> Result<void> {
    Api api = TRY(Api::make(session, Daemon::master));
    const Json reply =
        TRY(api.get(app_path(id) + "?embed=app.tasks&embed=app.counts&embed=app.deployments"
                                   "&embed=app.lastTaskFailure"));
    if (session.json) {
      session.print_json(reply);
    } else {
      session.out << render_app(value_at(reply, "app"), base::system_clock().wall(), session.style);
    }
    return {};
  };
  return finish(session, show());
}

Status app_scale(const Session& session, const std::string& id, std::int64_t instances,
                 const ChangeOptions& change) {
  const auto scale = [&]() -> Result<void> {
    Api api = TRY(Api::make(session, Daemon::master));
    const Json reply = TRY(api.put(app_path(id) + force_query(change), {{"instances", instances}}));
    return follow(
        session, reply, absolute(id), change,
        "has " + std::to_string(instances) + (instances == 1 ? " instance" : " instances"));
  };
  return finish(session, scale());
}

Status app_restart(const Session& session, const std::string& id, const ChangeOptions& change) {
  const auto restart = [&]() -> Result<void> {
    Api api = TRY(Api::make(session, Daemon::master));
    const Json reply =
        TRY(api.post(app_path(id) + "/restart" + force_query(change), Json::object()));
    return follow(session, reply, absolute(id), change, "restarted");
  };
  return finish(session, restart());
}

Status app_kill(const Session& session, const std::string& id, const std::string& instance,
                bool scale, const ChangeOptions& change) {
  return finish(session, kill(session, id, instance, scale, change));
}

Status app_remove(const Session& session, const std::string& id, const ChangeOptions& change) {
  const auto remove = [&]() -> Result<void> {
    Api api = TRY(Api::make(session, Daemon::master));
    const Json reply = TRY(api.del(app_path(id) + force_query(change)));
    return follow(session, reply, absolute(id), change, "removed", true);
  };
  return finish(session, remove());
}

Status deployment_list(const Session& session) {
  const auto list = [&]() -> Result<void> {
    Api api = TRY(Api::make(session, Daemon::master));
    const Json reply = TRY(api.get("/v2/deployments"));
    if (session.json) {
      session.print_json(reply);
    } else {
      session.out << render_deployments(reply, session.style);
    }
    return {};
  };
  return finish(session, list());
}

Status deployment_show(const Session& session, const std::string& id) {
  const auto show = [&]() -> Result<void> {
    Api api = TRY(Api::make(session, Daemon::master));
    const Json reply = TRY(api.get("/v2/deployments"));
    for (const Json& deployment : reply) {
      if (text_at(deployment, "id") != id) continue;
      if (session.json) {
        session.print_json(deployment);
      } else {
        session.out << render_deployment(deployment, session.style);
      }
      return {};
    }
    return Error{Code::not_found, "no deployment " + id + " is under way; it may have ended",
                 "deployment_unknown"};
  };
  return finish(session, show());
}

Status deployment_rollback(const Session& session, const std::string& id,
                           const ChangeOptions& change) {
  const auto rollback = [&]() -> Result<void> {
    Api api = TRY(Api::make(session, Daemon::master));
    const Json reply =
        TRY(api.del("/v2/deployments/" + base::percent_encode(id) + force_query(change)));
    if (session.json) {
      session.print_json(reply);
    } else if (const std::string next = deployment_of(reply); !next.empty()) {
      session.out << "deployment " << next << " takes " << id << " back\n";
    } else {
      session.out << "deployment " << id << " is cancelled\n";
    }
    return {};
  };
  return finish(session, rollback());
}

}  // namespace cli

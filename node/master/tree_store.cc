// SPDX-License-Identifier: Apache-2.0
#include "node/master/tree_store.h"

#include <condition_variable>
#include <nlohmann/json.hpp>

#include "node/api/ids.h"

namespace node::master {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

constexpr const char* kRoot = "/gestalt/master";
constexpr const char* kLeader = "/gestalt/master/leader";
constexpr const char* kFramework = "/gestalt/master/framework";
constexpr const char* kGroups = "/gestalt/master/groups";
constexpr const char* kHistory = "/gestalt/master/history";
constexpr const char* kAside = "/gestalt/master/aside";
constexpr const char* kApps = "/gestalt/master/apps";
constexpr const char* kDeployments = "/gestalt/master/deployments";
constexpr std::size_t kPartMax = 256 << 10;  // bytes, of a record of the history
constexpr std::size_t kOperationsMax = 900;  // of the 1,000 that a multi may have

std::string app_path(const std::string& id) {
  std::string name = id.substr(1);
  std::replace(name.begin(), name.end(), '/', '_');
  return std::string(kApps) + "/" + name;
}

// The inverse of the name in app_path: no id has a '_'.
std::string app_id(std::string name) {
  std::replace(name.begin(), name.end(), '_', '/');
  return "/" + name;
}

Result<Json> parse(const std::string& text) {
  return base::parse_json(text, {.bytes_max = coordination::kDataMax});
}

// For people: what and where.
std::string why(const Error& error) {
  return error.pointer.empty() ? error.detail : error.pointer + ": " + error.detail;
}

std::string record_text(const App& app, bool removed) {
  Json record = to_record(app);
  if (removed) record["removed"] = true;
  return base::dump_json(record);
}

void write_app(const Scheduler& scheduler, const std::string& id, WrittenVersions& written,
               std::vector<Write>& writes) {
  const auto found = scheduler.apps().find(id);
  if (found == scheduler.apps().end()) {
    writes.push_back({app_path(id), std::nullopt});
    written.erase(id);
    return;
  }
  const AppState& state = found->second;
  if (state.versions.empty() || !state.unreadable.empty()) return;
  const bool removed = state.current == nullptr;
  const App& app = removed ? *state.versions.rbegin()->second : *state.current;
  writes.push_back({app_path(id), record_text(app, removed)});
  std::set<std::string>& there = written[id];
  for (const auto& [version, definition] : state.versions) {
    if (there.insert(version).second)
      writes.push_back({app_path(id) + "/" + version, record_text(*definition, false)});
  }
  std::erase_if(there, [&](const std::string& version) {
    if (state.versions.contains(version)) return false;
    writes.push_back({app_path(id) + "/" + version, std::nullopt});
    return true;
  });
}

std::string groups_text(const Scheduler& scheduler) {
  Json groups = Json::object();
  for (const auto& [id, info] : scheduler.groups()) groups[id] = to_json(info);
  return base::dump_json({{"groups", groups}});
}

void write_history(const Scheduler& scheduler, const std::string& version,
                   std::vector<Write>& writes) {
  const std::string path = std::string(kHistory) + "/" + version;
  const GroupVersion* record = scheduler.history().find(version);
  if (record == nullptr) {
    writes.push_back({path, std::nullopt});
    return;
  }
  const std::vector<std::string> parts = to_parts(*record, kPartMax);
  writes.push_back({path, base::dump_json({{"parts", parts.size()}})});
  for (std::size_t i = 0; i < parts.size(); ++i)
    writes.push_back({path + "/" + std::to_string(i), parts[i]});
}

std::string deployment_text(const Deployment& deployment, const DeploymentAge& age) {
  Json steps = Json::array();
  for (const Step& step : deployment.steps) {
    Json actions = Json::array();
    for (const Action& action : step)
      actions.push_back({static_cast<int>(action.kind), action.app});
    steps.push_back(std::move(actions));
  }
  Json originals = Json::object();
  for (const auto& [app, original] : deployment.originals)
    originals[app] = original == nullptr ? "" : original->version;
  return base::dump_json({{"id", deployment.id},
                          {"version", deployment.version},
                          {"steps", steps},
                          {"current", deployment.current},
                          {"originals", originals},
                          {"removes", deployment.removes},
                          {"failures", deployment.failures},
                          {"canary_passed", deployment.canary_passed},
                          {"failure", deployment.failure},
                          {"paused", deployment.paused},
                          {"is_rollback", deployment.is_rollback},
                          {"age",
                           {{"boot", age.boot},
                            {"started_ns", age.started.since_boot.count()},
                            {"started_wall_ms", age.started_wall.time_since_epoch().count()},
                            {"known_ns", age.known.count()}}}});
}

Error corrupt(const std::string& what) {
  return {Code::corrupt, what + " cannot be read", "record_corrupt"};
}

// Without an age the deployment begins anew.
Result<DeploymentAge> read_age(const Json* json) {
  DeploymentAge age;
  if (json == nullptr) return age;
  std::int64_t started = 0;
  std::int64_t wall = 0;
  std::int64_t known = 0;
  base::Fields fields(*json, "/age");
  fields.optional("boot", age.boot);
  fields.optional("started_ns", started);
  fields.optional("started_wall_ms", wall, {0, 1LL << 50});
  fields.optional("known_ns", known, {0, 1LL << 60});
  TRY(fields.finish(base::UnknownFields::ignore));
  age.started = {base::Duration(started)};
  age.started_wall = base::WallTime(std::chrono::milliseconds(wall));
  age.known = base::Duration(known);
  return age;
}

Result<Snapshot::DeploymentRecord> read_deployment(const Json& json) {
  Snapshot::DeploymentRecord record;
  Deployment& deployment = record.deployment;
  base::Fields fields(json);
  std::int64_t current = 0;
  fields.required("id", deployment.id, {.length_min = 1});
  fields.required("version", deployment.version);
  fields.required("current", current, {0, 1'000'000});
  fields.optional("failure", deployment.failure);
  fields.optional("paused", deployment.paused);
  fields.optional("is_rollback", deployment.is_rollback);
  const Json* steps = fields.find_array("steps");
  const Json* originals = fields.find_object("originals");
  const Json* failures = fields.find_object("failures");
  record.age = TRY(read_age(fields.find_object("age")));
  std::vector<std::string> removes;
  fields.optional("removes", removes);
  std::vector<std::string> passed;
  fields.optional("canary_passed", passed);
  TRY(fields.finish(base::UnknownFields::ignore));
  if (steps == nullptr || originals == nullptr || failures == nullptr)
    return corrupt("deployment " + deployment.id);
  deployment.removes.insert(removes.begin(), removes.end());
  deployment.canary_passed.insert(passed.begin(), passed.end());
  for (const Json& step : *steps) {
    Step actions;
    for (const Json& action : step) {
      const bool fine = action.is_array() && action.size() == 2 && action[0].is_number_integer() &&
                        action[0] >= 0 && action[0] <= 3 && action[1].is_string();
      if (!fine) return corrupt("deployment " + deployment.id);
      actions.push_back({static_cast<ActionKind>(action[0].get<int>()), action[1]});
    }
    deployment.steps.push_back(std::move(actions));
  }
  for (const auto& [app, version] : originals->items()) {
    if (!version.is_string()) return corrupt("deployment " + deployment.id);
    record.originals[app] = version;
  }
  for (const auto& [app, count] : failures->items()) {
    if (!count.is_number_integer()) return corrupt("deployment " + deployment.id);
    deployment.failures[app] = count;
  }
  deployment.current = static_cast<std::size_t>(current);
  if (deployment.current >= std::max<std::size_t>(deployment.steps.size(), 1))
    return corrupt("deployment " + deployment.id);
  return record;
}

Result<std::map<std::string, GroupInfo>> read_groups(const std::string& text) {
  std::map<std::string, GroupInfo> groups;
  const Json json = TRY(parse(text));
  base::Fields fields(json);
  if (const Json* list = fields.find_object("groups")) {
    for (const auto& [id, info] : list->items()) groups[id] = TRY(read_group_info(info));
  }
  TRY(fields.finish(base::UnknownFields::ignore));
  return groups;
}

}  // namespace

std::vector<Write> make_writes(const Scheduler& scheduler, const Effects& effects,
                               WrittenVersions& written,
                               std::map<std::string, std::int64_t>& generations) {
  std::vector<Write> writes;
  // Specs come before the assignments that name them and go after them.
  for (const std::string& digest : effects.specs) {
    if (const std::string* text = scheduler.find_spec(digest))
      writes.push_back({api::place(api::kSpecsPath, digest), *text});
  }
  for (const std::string& id : effects.apps) write_app(scheduler, id, written, writes);
  if (effects.groups) writes.push_back({kGroups, groups_text(scheduler)});
  for (const std::string& version : effects.history) write_history(scheduler, version, writes);
  for (const std::string& id : effects.deployments) {
    const auto found = scheduler.deployments().find(id);
    std::optional<std::string> text;
    if (found != scheduler.deployments().end())
      text = deployment_text(found->second, scheduler.age_of(found->second));
    writes.push_back({std::string(kDeployments) + "/" + id, std::move(text)});
  }
  for (const std::string& node : effects.nodes) {
    const auto found = scheduler.nodes().find(node);
    if (found != scheduler.nodes().end() && !found->second.unreadable.empty()) continue;
    api::Assignments assignments = scheduler.assignments(node);
    assignments.generation = ++generations[node];
    writes.push_back({api::place(api::kAssignPath, node), api::encode(assignments)});
  }
  for (const std::string& digest : effects.specs) {
    if (scheduler.find_spec(digest) == nullptr)
      writes.push_back({api::place(api::kSpecsPath, digest), std::nullopt});
  }
  return writes;
}

Result<void> TreeStore::lead(const std::string& who, std::chrono::milliseconds patience) {
  for (const std::string& path :
       {std::string(kApps), std::string(kDeployments), std::string(kHistory), std::string(kAside),
        std::string(api::kAssignPath), std::string(api::kSpecsPath), std::string(api::kNodesPath),
        std::string(api::kLivePath)})
    TRY(coordination::ensure_path(tree_, path));
  const auto give_up = std::chrono::steady_clock::now() + patience;
  while (true) {
    const auto made =
        tree_.create({kLeader, base::dump_json({{"master", who}}), coordination::Kind::ephemeral});
    if (made) return {};
    if (made.error().reason != "node_exists") return Error(made.error());
    // The one before us is gone or going; its node follows within a moment.
    struct Gone {
      std::mutex mutex;
      std::condition_variable changed;
      bool fired = false;
    };
    // Shared with the watch, which may fire after we have given up.
    const auto gone = std::make_shared<Gone>();
    const auto there = TRY(tree_.find(kLeader, [gone] {
      const std::lock_guard lock(gone->mutex);
      gone->fired = true;
      gone->changed.notify_all();
    }));
    if (!there) continue;
    std::unique_lock lock(gone->mutex);
    if (!gone->changed.wait_until(lock, give_up, [&] { return gone->fired; }))
      return Error{Code::failed_precondition, "another masterd leads: " + there->data,
                   "leader_exists"};
  }
}

Result<std::optional<std::string>> TreeStore::find_text(const std::string& path) {
  auto value = TRY(tree_.find(path));
  if (!value) return std::optional<std::string>();
  known_.insert(path);
  return std::optional<std::string>(std::move(value->data));
}

Result<std::vector<std::string>> TreeStore::list(const std::string& path) {
  known_.insert(path);
  return tree_.children(path);
}

// For what is a single record and has to be written again. The first copy stays.
Result<void> TreeStore::keep_aside(const std::string& path, const std::string& text) {
  const std::string copy = std::string(kAside) + path.substr(path.rfind('/'));
  const auto there = TRY(tree_.find(copy));
  if (!there) TRY(tree_.create({copy, text}));
  return {};
}

Result<TreeStore::Loaded> TreeStore::load(base::Rng& rng) {
  Loaded loaded;
  if (const auto text = TRY(find_text(kFramework))) {
    const auto framework = parse(*text);
    if (framework && framework->is_object())
      loaded.framework_id = framework->value("id", Json()).is_string() ? (*framework)["id"] : "";
  }
  if (loaded.framework_id.empty()) {
    loaded.framework_id = rng.uuid() + "-0000";
    TRY(write({{kFramework, base::dump_json({{"id", loaded.framework_id}})}}));
  }
  TRY(load_groups(loaded));
  TRY(load_apps(loaded));
  TRY(load_history(loaded));
  TRY(load_deployments(loaded));
  TRY(load_assignments(loaded));
  return loaded;
}

Result<void> TreeStore::load_groups(Loaded& loaded) {
  const auto text = TRY(find_text(kGroups));
  if (!text) return {};
  auto groups = read_groups(*text);
  if (groups) {
    loaded.snapshot.groups = *std::move(groups);
    return {};
  }
  loaded.problems.push_back(std::string(kGroups) + ": " + why(groups.error()));
  return keep_aside(kGroups, *text);
}

Result<void> TreeStore::load_apps(Loaded& loaded) {
  const auto names = TRY(list(kApps));
  for (const std::string& name : names) {
    const std::string path = std::string(kApps) + "/" + name;
    const auto text = TRY(find_text(path));
    if (!text) continue;
    Snapshot::AppRecord record;
    record.versions = TRY(load_versions(path, loaded));
    const std::string id = app_id(name);
    const auto json = parse(*text);
    auto app = json ? from_record(*json) : Result<App>(json.error());
    if (app && app->id != id)
      app = Error{Code::corrupt, "it is the record of " + app->id, "record_corrupt"};
    if (app) {
      record.app = *std::move(app);
      record.removed = json->value("removed", Json()) == true;
    } else {
      record.unreadable = why(app.error());
      record.app.id = id;
      loaded.problems.push_back(path + ": " + record.unreadable);
      if (resolve_id(id) != id) continue;  // no app can have this name
    }
    loaded.snapshot.apps.push_back(std::move(record));
  }
  return {};
}

Result<std::vector<App>> TreeStore::load_versions(const std::string& path, Loaded& loaded) {
  std::vector<App> versions;
  const auto names = TRY(list(path));
  for (const std::string& name : names) {
    const auto text = TRY(find_text(path + "/" + name));
    if (!text) continue;
    const auto json = parse(*text);
    auto app = json ? from_record(*json) : Result<App>(json.error());
    if (app) {
      versions.push_back(*std::move(app));
    } else {
      loaded.problems.push_back(path + "/" + name + ": " + why(app.error()));
    }
  }
  return versions;
}

// A record that cannot be read ends the history: what is older cannot be told any more.
Result<void> TreeStore::load_history(Loaded& loaded) {
  const auto versions = TRY(list(kHistory));
  for (const std::string& name : versions) {
    const std::string path = std::string(kHistory) + "/" + name;
    std::string problem;
    auto record = TRY(load_group_version(path, name, problem));
    if (record) {
      loaded.snapshot.history.push_back(*std::move(record));
    } else {
      loaded.problems.push_back(path + ": " + problem);
      loaded.snapshot.history.clear();
    }
  }
  return {};
}

Result<std::optional<GroupVersion>> TreeStore::load_group_version(const std::string& path,
                                                                  const std::string& name,
                                                                  std::string& problem) {
  GroupVersion record{name, {}, {}};
  const auto head = TRY(find_text(path));
  const auto parts = TRY(list(path));
  const auto count = head ? parse(*head) : Result<Json>(Json());
  if (!count || !count->is_object() || count->value("parts", Json()) != parts.size())
    problem = "parts are missing";
  for (const std::string& part : parts) {
    const auto text = TRY(find_text(path + "/" + part));
    const auto json = text ? parse(*text) : Result<Json>(Json());
    const auto read = json ? read_part(*json, record) : Result<void>(json.error());
    if (!read) problem = why(read.error());
  }
  if (!problem.empty()) return std::optional<GroupVersion>();
  return std::optional<GroupVersion>(std::move(record));
}

Result<void> TreeStore::load_deployments(Loaded& loaded) {
  const auto ids = TRY(list(kDeployments));
  for (const std::string& id : ids) {
    const auto text = TRY(find_text(std::string(kDeployments) + "/" + id));
    if (!text) continue;
    const auto json = parse(*text);
    auto record = json ? read_deployment(*json) : Result<Snapshot::DeploymentRecord>(json.error());
    if (record) {
      loaded.snapshot.deployments.push_back(*std::move(record));
    } else {
      loaded.problems.push_back("deployment " + id + ": " + why(record.error()));
    }
  }
  return {};
}

Result<void> TreeStore::load_assignments(Loaded& loaded) {
  const auto nodes = TRY(list(std::string(api::kAssignPath)));
  for (const std::string& node : nodes) {
    const std::string path = api::place(api::kAssignPath, node);
    const auto text = TRY(find_text(path));
    if (!text) continue;
    auto assignments = api::decode_assignments(*text);
    if (assignments) {
      loaded.snapshot.assignments[node] = *std::move(assignments);
    } else {
      loaded.snapshot.unreadable_nodes[node] = why(assignments.error());
      loaded.problems.push_back(path + ": " + why(assignments.error()));
    }
  }
  const auto digests = TRY(list(std::string(api::kSpecsPath)));
  for (const std::string& digest : digests) {
    auto text = TRY(find_text(api::place(api::kSpecsPath, digest)));
    if (text) loaded.snapshot.specs[digest] = *std::move(text);
  }
  return {};
}

Result<void> TreeStore::write(const std::vector<Write>& writes) {
  if (!sure_) TRY(refresh(writes));
  std::set<std::string> known = known_;
  std::vector<coordination::Operation> operations;
  const auto flush = [&]() -> Result<void> {
    if (operations.empty()) return {};
    operations.insert(operations.begin(), coordination::Check{kLeader});
    sure_ = false;
    TRY(tree_.multi(operations));
    sure_ = true;
    known_ = known;
    operations.clear();
    return {};
  };
  for (const Write& write : writes) {
    append(write, operations, known);
    // Beyond the limit of a multi the order of the writes keeps the tree usable in between.
    if (operations.size() >= kOperationsMax) TRY(flush());
  }
  return flush();
}

void TreeStore::append(const Write& write, std::vector<coordination::Operation>& operations,
                       std::set<std::string>& known) const {
  if (write.data) {
    if (known.insert(write.path).second) {
      operations.push_back(coordination::Create{write.path, *write.data});
    } else {
      operations.push_back(coordination::Set{write.path, *write.data});
    }
    return;
  }
  std::vector<std::string> gone;
  for (auto at = known.lower_bound(write.path + "/");
       at != known.end() && at->starts_with(write.path + "/"); ++at)
    gone.push_back(*at);
  if (known.contains(write.path)) gone.insert(gone.begin(), write.path);
  for (auto path = gone.rbegin(); path != gone.rend(); ++path) {
    operations.push_back(coordination::Delete{*path});
    known.erase(*path);
  }
}

// Looks which of the paths exist: a write whose outcome is unknown may or may not have happened.
Result<void> TreeStore::refresh(const std::vector<Write>& writes) {
  for (const Write& write : writes) {
    const auto value = TRY(tree_.find(write.path));
    if (value) {
      known_.insert(write.path);
    } else {
      known_.erase(write.path);
    }
    if (write.data || !value) continue;
    const auto children = TRY(tree_.children(write.path));
    for (const std::string& child : children) known_.insert(write.path + "/" + child);
  }
  sure_ = true;
  return {};
}

}  // namespace node::master

// SPDX-License-Identifier: Apache-2.0
#include "cli/resource_commands.h"

#include <nlohmann/json.hpp>

#include "cli/macros.h"
#include "cli/manifest.h"
#include "cli/places.h"
#include "cli/task_wait.h"
#include "cli/views.h"
#include "common/base/text.h"

namespace cli {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

std::string_view collection(Tier tier) {
  switch (tier) {
    case Tier::org: return "orgs";
    case Tier::workspace: return "workspaces";
    case Tier::environment: return "environments";
  }
  return "";
}

std::string short_state(const Json& resource) {
  const std::string state = text_at(resource, "resource_state");
  return state.substr(state.rfind(':') + 1);
}

std::string short_type(const Json& resource) {
  const std::string type = text_at(resource, "resource_type");
  return type.substr(type.rfind(':') + 1);
}

Status print_list(const Session& session, const Json& list) {
  if (session.json) {
    session.print_json(list);
    return Status::ok;
  }
  Table table({{"NAME"}, {"TYPE"}, {"STATE"}, {"OWNER"}, {"CHANGED"}, {"ID"}, {"DESCRIPTION"}});
  for (const Json& resource : list) {
    const std::string fqon = text_at(resource, "properties/fqon");
    table.add({{fqon.empty() ? text_at(resource, "name") : fqon},
               {short_type(resource)},
               {short_state(resource)},
               {text_at(resource, "owner/name", "-")},
               {text_at(resource, "modified/timestamp", "-")},
               {text_at(resource, "id")},
               {text_at(resource, "description", "")}});
  }
  session.out << table.render(session.style);
  return Status::ok;
}

Status print_one(const Session& session, const Json& resource) {
  session.print_json(resource);
  return Status::ok;
}

void say(const Session& session, const Json& resource, const std::string& what) {
  if (session.json) {
    session.print_json(resource);
  } else {
    const std::string type = short_type(resource);
    session.out << (type.empty() ? "" : type + " ") << "'" << text_at(resource, "name") << "' "
                << what << "\n";
  }
}

Result<Json> read_properties(const ResourceOptions& options) {
  Json properties = Json::object();
  for (const std::string& pair : options.properties) {
    const std::size_t at = pair.find('=');
    if (at == 0 || at == std::string::npos) {
      return Error{Code::invalid_argument, "'" + pair + "' is not KEY=VALUE", "option_invalid"};
    }
    const std::string text = pair.substr(at + 1);
    const auto value = base::parse_json(text);
    properties[pair.substr(0, at)] = value ? *value : Json(text);
  }
  return properties;
}

std::string query(const ResourceOptions& options) { return options.dry_run ? "?dryrun=true" : ""; }

// The collection of a manifest: its kind, or what its type says.
Result<std::string> kind_of(Api& api, const Manifest& manifest, const Place& place) {
  if (!manifest.kind.empty()) return manifest.kind;
  const Json type = TRY(api.get("/meta/" + base::percent_encode(place.fqon) + "/resourcetypes/" +
                                base::percent_encode(manifest.resource_type)));
  return text_at(type, "properties/api/rest_name");
}

std::string context_of(const Manifest& manifest, const ResourceOptions& options) {
  return manifest.context.empty() ? options.context : manifest.context;
}

struct Aim {
  std::string address;  // below which the collection stands
  std::string kind;
  Json now;  // null when there is none of the name
};

Result<Aim> aim_at(Api& api, const Manifest& manifest, const ResourceOptions& options) {
  const std::string context = TRY(choose_context(context_of(manifest, options)));
  const Place place = TRY(find_place(api, context));
  Aim aim{place.address, TRY(kind_of(api, manifest, place)), Json()};
  if (!manifest.parent.empty()) {
    const Json parent = TRY(find_named(api, place.address, manifest.parent_kind, manifest.parent));
    if (parent.is_null()) {
      return Error{Code::not_found,
                   manifest.source + ": there is no " + manifest.parent + " in " +
                       manifest.parent_kind + " at " + context,
                   "resource_unknown"};
    }
    aim.address = address_of(parent, manifest.parent_kind);
  }
  aim.now = TRY(find_named(api, aim.address, aim.kind, manifest.name));
  return aim;
}

// What a reference to a setting stands for.
Result<Json> setting(Api& api, const Macro& macro, const std::string& context) {
  const auto steps = base::split(context, '/');
  if (macro.where == "context") return Json(context);
  if (macro.where == "fqon") return Json(steps.at(1));
  for (const auto& [key, depth] : {std::pair("org", 2U), {"workspace", 3U}, {"environment", 4U}}) {
    if (macro.where != key && macro.where != std::string(key) + ".id") continue;
    if (steps.size() < depth) break;
    std::string place;
    for (unsigned i = 1; i < depth; ++i) place += "/" + std::string(steps[i]);
    const Place found = TRY(find_place(api, place));
    return Json(text_at(found.resource, "id"));
  }
  return Error{Code::invalid_argument,
               macro.text + ": there is no such setting at " + context +
                   "; there are context, fqon, org, workspace and environment",
               "macro_invalid"};
}

// The resource that a reference names, by its place or upwards from the manifest's.
Result<Json> referred(Api& api, const Macro& macro, std::string context) {
  const std::string kind = collection_of_kind(macro.kind);
  const bool is_place = kind == "orgs" || kind == "workspaces" || kind == "environments";
  if (macro.where.starts_with('/')) {
    if (is_place) return TRY(find_place(api, macro.where)).resource;
    const std::size_t slash = macro.where.rfind('/');
    const Place place = TRY(find_place(api, macro.where.substr(0, slash)));
    return find_named(api, place.address, kind, macro.where.substr(slash + 1));
  }
  for (;;) {
    const Place place = TRY(find_place(api, context));
    Json found = TRY(find_named(api, place.address, kind, macro.where));
    if (!found.is_null() || context == "/root") return found;
    context = TRY(split_place(context)).parent;
  }
}

Result<Json> resolve_macro(Api& api, const Macro& macro, const std::string& context) {
  if (macro.kind == "Config") return setting(api, macro, context);
  const Json found = TRY(referred(api, macro, context));
  if (found.is_null()) {
    return Error{Code::not_found, macro.text + ": there is none, seen from " + context,
                 "resource_unknown"};
  }
  const Json::json_pointer field("/" + macro.field);
  if (found.contains(field)) return found.at(field);
  return Error{Code::not_found, macro.text + ": it has no " + macro.field, "resource_unknown"};
}

// With its references replaced by what they stand for now: what an earlier manifest of the same
// command has made is there already.
Result<Manifest> settled(Api& api, Manifest manifest, const ResourceOptions& options) {
  const ResolveMacro resolve = [&](const Macro& macro) -> Result<Json> {
    const std::string context = TRY(choose_context(context_of(manifest, options)));
    return resolve_macro(api, macro, context);
  };
  manifest.body = TRY(expand_macros(manifest.body, resolve));
  return manifest;
}

struct Applied {
  int created = 0;
  int changed = 0;
  int unchanged = 0;
  std::vector<std::string> tasks;
};

void note_task(const Json& reply, std::vector<std::string>& tasks) {
  const std::string task = task_of(reply);
  if (!task.empty()) tasks.push_back(task);
}

Result<void> wait_for(const Session& session, Api& api, const std::vector<std::string>& tasks,
                      const ResourceOptions& options) {
  return wait_for_tasks(session, api, tasks, std::chrono::seconds(options.timeout_seconds));
}

Result<void> apply_one(const Session& session, Api& api, const Manifest& written,
                       const ResourceOptions& options, Applied& applied) {
  const Manifest manifest = TRY(settled(api, written, options));
  const Aim aim = TRY(aim_at(api, manifest, options));
  if (aim.now.is_null()) {
    const Json made = TRY(api.post(aim.address + "/" + aim.kind + query(options), manifest.body));
    note_task(made, applied.tasks);
    say(session, options.dry_run || !task_of(made).empty() ? manifest.body : made,
        options.dry_run ? "would be created" : "created");
    ++applied.created;
    return {};
  }
  const std::vector<Difference> differences = compare(aim.now, manifest.body);
  if (differences.empty()) {
    if (!session.json) say(session, aim.now, "unchanged");
    ++applied.unchanged;
    return {};
  }
  const Json changed =
      TRY(api.patch(address_of(aim.now, aim.kind) + query(options), patch_of(differences)));
  note_task(changed, applied.tasks);
  say(session, aim.now, options.dry_run ? "would be changed" : "changed");
  if (!session.json) session.out << render_differences(differences);
  ++applied.changed;
  return {};
}

}  // namespace

Status tier_list(const Session& session, Tier tier, const std::string& context) {
  return with_services(session, [&](Api& api) -> Result<Status> {
    if (tier == Tier::org) return print_list(session, TRY(api.get("/meta/orgs?expand=true")));
    const std::string chosen = TRY(choose_context(context));
    const Place place = TRY(find_place(api, chosen));
    return print_list(session, TRY(api.get(place.address + "/" + std::string(collection(tier)) +
                                           "?expand=true")));
  });
}

Status tier_create(const Session& session, Tier tier, const std::string& place,
                   const ResourceOptions& options) {
  return with_services(session, [&](Api& api) -> Result<Status> {
    const Split split = TRY(split_place(place));
    const Place parent = TRY(find_place(api, split.parent));
    Json body = {{"name", split.name}, {"properties", TRY(read_properties(options))}};
    if (!options.description.empty()) body["description"] = options.description;
    if (tier == Tier::environment)
      body["properties"]["environment_type"] = options.environment_type;
    const std::string address =
        tier == Tier::org ? parent.address : parent.address + "/" + std::string(collection(tier));
    say(session, TRY(api.post(address + query(options), body)), "created");
    return Status::ok;
  });
}

Status tier_show(const Session& session, const std::string& place) {
  return with_services(session, [&](Api& api) -> Result<Status> {
    const std::string chosen = TRY(choose_context(place));
    const Place found = TRY(find_place(api, chosen));
    return print_one(session, found.resource);
  });
}

Status tier_remove(const Session& session, const std::string& place, bool force) {
  return with_services(session, [&](Api& api) -> Result<Status> {
    const Place found = TRY(find_place(api, place));
    TRY(api.del(found.address + (force ? "?force=true" : "")));
    if (!session.json) say(session, found.resource, "deleted");
    return Status::ok;
  });
}

Status resource_get(const Session& session, const ResourceOptions& options) {
  return with_services(session, [&](Api& api) -> Result<Status> {
    const std::string context = TRY(choose_context(options.context));
    const Place place = TRY(find_place(api, context));
    if (options.name.empty()) {
      return print_list(session, TRY(api.get(place.address + "/" +
                                             base::percent_encode(options.kind) + "?expand=true")));
    }
    const Json found = TRY(find_named(api, place.address, options.kind, options.name));
    if (!found.is_null()) return print_one(session, found);
    return Error{Code::not_found,
                 "there is no '" + options.name + "' in " + options.kind + " at " + context,
                 "resource_unknown"};
  });
}

Status resource_create(const Session& session, const ResourceOptions& options) {
  return with_services(session, [&](Api& api) -> Result<Status> {
    if (!options.files.empty()) {
      for (const Manifest& written : TRY(read_manifests(options.files))) {
        const Manifest manifest = TRY(settled(api, written, options));
        const Aim aim = TRY(aim_at(api, manifest, options));
        say(session, TRY(api.post(aim.address + "/" + aim.kind + query(options), manifest.body)),
            "created");
      }
      return Status::ok;
    }
    if (options.kind.empty() || options.name.empty()) {
      return Error{Code::invalid_argument, "give KIND and NAME, or --file", "option_invalid"};
    }
    const std::string context = TRY(choose_context(options.context));
    const Place place = TRY(find_place(api, context));
    Json body = {{"name", options.name}, {"properties", TRY(read_properties(options))}};
    if (!options.description.empty()) body["description"] = options.description;
    say(session,
        TRY(api.post(place.address + "/" + base::percent_encode(options.kind) + query(options),
                     body)),
        "created");
    return Status::ok;
  });
}

Status resource_delete(const Session& session, const ResourceOptions& options) {
  return with_services(session, [&](Api& api) -> Result<Status> {
    std::vector<Manifest> wanted;
    if (!options.files.empty()) {
      wanted = TRY(read_manifests(options.files));
    } else {
      Manifest one;
      one.source = "the command line";
      one.kind = options.kind;
      one.name = options.name;
      wanted.push_back(std::move(one));
    }
    std::vector<std::string> tasks;
    if (options.wait) api.prefer_tasks();
    // What was made last may stand on what was made first.
    for (auto manifest = wanted.rbegin(); manifest != wanted.rend(); ++manifest) {
      const Aim aim = TRY(aim_at(api, *manifest, options));
      if (aim.now.is_null()) {
        if (options.files.empty()) {
          return Error{Code::not_found, "there is no '" + manifest->name + "' in " + aim.kind,
                       "resource_unknown"};
        }
        continue;
      }
      const Json gone =
          TRY(api.del(address_of(aim.now, aim.kind) + (options.force ? "?force=true" : "")));
      note_task(gone, tasks);
      if (!session.json) say(session, aim.now, "deleted");
    }
    TRY(wait_for(session, api, tasks, options));
    return Status::ok;
  });
}

Status resource_apply(const Session& session, const ResourceOptions& options) {
  return with_services(session, [&](Api& api) -> Result<Status> {
    Applied applied;
    if (options.wait) api.prefer_tasks();
    for (const Manifest& manifest : TRY(read_manifests(options.files))) {
      const auto done = apply_one(session, api, manifest, options, applied);
      if (!done) return base::prepend(manifest.source, done.error());
    }
    if (!session.json) {
      session.out << applied.created << " created, " << applied.changed << " changed, "
                  << applied.unchanged << " unchanged\n";
    }
    TRY(wait_for(session, api, applied.tasks, options));
    return Status::ok;
  });
}

Status resource_diff(const Session& session, const ResourceOptions& options) {
  return with_services(session, [&](Api& api) -> Result<Status> {
    bool differs = false;
    Json all = Json::array();
    for (const Manifest& written : TRY(read_manifests(options.files))) {
      const Manifest manifest = TRY(settled(api, written, options));
      const Aim aim = TRY(aim_at(api, manifest, options));
      const auto differences =
          aim.now.is_null() ? std::vector<Difference>() : compare(aim.now, manifest.body);
      if (!aim.now.is_null() && differences.empty()) continue;
      differs = true;
      all.push_back({{"kind", aim.kind},
                     {"name", manifest.name},
                     {"exists", !aim.now.is_null()},
                     {"patch", patch_of(differences)}});
      if (session.json) continue;
      session.out << (aim.now.is_null() ? "+ " : "~ ") << aim.kind << " '" << manifest.name << "'\n"
                  << render_differences(differences);
    }
    if (session.json) session.print_json(all);
    return differs ? Status::failed : Status::ok;
  });
}

Status context_command(const Session& session, const std::string& place) {
  const auto run = [&]() -> Result<Status> {
    if (place.empty()) {
      const std::string kept = TRY(kept_context());
      session.out << (kept.empty() ? "no place is kept" : kept) << "\n";
      return kept.empty() ? Status::not_found : Status::ok;
    }
    TRY(keep_context(place == "-" ? "" : place));
    return Status::ok;
  };
  const Result<Status> outcome = run();
  return outcome ? *outcome : report(session, Daemon::services, outcome.error());
}

}  // namespace cli

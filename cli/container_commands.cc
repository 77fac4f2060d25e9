// SPDX-License-Identifier: Apache-2.0
#include "cli/container_commands.h"

#include <nlohmann/json.hpp>

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

Result<Json> find_container(Api& api, const Place& place, const std::string& name) {
  const Json found = TRY(find_named(api, place.address, "containers", name));
  if (!found.is_null()) return found;
  return Error{Code::not_found, "there is no container '" + name + "' there", "resource_unknown"};
}

// `verb` of the container, with the task it makes.
Result<Status> act(const Session& session, Api& api, const ContainerOptions& options,
                   const std::string& address, const std::string& what) {
  api.prefer_tasks();
  const Json reply = TRY(api.post(address, Json::object()));
  const std::string task = task_of(reply);
  if (session.json) session.print_json(reply);
  if (!task.empty() && !options.no_wait) {
    TRY(wait_for_tasks(session, api, {task}, std::chrono::seconds(options.timeout_seconds)));
  }
  if (session.json) return Status::ok;
  session.out << "Container '" << options.name << "' " << what;
  if (task.empty()) session.out << "; no launcher is here to make it so";
  if (!task.empty() && options.no_wait) session.out << ": task " << task;
  session.out << "\n";
  return Status::ok;
}

std::string count_at(const Json& value, std::string_view path) {
  return std::to_string(static_cast<std::int64_t>(number_at(value, path)));
}

// "http 10.0.0.1:10000, admin 10.0.0.1:10001"
std::string addresses(const Json& container) {
  const Json& all = value_at(container, "properties/service_addresses");
  std::string text;
  if (!all.is_object()) return "-";
  for (const auto& [name, address] : all.items()) {
    if (!text.empty()) text += ", ";
    text += name + " " + text_at(address, "host", "-") + ":" + count_at(address, "port");
  }
  return text.empty() ? "-" : text;
}

}  // namespace

Status container_list(const Session& session, const std::string& context) {
  return with_services(session, [&](Api& api) -> Result<Status> {
    const std::string chosen = TRY(choose_context(context));
    const Place place = TRY(find_place(api, chosen));
    const Json list = TRY(api.get(place.address + "/containers?expand=true"));
    if (session.json) {
      session.print_json(list);
      return Status::ok;
    }
    Table table(
        {{"NAME"}, {"STATUS"}, {"INSTANCES"}, {"IMAGE"}, {"PROVIDER"}, {"ADDRESSES"}, {"MESSAGE"}});
    for (const Json& each : list) {
      table.add({{text_at(each, "name")},
                 {text_at(each, "properties/status", "-")},
                 {count_at(each, "properties/tasks_running") + "/" +
                  count_at(each, "properties/num_instances")},
                 {text_at(each, "properties/image", "-")},
                 {text_at(each, "properties/provider/name", "default")},
                 {addresses(each)},
                 {text_at(each, "properties/status_message", "")}});
    }
    session.out << table.render(session.style);
    return Status::ok;
  });
}

Status container_scale(const Session& session, const ContainerOptions& options) {
  return with_services(session, [&](Api& api) -> Result<Status> {
    const std::string context = TRY(choose_context(options.context));
    const Place place = TRY(find_place(api, context));
    const Json container = TRY(find_container(api, place, options.name));
    const std::string number = std::to_string(options.instances);
    return act(session, api, options,
               address_of(container, "containers") + "/scale?numInstances=" + number,
               "scaled to " + number);
  });
}

Status container_migrate(const Session& session, const ContainerOptions& options) {
  return with_services(session, [&](Api& api) -> Result<Status> {
    const std::string context = TRY(choose_context(options.context));
    const Place place = TRY(find_place(api, context));
    const Json container = TRY(find_container(api, place, options.name));
    const Json provider = TRY(find_named(api, place.address, "providers", options.provider));
    if (provider.is_null()) {
      return Error{Code::not_found, "there is no provider '" + options.provider + "' to be seen",
                   "resource_unknown"};
    }
    return act(session, api, options,
               address_of(container, "containers") + "/migrate?provider=" + text_at(provider, "id"),
               "migrated to " + options.provider);
  });
}

Status container_promote(const Session& session, const ContainerOptions& options) {
  return with_services(session, [&](Api& api) -> Result<Status> {
    const std::string context = TRY(choose_context(options.context));
    const Place place = TRY(find_place(api, context));
    const Json container = TRY(find_container(api, place, options.name));
    const Place target = TRY(find_place(api, options.target));
    return act(
        session, api, options,
        address_of(container, "containers") + "/promote?target=" + text_at(target.resource, "id"),
        "promoted to " + options.target);
  });
}

}  // namespace cli

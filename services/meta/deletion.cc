// SPDX-License-Identifier: Apache-2.0
// Deleting resources: what stands under them, what leads to them, what hangs on them.
#include <nlohmann/json.hpp>
#include <set>

#include "services/meta/change_checks.h"
#include "services/meta/changes.h"

namespace services::meta {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::size_t kDeletedMax = 100'000;

struct Plan {
  std::vector<Stored> order;  // children before parents
  std::set<std::string> ids;
};

Result<void> collect(const Work& work, const Stored& stored, Plan& plan, int depth = 0) {
  if (!plan.ids.insert(stored.id).second) return {};
  if (plan.ids.size() > kDeletedMax || depth > 64) {
    return Error{Code::failed_precondition,
                 "more than 100,000 resources would go: delete parts of it first",
                 "too_many_children"};
  }
  for (const Stored& child : TRY(list_children(work.call.read(), stored.id))) {
    TRY(collect(work, child, plan, depth + 1));
  }
  plan.order.push_back(stored);
  return {};
}

Result<void> refuse_children(const Work& work, const Stored& stored) {
  const auto children =
      TRY(work.call.read().find_by(kResources, "parent", stored.id, {.limit = 1}));
  if (children.empty()) return {};
  const Header child = TRY(read_header(children.front().value));
  return Error{Code::failed_precondition,
               "there are resources under it, for instance one of " + std::string(child.rest) +
                   " called '" + std::string(child.name) + "'; ?force=true deletes them too",
               "children_left"};
}

Result<void> refuse_used_type(const Work& work, std::string_view name) {
  const ResourceType* type = work.types->find(name);
  if (type == nullptr) return {};
  return visit_all(work.call.read(), type->rest_name, [&](const Stored& stored) -> Result<void> {
    if (TRY(stored.header()).type != name) return {};
    return Error{Code::failed_precondition, "there are resources of this type", "children_left"};
  });
}

// How the holder's links to `target` are to be treated: the strictest wins.
OnDelete treatment(const ResourceType& type, const Resource& holder, std::string_view target) {
  bool cascades = false;
  for (const Edge& edge : edges_of(type, holder.properties)) {
    if (edge.target != target) continue;
    if (edge.on_delete == OnDelete::restricted) return OnDelete::restricted;
    cascades = cascades || edge.on_delete == OnDelete::cascade;
  }
  return cascades ? OnDelete::cascade : OnDelete::nullify;
}

Result<void> cut_links(const Work& work, const Stored& stored, std::string_view target,
                       const ResourceType& type) {
  Resource holder = TRY(read_stored(stored.id, stored.text));
  for (const Edge& edge : edges_of(type, holder.properties)) {
    if (edge.target != target) continue;
    holder.properties = without_link(std::move(holder.properties), edge.property, target);
  }
  TRY(rewrite_resource(work, stored, std::move(holder), "update"));
  return {};
}

// Settles everything outside the plan that leads to `target`; may enlarge the plan.
Result<void> settle_links(const Work& work, const Stored& target, Plan& plan, Force force) {
  for (const Stored& stored : TRY(list_holders(work.call.read(), target.id))) {
    if (plan.ids.contains(stored.id)) continue;
    const Header header = TRY(stored.header());
    const ResourceType* type = TRY(work.type_of(header));
    const Resource holder = TRY(read_stored(stored.id, stored.text));
    switch (treatment(*type, holder, target.id)) {
      case OnDelete::restricted:
        return Error{Code::failed_precondition,
                     "it is used by '" + holder.name + "' (" +
                         href_of(holder.fqon, holder.rest, holder.id) + ")",
                     "link_held"};
      case OnDelete::nullify: TRY(cut_links(work, stored, target.id, *type)); break;
      case OnDelete::cascade:
        if (force == Force::no) TRY(refuse_children(work, stored));
        TRY(collect(work, stored, plan));
        break;
    }
  }
  return {};
}

Result<void> drop_grants(const Work& work, std::string_view id) {
  const auto grants =
      TRY(work.call.read().list(kGrants, {.prefix = std::string(id) + "/", .limit = 10'000}));
  for (const store::Record& grant : grants) TRY(work.call.write().remove(kGrants, grant.key));
  return {};
}

// Organisations, people and groups are security's as well.
Result<void> drop_identity(const Work& work, const Header& header, const Stored& stored) {
  if (work.call.caller().is_internal()) return {};  // the synchronisation: they are gone there
  if (header.rest == "orgs") return TRY(work.meta.identities())->drop_org(work.call, stored.id);
  if (header.rest == "users") return TRY(work.meta.identities())->drop_user(work.call, stored.id);
  if (header.rest == "groups") return TRY(work.meta.identities())->drop_group(work.call, stored.id);
  return {};
}

Result<void> delete_one(const Work& work, const Stored& planned) {
  // It may have been rewritten since it was planned.
  const auto now = TRY(find_resource(work.call.read(), planned.id));
  if (!now) return {};
  const Header header = TRY(now->header());
  TRY(drop_rule(work, *now));
  TRY(drop_grants(work, now->id));
  const ResourceType* type = TRY(work.type_of(header));
  const Resource resource = TRY(read_stored(now->id, now->text));
  TRY(emit_change(work, resource, *type, "delete"));
  TRY(erase(work.call.write(), *now, work.act("delete")));
  TRY(drop_identity(work, header, *now));
  if (header.rest == "resourcetypes") TRY(work.meta.touch_types(work.call));
  return {};
}

std::string_view past_tense(std::string_view verb) {
  if (verb == "create") return "created";
  if (verb == "update") return "updated";
  if (verb == "delete") return "deleted";
  if (verb == "restore") return "restored";
  if (verb == "scale") return "scaled";
  if (verb == "migrate") return "migrated";
  return verb;
}

}  // namespace

Result<void> delete_resource(const Work& work, const Stored& before, Force force) {
  const Header header = TRY(before.header());
  TRY(work.call.check_version(header.version));
  if (header.parent.empty()) {
    return Error{Code::failed_precondition, "the root organisation stays", "root_org_kept"};
  }
  if (header.rest == "resourcetypes") TRY(refuse_used_type(work, header.name));
  if (force == Force::no) TRY(refuse_children(work, before));
  Plan plan;
  TRY(collect(work, before, plan));
  // The plan may grow while it is walked.
  for (std::size_t i = 0; i < plan.order.size(); ++i) {
    const Stored target = plan.order[i];
    TRY(settle_links(work, target, plan, force));
  }
  for (const Stored& stored : plan.order) TRY(delete_one(work, stored));
  return {};
}

Result<void> emit_change(const Work& work, const Resource& resource, const ResourceType& type,
                         std::string_view what) {
  const std::string prefix = type.prefix.empty() ? "resource" : type.prefix;
  work.call.emit_text("meta." + prefix + "." + std::string(past_tense(what)),
                      outline(resource, masked(type, resource.properties)));
  if (resource.type == kContainerType) TRY(work.meta.tell_runner(work.call, what, resource));
  return {};
}

}  // namespace services::meta

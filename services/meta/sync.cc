// SPDX-License-Identifier: Apache-2.0
#include "services/meta/sync.h"

#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "services/meta/changes.h"

namespace services::meta {

using base::Json;
using base::Result;

namespace {

// The root has no parent, so create_resource() cannot make it.
Result<Stored> make_root(const Work& work, const IdentityOrg& org) {
  const ResourceType* type = work.types->find(kOrgType);
  Resource root;
  root.id = root.org_id = org.id;
  root.name = org.name;
  root.fqon = org.fqon;
  root.type = std::string(kOrgType);
  root.rest = type->rest_name;
  root.description = org.description;
  root.created = root.modified = work.now();
  root.properties = {{"fqon", org.fqon}};
  return insert(work.call.write(), root, *type);
}

// Names in directories are freer than names of resources, and two directories of an organisation
// may have the same one.
Result<std::string> free_name(const Work& work, std::string_view parent, std::string_view rest,
                              const Input& wanted) {
  std::string name = wanted.name.substr(0, 200);
  for (char& byte : name) {
    if (byte == '/' || static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f) byte = '_';
  }
  const auto other = TRY(find_name(work.call.read(), parent, rest, name));
  if (other && other->id != wanted.id) name += "@" + wanted.id.substr(0, 8);
  return name;
}

// Puts `wanted` over the properties there are; what meta's clients have added stays.
Result<Stored> mirror(const Work& work, std::string_view parent, std::string_view type_name,
                      Input wanted, SyncResult& result) {
  const ResourceType* type = work.types->find(type_name);
  wanted.name = TRY(free_name(work, parent, type->rest_name, wanted));
  const auto now = TRY(find_resource(work.call.read(), wanted.id));
  if (!now) {
    const Stored above = TRY(get_resource(work.call.read(), parent));
    ++result.created;
    return create_resource(work, above, *type, wanted);
  }
  const Resource old = TRY(read_stored(now->id, now->text));
  Resource next = old;
  next.name = wanted.name;
  next.description = wanted.description.value_or("");
  for (auto entry = wanted.properties.begin(); entry != wanted.properties.end(); ++entry) {
    next.properties[entry.key()] = entry.value();
  }
  if (next.name == old.name && next.description == old.description &&
      next.properties == old.properties) {
    return *now;
  }
  ++result.updated;
  return rewrite_resource(work, *now, std::move(next), "update");
}

Input input_of(const std::string& id, const std::string& name, const std::string& description,
               Json properties) {
  Input input;
  input.id = id;
  input.name = name;
  input.description = description;
  input.properties = std::move(properties);
  return input;
}

// Those of a collection that `is_there` does not know any more.
template <class IsThere>
Result<void> drop_stale(const Work& work, std::string_view rest, const IsThere& is_there,
                        SyncResult& result) {
  std::vector<std::string> stale;
  const auto look = [&](const Stored& stored) -> Result<void> {
    if (!TRY(is_there(stored.id))) stale.push_back(stored.id);
    return {};
  };
  TRY(visit_all(work.call.read(), rest, look));
  for (const std::string& id : stale) {
    const auto still = TRY(find_resource(work.call.read(), id));
    if (!still) continue;  // went with its parent
    TRY(delete_resource(work, *still, Force::yes));
    ++result.deleted;
  }
  return {};
}

std::string id_in(const Json& payload) {
  for (const char* name : {"id", "account", "group", "org", "account_id", "group_id", "org_id"}) {
    const auto found = payload.find(name);
    if (found == payload.end()) continue;
    if (found->is_string()) return found->get<std::string>();
    if (found->is_object() && found->contains("id") && (*found)["id"].is_string()) {
      return (*found)["id"].get<std::string>();
    }
  }
  return "";
}

bool concerns_mirror(std::string_view event) {
  for (const std::string_view part : {"org", "account", "group", "directory", "init"}) {
    if (event.find(part) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace

Result<Stored> mirror_org(const Work& work, const IdentityOrg& org, SyncResult& result) {
  if (org.parent_id.empty()) {
    auto root = TRY(find_resource(work.call.read(), org.id));
    if (root) return *std::move(root);
    ++result.created;
    return make_root(work, org);
  }
  return mirror(work, org.parent_id, kOrgType,
                input_of(org.id, org.name, org.description, Json::object()), result);
}

Result<Stored> mirror_user(const Work& work, const IdentityUser& user, SyncResult& result) {
  Json properties = {{"username", user.username},
                     {"firstName", user.first_name},
                     {"lastName", user.last_name},
                     {"email", user.email},
                     {"phoneNumber", user.phone}};
  return mirror(work, user.org_id, kUserType,
                input_of(user.id, user.username, user.description, std::move(properties)), result);
}

Result<Stored> mirror_group(const Work& work, const IdentityGroup& group, SyncResult& result) {
  return mirror(work, group.org_id, kGroupType,
                input_of(group.id, group.name, group.description, Json::object()), result);
}

Result<SyncResult> sync_all(const Work& work) {
  SyncResult result;
  Identities* identities = TRY(work.meta.identities());
  store::Reader& reader = work.call.read();
  const auto take_org = [&](const IdentityOrg& org) -> Result<void> {
    TRY(mirror_org(work, org, result));
    return {};
  };
  const auto take_user = [&](const IdentityUser& user) -> Result<void> {
    TRY(mirror_user(work, user, result));
    return {};
  };
  const auto take_group = [&](const IdentityGroup& group) -> Result<void> {
    TRY(mirror_group(work, group, result));
    return {};
  };
  TRY(identities->visit_orgs(reader, take_org));
  TRY(identities->visit_users(reader, take_user));
  TRY(identities->visit_groups(reader, take_group));
  const auto has_user = [&](std::string_view id) -> Result<bool> {
    return TRY(identities->identity_user(reader, id)).has_value();
  };
  const auto has_group = [&](std::string_view id) -> Result<bool> {
    return TRY(identities->identity_group(reader, id)).has_value();
  };
  const auto has_org = [&](std::string_view id) -> Result<bool> {
    return TRY(identities->identity_org(reader, id)).has_value();
  };
  TRY(drop_stale(work, "users", has_user, result));
  TRY(drop_stale(work, "groups", has_group, result));
  TRY(drop_stale(work, "orgs", has_org, result));
  return result;
}

Result<void> sync_one(const Work& work, std::string_view id) {
  SyncResult result;
  Identities* identities = TRY(work.meta.identities());
  store::Reader& reader = work.call.read();
  if (const auto org = TRY(identities->identity_org(reader, id))) {
    TRY(mirror_org(work, *org, result));
    return {};
  }
  if (const auto user = TRY(identities->identity_user(reader, id))) {
    TRY(mirror_user(work, *user, result));
    return {};
  }
  if (const auto group = TRY(identities->identity_group(reader, id))) {
    TRY(mirror_group(work, *group, result));
    return {};
  }
  const auto stale = TRY(find_resource(reader, id));
  if (!stale) return {};
  const Header header = TRY(stale->header());
  if (header.rest != "orgs" && header.rest != "users" && header.rest != "groups") return {};
  return delete_resource(work, *stale, Force::yes);
}

Result<void> start_sync(Meta& meta, Host& host) {
  if (!host.hosts("security")) return {};
  host.subscribe("meta.sync", "security.", [&meta, &host](const Event& event) -> Result<void> {
    if (!concerns_mirror(event.name)) return {};
    const auto payload = base::parse_json(event.payload);
    // With a directory go its accounts and groups, of which no event speaks.
    const bool is_directory = event.name.find(".directory.") != std::string::npos;
    const std::string id = payload && !is_directory ? id_in(*payload) : "";
    return host.transact("meta.sync", internal_caller("meta"), [&](Call& call) -> Result<void> {
      const Work work = TRY(Work::begin(meta, call));
      if (!id.empty()) {
        Result<void> one = sync_one(work, id);
        if (one || one.error().code != base::Code::not_found) return one;
      }
      // Something it belongs to is not here yet, or the event does not say what it is about.
      TRY(sync_all(work));
      return {};
    });
  });
  return host.submit([&meta, &host] {
    const auto done =
        host.transact("meta.sync", internal_caller("meta"), [&](Call& call) -> Result<void> {
          const Work work = TRY(Work::begin(meta, call));
          TRY(sync_all(work));
          return {};
        });
    if (done) return;
    base::log::warning("META_SYNC_FAILED", "identities were not mirrored, POST /meta/sync does it",
                       {}, done.error());
  });
}

}  // namespace services::meta

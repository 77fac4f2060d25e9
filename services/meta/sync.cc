// SPDX-License-Identifier: Apache-2.0
#include "services/meta/sync.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "services/meta/changes.h"

namespace services::meta {

using base::Json;
using base::Result;

bool is_identity(std::string_view rest) {
  return rest == "orgs" || rest == "users" || rest == "groups";
}

namespace {

constexpr std::size_t kSyncPart = 200;

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

// What is compared: a snapshot will do, so that a look at everything keeps nobody from writing.
struct Seen {
  store::Reader& reader;
  std::shared_ptr<const Catalogue> types;
  Identities& identities;

  static Result<Seen> begin(Meta& meta, store::Reader& reader) {
    Identities* identities = TRY(meta.identities());
    auto types = TRY(meta.types(reader));
    return Seen{reader, std::move(types), *identities};
  }
};

// Names in directories are freer than names of resources, and two directories of an organisation
// may have the same one.
Result<std::string> free_name(const Seen& seen, std::string_view parent, std::string_view rest,
                              const Input& wanted) {
  std::string name = wanted.name.substr(0, 200);
  for (char& byte : name) {
    if (byte == '/' || static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f) byte = '_';
  }
  const auto other = TRY(find_name(seen.reader, parent, rest, name));
  if (other && other->id != wanted.id) name += "@" + wanted.id.substr(0, 8);
  return name;
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

// An identity as the resource that it is to be.
struct Wanted {
  std::string parent;
  std::string_view type;
  Input input;
};

Wanted wanted_of(const IdentityOrg& org) {
  return {org.parent_id, kOrgType, input_of(org.id, org.name, org.description, Json::object())};
}

Wanted wanted_of(const IdentityUser& user) {
  Json properties = {{"username", user.username},
                     {"firstName", user.first_name},
                     {"lastName", user.last_name},
                     {"email", user.email},
                     {"phoneNumber", user.phone}};
  return {user.org_id, kUserType,
          input_of(user.id, user.username, user.description, std::move(properties))};
}

Wanted wanted_of(const IdentityGroup& group) {
  return {group.org_id, kGroupType,
          input_of(group.id, group.name, group.description, Json::object())};
}

// `old` with `wanted` over the properties there are; what meta's clients have added stays. Nothing
// when that is what it is already.
Result<std::optional<Resource>> changed(const Seen& seen, const Resource& old, Wanted wanted) {
  const ResourceType* type = seen.types->find(wanted.type);
  Input& input = wanted.input;
  Resource next = old;
  next.name = TRY(free_name(seen, wanted.parent, type->rest_name, input));
  next.description = input.description.value_or("");
  for (auto entry = input.properties.begin(); entry != input.properties.end(); ++entry) {
    next.properties[entry.key()] = entry.value();
  }
  const bool same = next.name == old.name && next.description == old.description &&
                    next.properties == old.properties;
  return same ? std::optional<Resource>() : std::optional(std::move(next));
}

// Nothing is ever changed of the root.
Result<bool> differs(const Seen& seen, Wanted wanted) {
  const auto now = TRY(find_resource(seen.reader, wanted.input.id));
  if (!now || wanted.parent.empty()) return !now;
  const Resource old = TRY(read_stored(now->id, now->text));
  return TRY(changed(seen, old, std::move(wanted))).has_value();
}

Result<void> mirror(const Work& work, Wanted wanted, SyncResult& result) {
  const Seen seen = TRY(Seen::begin(work.meta, work.call.read()));
  const ResourceType* type = work.types->find(wanted.type);
  const auto now = TRY(find_resource(seen.reader, wanted.input.id));
  if (!now) {
    const Stored above = TRY(get_resource(seen.reader, wanted.parent));
    wanted.input.name = TRY(free_name(seen, wanted.parent, type->rest_name, wanted.input));
    TRY(create_resource(work, above, *type, wanted.input));
    ++result.created;
    return {};
  }
  const Resource old = TRY(read_stored(now->id, now->text));
  auto next = TRY(changed(seen, old, std::move(wanted)));
  if (!next) return {};
  TRY(rewrite_resource(work, *now, *std::move(next), "update"));
  ++result.updated;
  return {};
}

Result<void> mirror_org(const Work& work, const IdentityOrg& org, SyncResult& result) {
  if (!org.parent_id.empty()) return mirror(work, wanted_of(org), result);
  if (TRY(find_resource(work.call.read(), org.id))) return {};
  TRY(make_root(work, org));
  ++result.created;
  return {};
}

Result<bool> is_known(const Seen& seen, std::string_view id) {
  return TRY(seen.identities.identity_org(seen.reader, id)).has_value() ||
         TRY(seen.identities.identity_user(seen.reader, id)).has_value() ||
         TRY(seen.identities.identity_group(seen.reader, id)).has_value();
}

// Whether there is work for sync_one().
Result<bool> has_work(const Seen& seen, std::string_view id) {
  if (const auto org = TRY(seen.identities.identity_org(seen.reader, id))) {
    return differs(seen, wanted_of(*org));
  }
  if (const auto user = TRY(seen.identities.identity_user(seen.reader, id))) {
    return differs(seen, wanted_of(*user));
  }
  if (const auto group = TRY(seen.identities.identity_group(seen.reader, id))) {
    return differs(seen, wanted_of(*group));
  }
  const auto stale = TRY(find_resource(seen.reader, id));
  return stale && is_identity(TRY(stale->header()).rest);
}

// All that sync_one() has work with, parents first, and last what is gone.
Result<std::vector<std::string>> find_differences(const Seen& seen) {
  std::vector<std::string> ids;
  const auto take = [&](const auto& identity) -> Result<void> {
    if (TRY(differs(seen, wanted_of(identity)))) ids.push_back(identity.id);
    return {};
  };
  TRY(seen.identities.visit_orgs(seen.reader, take));
  TRY(seen.identities.visit_users(seen.reader, take));
  TRY(seen.identities.visit_groups(seen.reader, take));
  const auto take_stale = [&](const Stored& stored) -> Result<void> {
    if (!TRY(is_known(seen, stored.id))) ids.push_back(stored.id);
    return {};
  };
  for (const char* rest : {"users", "groups", "orgs"}) {
    TRY(visit_all(seen.reader, rest, take_stale));
  }
  return ids;
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

Result<void> mirror_groups(const Work& work, const std::vector<IdentityGroup>& groups) {
  SyncResult result;
  for (const IdentityGroup& group : groups) TRY(mirror(work, wanted_of(group), result));
  return {};
}

Result<void> sync_one(const Work& work, std::string_view id, SyncResult& result) {
  Identities* identities = TRY(work.meta.identities());
  store::Reader& reader = work.call.read();
  if (const auto org = TRY(identities->identity_org(reader, id))) {
    return mirror_org(work, *org, result);
  }
  if (const auto user = TRY(identities->identity_user(reader, id))) {
    return mirror(work, wanted_of(*user), result);
  }
  if (const auto group = TRY(identities->identity_group(reader, id))) {
    return mirror(work, wanted_of(*group), result);
  }
  const auto stale = TRY(find_resource(reader, id));
  if (!stale || !is_identity(TRY(stale->header()).rest)) return {};
  TRY(delete_resource(work, *stale, Force::yes));
  ++result.deleted;
  return {};
}

Result<SyncResult> sync_all(const Work& work) {
  SyncResult result;
  const Seen seen = TRY(Seen::begin(work.meta, work.call.read()));
  const std::vector<std::string> ids = TRY(find_differences(seen));
  for (const std::string& id : ids) TRY(sync_one(work, id, result));
  return result;
}

namespace {

Result<void> run_sync(Meta& meta, Host& host,
                      const std::function<Result<void>(const Work& work)>& body) {
  return host.transact("meta.sync", internal_caller("meta"), [&](Call& call) -> Result<void> {
    return body(TRY(Work::begin(meta, call)));
  });
}

// Most events tell meta of what it has made itself.
Result<void> sync_told(Meta& meta, Host& host, const std::string& id) {
  bool is_news = false;
  const auto look = [&](store::Reader& reader) -> Result<void> {
    const Seen seen = TRY(Seen::begin(meta, reader));
    is_news = TRY(has_work(seen, id));
    return {};
  };
  TRY(host.store().read(look));
  if (!is_news) return {};
  return run_sync(meta, host, [&](const Work& work) -> Result<void> {
    SyncResult result;
    return sync_one(work, id, result);
  });
}

// In parts: what a store holds before it commits is memory.
Result<void> sync_in_parts(Meta& meta, Host& host) {
  std::vector<std::string> ids;
  const auto look = [&](store::Reader& reader) -> Result<void> {
    const Seen seen = TRY(Seen::begin(meta, reader));
    ids = TRY(find_differences(seen));
    return {};
  };
  std::size_t from = 0;
  const auto write_part = [&](const Work& work) -> Result<void> {
    SyncResult result;
    const std::size_t end = std::min(ids.size(), from + kSyncPart);
    for (std::size_t i = from; i < end; ++i) TRY(sync_one(work, ids[i], result));
    return {};
  };
  TRY(host.store().read(look));
  for (; from < ids.size(); from += kSyncPart) TRY(run_sync(meta, host, write_part));
  return {};
}

}  // namespace

Result<void> start_sync(Meta& meta, Host& host) {
  if (!host.hosts("security")) return {};
  host.subscribe("meta.sync", "security.", [&meta, &host](const Event& event) -> Result<void> {
    if (!concerns_mirror(event.name)) return {};
    const auto payload = base::parse_json(event.payload);
    // With a directory go its accounts and groups, of which no event speaks.
    const bool is_directory = event.name.find(".directory.") != std::string::npos;
    const std::string id = payload && !is_directory ? id_in(*payload) : "";
    if (!id.empty()) {
      const Result<void> one = sync_told(meta, host, id);
      if (one || one.error().code != base::Code::not_found) return one;
    }
    // Something it belongs to is not here yet, or the event does not say what it is about.
    return sync_in_parts(meta, host);
  });
  return host.submit([&meta, &host] {
    const auto done = sync_in_parts(meta, host);
    if (done) return;
    base::log::warning("META_SYNC_FAILED", "identities were not mirrored, POST /meta/sync does it",
                       {}, done.error());
  });
}

}  // namespace services::meta

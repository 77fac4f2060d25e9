// SPDX-License-Identifier: Apache-2.0
// Resources in the store: the tree, names, links, history and counts, each found by an index.
//
// Used by the changes, views and stages of meta; the only place that knows the collections.
// 1. A resource has one parent; its path names all ancestors, so a way to the root is no search.
// 2. A count of resources per ancestor and collection is kept in the same transaction as the
// resource: a limit compares with what is there, not with what was there.
// 3. What a change replaces goes to the history first, with its version.
// Threads: that of the reader. Errors: not_found resource_unknown; corrupt resource_corrupt; those
// of the store.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/store/store.h"
#include "services/meta/resource.h"

namespace services::meta {

inline constexpr std::string_view kResources = "meta.resources";
inline constexpr std::string_view kHistory = "meta.history";
inline constexpr std::string_view kCounts = "meta.counts";
inline constexpr std::string_view kRules = "meta.rules";
inline constexpr std::string_view kGrants = "meta.grants";
inline constexpr std::string_view kState = "meta.state";

// No list is longer; a client that wants more names a smaller part of the tree.
inline constexpr std::size_t kListMax = 200'000;

std::vector<store::Collection> meta_collections();

// A stored resource as it came out of the store; its header's views live as long as it does.
struct Stored {
  std::string id;
  std::string text;
  base::Result<Header> header() const { return read_header(text); }
};

base::Result<std::optional<Stored>> find_resource(store::Reader& reader, std::string_view id);
base::Result<Stored> get_resource(store::Reader& reader, std::string_view id);

// A part of a list: at most `limit` entries behind the id `after`. Reading it moves `after` on.
struct Part {
  std::string after = {};
  std::size_t limit = 0;
  bool at_end = false;
};

// Directly under `parent`, of one collection. In order of id. All, or a part.
base::Result<std::vector<Stored>> list_children(store::Reader& reader, std::string_view parent,
                                                std::string_view rest, Part* part = nullptr);
// All that stands directly under `parent`.
base::Result<std::vector<Stored>> list_children(store::Reader& reader, std::string_view parent);
// Of one collection anywhere in an organisation, without its sub-organisations.
base::Result<std::vector<Stored>> list_org(store::Reader& reader, std::string_view org,
                                           std::string_view rest, Part* part = nullptr);
// Of one collection, everywhere.
base::Result<std::vector<Stored>> list_all(store::Reader& reader, std::string_view rest);
// The same one at a time, however many there are, until `visit` returns an error.
base::Result<void> visit_all(store::Reader& reader, std::string_view rest,
                             const std::function<base::Result<void>(const Stored&)>& visit);
base::Result<std::optional<Stored>> find_name(store::Reader& reader, std::string_view parent,
                                              std::string_view rest, std::string_view name);
// Those whose links lead to `target`.
base::Result<std::vector<Stored>> list_holders(store::Reader& reader, std::string_view target);

base::Result<std::int64_t> count(store::Reader& reader, std::string_view ancestor,
                                 std::string_view rest);

// Who did it, and when; in the history.
struct Act {
  std::string action;  // "create", "update", "delete", "restore"
  std::string by;      // id of the account
  std::string by_name;
  std::string time;  // RFC 3339
};

// Sets the version: 1, or the next one when the id was in use before. Errors: already_exists
// resource_exists, name_taken.
base::Result<Stored> insert(store::Writer& writer, Resource& resource, const ResourceType& type);
// The version behind the last of the history: that of the resource as it is now, or of its next
// life.
base::Result<std::uint64_t> first_free_version(store::Reader& reader, std::string_view id);
// Writes `next` in place of `before` and keeps `before`; raises next.version.
base::Result<Stored> replace(store::Writer& writer, const Stored& before, Resource& next,
                             const ResourceType& type, const Act& act);
base::Result<void> erase(store::Writer& writer, const Stored& before, const Act& act);

// An entry of the history: a version as it was until `act` replaced it.
struct Past {
  std::uint64_t version = 0;
  Act act;           // what ended this version
  std::string text;  // as stored
};
// Oldest first.
base::Result<std::vector<Past>> list_history(store::Reader& reader, std::string_view id);
base::Result<std::optional<Past>> find_version(store::Reader& reader, std::string_view id,
                                               std::uint64_t version);
// The resource as it was at `time` (RFC 3339 in UTC, compared as text). Errors: not_found
// resource_unknown when it did not exist then.
base::Result<Stored> resource_at(store::Reader& reader, std::string_view id, std::string_view time);

}  // namespace services::meta

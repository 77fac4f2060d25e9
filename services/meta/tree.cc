// SPDX-License-Identifier: Apache-2.0
#include "services/meta/tree.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "common/base/text.h"
#include "common/store/pages.h"

namespace services::meta {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

std::string pair(std::string_view first, std::string_view second) {
  return std::string(first) + "/" + std::string(second);
}

// Names of one place stand together in the index, so that a commit of several writes few pages. One
// that is longer than a term may be is found by its digest.
std::string name_term(std::string_view parent, std::string_view rest, std::string_view name) {
  std::string term = pair(pair(parent, rest), name);
  return term.size() <= store::kTermBytesMax ? term : derived_id(term);
}

// A collection whose terms come from the header alone.
store::Index header_index(std::string name,
                          std::function<std::vector<std::string>(const Header&)> terms) {
  return {std::move(name), [terms = std::move(terms)](std::string_view, std::string_view value) {
            const auto header = read_header(value);
            return header ? terms(*header) : std::vector<std::string>();
          }};
}

std::vector<std::string> link_targets(const Header& header) {
  std::set<std::string> targets;
  if (header.links.empty()) return {};
  for (const std::string_view link : base::split(header.links, ',')) {
    targets.emplace(link.substr(link.find('=') + 1));
  }
  return {targets.begin(), targets.end()};
}

Result<std::vector<Stored>> list_by(store::Reader& reader, std::string_view index,
                                    std::string_view term) {
  std::vector<Stored> found;
  TRY(store::visit_by(reader, kResources, index, term, [&](store::Record& record) -> Result<void> {
    if (found.size() >= kListMax) {
      return Error{Code::too_large, "the list has more than 200,000 resources", "list_too_long"};
    }
    found.push_back({std::move(record.key), std::move(record.value)});
    return {};
  }));
  return found;
}

Result<std::vector<Stored>> list_by(store::Reader& reader, std::string_view index,
                                    std::string_view term, Part* part) {
  if (part == nullptr) return list_by(reader, index, term);
  std::vector<Stored> found;
  const store::Range range{.after = part->after, .limit = part->limit};
  for (store::Record& record : TRY(reader.find_by(kResources, index, term, range))) {
    found.push_back({std::move(record.key), std::move(record.value)});
  }
  part->at_end = found.size() < part->limit;
  if (!found.empty()) part->after = found.back().id;
  return found;
}

Error unknown(std::string_view id) {
  return Error{Code::not_found, "there is no resource " + std::string(id), "resource_unknown"};
}

std::string version_key(std::string_view id, std::uint64_t version) {
  const std::string digits = std::to_string(version);
  return pair(id, std::string(20 - digits.size(), '0') + digits);
}

Result<void> change_count(store::Writer& writer, std::string_view ancestor, std::string_view rest,
                          std::int64_t by) {
  const std::int64_t now = TRY(count(writer, ancestor, rest)) + by;
  const std::string key = pair(ancestor, rest);
  if (now <= 0) {
    TRY(writer.remove(kCounts, key));
  } else {
    TRY(writer.put(kCounts, key, std::to_string(now)));
  }
  return {};
}

Result<void> change_counts(store::Writer& writer, std::string_view path, std::string_view rest,
                           std::int64_t by) {
  if (path.empty()) return {};
  for (const std::string_view ancestor : base::split(path, ',')) {
    TRY(change_count(writer, ancestor, rest, by));
  }
  return {};
}

Result<void> keep(store::Writer& writer, const Stored& before, std::uint64_t version,
                  const Act& act) {
  const Json head = {
      {"action", act.action}, {"by", act.by}, {"by_name", act.by_name}, {"time", act.time}};
  TRY(writer.put(kHistory, version_key(before.id, version),
                 base::dump_json(head) + "\n" + before.text));
  return {};
}

std::string text_at(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

Result<Past> read_past(const store::Record& record) {
  const std::size_t end = record.value.find('\n');
  const auto head = base::parse_json(std::string_view(record.value).substr(0, end));
  const auto version = base::parse_int(
      std::string_view(record.key).substr(std::min(record.key.size(), record.key.rfind('/') + 1)),
      1, INT64_MAX);
  if (end == std::string::npos || !head || !version) {
    return Error{Code::corrupt, "an entry of the history is damaged", "resource_corrupt"};
  }
  return Past{static_cast<std::uint64_t>(*version),
              {text_at(*head, "action"), text_at(*head, "by"), text_at(*head, "by_name"),
               text_at(*head, "time")},
              record.value.substr(end + 1)};
}

}  // namespace

std::vector<store::Collection> meta_collections() {
  store::Collection resources{std::string(kResources)};
  resources.indexes.push_back(header_index("place", [](const Header& header) {
    return std::vector<std::string>{pair(header.parent, header.rest)};
  }));
  resources.indexes.push_back(header_index("parent", [](const Header& header) {
    return header.parent.empty() ? std::vector<std::string>()
                                 : std::vector<std::string>{std::string(header.parent)};
  }));
  resources.indexes.push_back(header_index("named", [](const Header& header) {
    return std::vector<std::string>{name_term(header.parent, header.rest, header.name)};
  }));
  resources.indexes.push_back(header_index("org", [](const Header& header) {
    return std::vector<std::string>{pair(header.org, header.rest)};
  }));
  resources.indexes.push_back(header_index("rest", [](const Header& header) {
    return std::vector<std::string>{std::string(header.rest)};
  }));
  resources.indexes.push_back(header_index("target", link_targets));
  store::Collection grants{std::string(kGrants)};
  grants.indexes.push_back({"identity", [](std::string_view, std::string_view value) {
                              std::vector<std::string> ids;
                              for (const std::string_view id : base::split(value, ',')) {
                                if (!id.empty()) ids.emplace_back(id);
                              }
                              return ids;
                            }});
  return {resources,
          {std::string(kHistory)},
          {.name = std::string(kCounts), .in_feed = false},
          {std::string(kRules)},
          grants,
          {std::string(kState)}};
}

Result<std::optional<Stored>> find_resource(store::Reader& reader, std::string_view id) {
  if (!is_uuid(id)) return std::optional<Stored>();
  std::optional<store::Record> record = TRY(reader.find(kResources, id));
  if (!record) return std::optional<Stored>();
  return std::optional<Stored>(Stored{std::move(record->key), std::move(record->value)});
}

Result<Stored> get_resource(store::Reader& reader, std::string_view id) {
  std::optional<Stored> found = TRY(find_resource(reader, id));
  if (!found) return unknown(id);
  return *std::move(found);
}

Result<std::vector<Stored>> list_children(store::Reader& reader, std::string_view parent,
                                          std::string_view rest, Part* part) {
  return list_by(reader, "place", pair(parent, rest), part);
}

Result<std::vector<Stored>> list_children(store::Reader& reader, std::string_view parent) {
  return list_by(reader, "parent", parent);
}

Result<std::vector<Stored>> list_org(store::Reader& reader, std::string_view org,
                                     std::string_view rest, Part* part) {
  return list_by(reader, "org", pair(org, rest), part);
}

Result<std::vector<Stored>> list_all(store::Reader& reader, std::string_view rest) {
  return list_by(reader, "rest", rest);
}

Result<void> visit_all(store::Reader& reader, std::string_view rest,
                       const std::function<Result<void>(const Stored&)>& visit) {
  return store::visit_by(reader, kResources, "rest", rest, [&](store::Record& record) {
    return visit(Stored{std::move(record.key), std::move(record.value)});
  });
}

Result<std::vector<Stored>> list_holders(store::Reader& reader, std::string_view target) {
  return list_by(reader, "target", target);
}

Result<std::optional<Stored>> find_name(store::Reader& reader, std::string_view parent,
                                        std::string_view rest, std::string_view name) {
  for (Stored& found : TRY(list_by(reader, "named", name_term(parent, rest, name)))) {
    const Header header = TRY(found.header());
    if (header.parent == parent && header.rest == rest && header.name == name) {
      return std::optional<Stored>(std::move(found));
    }
  }
  return std::optional<Stored>();
}

Result<std::int64_t> count(store::Reader& reader, std::string_view ancestor,
                           std::string_view rest) {
  const std::optional<store::Record> record = TRY(reader.find(kCounts, pair(ancestor, rest)));
  if (!record) return std::int64_t{0};
  return base::parse_int(record->value, 0, INT64_MAX);
}

Result<std::uint64_t> first_free_version(store::Reader& reader, std::string_view id) {
  std::uint64_t last = 0;
  std::uint64_t step = 1;
  // Doubling, then halving: versions have no gaps.
  while (TRY(find_version(reader, id, last + step))) {
    last += step;
    step *= 2;
  }
  for (; step > 0; step /= 2) {
    if (TRY(find_version(reader, id, last + step))) last += step;
  }
  return last + 1;
}

Result<Stored> insert(store::Writer& writer, Resource& resource, const ResourceType& type) {
  resource.version = TRY(first_free_version(writer, resource.id));
  if (TRY(find_name(writer, resource.parent_id, resource.rest, resource.name))) {
    return Error{Code::already_exists,
                 "there is one of " + resource.rest + " with the name '" + resource.name +
                     "' in this place already",
                 "name_taken", 0, "/name"};
  }
  Stored stored{resource.id, store_form(resource, type)};
  auto put = writer.put(kResources, stored.id, stored.text, store::kMustBeNew);
  if (!put && put.error().code == Code::already_exists) {
    return Error{Code::already_exists, "there is a resource " + resource.id + " already",
                 "resource_exists", 0, "/id"};
  }
  if (!put) return std::move(put).error();
  TRY(change_counts(writer, resource.path, resource.rest, 1));
  return stored;
}

Result<Stored> replace(store::Writer& writer, const Stored& before, Resource& next,
                       const ResourceType& type, const Act& act) {
  const Header header = TRY(before.header());
  if (header.name != next.name) {
    if (TRY(find_name(writer, next.parent_id, next.rest, next.name))) {
      return Error{Code::already_exists,
                   "there is one of " + next.rest + " with the name '" + next.name +
                       "' in this place already",
                   "name_taken", 0, "/name"};
    }
  }
  TRY(keep(writer, before, header.version, act));
  next.version = header.version + 1;
  Stored stored{next.id, store_form(next, type)};
  TRY(writer.put(kResources, stored.id, stored.text));
  return stored;
}

Result<void> erase(store::Writer& writer, const Stored& before, const Act& act) {
  const Header header = TRY(before.header());
  TRY(keep(writer, before, header.version, act));
  TRY(writer.remove(kResources, before.id));
  return change_counts(writer, header.path, header.rest, -1);
}

Result<std::vector<Past>> list_history(store::Reader& reader, std::string_view id) {
  std::vector<Past> history;
  const auto take = [&history](const store::Record& record) -> Result<void> {
    history.push_back(TRY(read_past(record)));
    return {};
  };
  TRY(store::visit(reader, kHistory, pair(id, ""), take));
  return history;
}

Result<std::optional<Past>> find_version(store::Reader& reader, std::string_view id,
                                         std::uint64_t version) {
  const std::optional<store::Record> record = TRY(reader.find(kHistory, version_key(id, version)));
  if (!record) return std::optional<Past>();
  return std::optional<Past>(TRY(read_past(*record)));
}

Result<Stored> resource_at(store::Reader& reader, std::string_view id, std::string_view time) {
  std::optional<Stored> now = TRY(find_resource(reader, id));
  if (now) {
    const Header header = TRY(now->header());
    if (header.modified <= time) return *std::move(now);
  }
  // The version that was written at or before `time` and ended after it: its place is found by
  // halving, as versions grow by one and times grow with them.
  std::uint64_t low = 1;
  std::uint64_t high = TRY(first_free_version(reader, id));
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    const std::optional<Past> past = TRY(find_version(reader, id, middle));
    if (past && past->act.time <= time) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  std::optional<Past> past = TRY(find_version(reader, id, low));
  if (!past) return unknown(id);
  const Header header = TRY(read_header(past->text));
  if (header.modified > time) return unknown(id);
  return Stored{std::string(id), std::move(past->text)};
}

}  // namespace services::meta

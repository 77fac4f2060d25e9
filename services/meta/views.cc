// SPDX-License-Identifier: Apache-2.0
#include "services/meta/views.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "common/base/text.h"
#include "services/meta/entitlements.h"
#include "services/meta/json_patch.h"

namespace services::meta {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr int kLinkDepthMax = 10;
constexpr std::size_t kLinksMax = 5000;

// Collections that belong to the place itself; others are listed for all that stands in it.
bool is_of_place(std::string_view rest) {
  constexpr std::string_view kOfPlace[] = {"orgs",     "workspaces", "users",   "groups",
                                           "policies", "rules",      "licenses"};
  return std::find(std::begin(kOfPlace), std::end(kOfPlace), rest) != std::end(kOfPlace);
}

Result<std::vector<Stored>> list_providers(const Work& work, const Header& place,
                                           std::string_view id) {
  std::vector<Stored> list;
  for (const std::string_view ancestor : place.ancestors()) {
    for (Stored& stored : TRY(list_children(work.call.read(), ancestor, "providers"))) {
      list.push_back(std::move(stored));
    }
  }
  for (Stored& stored : TRY(list_children(work.call.read(), id, "providers"))) {
    list.push_back(std::move(stored));
  }
  return list;
}

// A part of a list that is short, and read whole.
std::vector<Stored> cut(std::vector<Stored> list, Part* part) {
  if (part == nullptr) return list;
  std::sort(list.begin(), list.end(), [](const Stored& a, const Stored& b) { return a.id < b.id; });
  std::erase_if(list, [part](const Stored& stored) { return stored.id <= part->after; });
  part->at_end = list.size() <= part->limit;
  if (!part->at_end) list.resize(part->limit);
  if (!list.empty()) part->after = list.back().id;
  return list;
}

// The address of the page behind `last`, relative to that of the call.
std::string next_page(const Call& call, std::string_view last) {
  std::string query = "?cursor=" + std::string(last);
  for (const auto& [name, value] : call.request().query) {
    if (name == "cursor") continue;
    query += "&" + base::percent_encode(name) + "=" + base::percent_encode(value);
  }
  return query;
}

// "CaaS", "CaaS::DCOS", a whole name or an id.
bool is_of_type(const Catalogue& types, const Header& header, std::string_view wanted) {
  const auto named = types.get(wanted);
  if (named) return types.is_a(header.type, (*named)->name);
  const std::string tail = "::" + std::string(wanted);
  for (const ResourceType* type = types.find(header.type); type != nullptr;
       type = types.find(type->extends)) {
    if (type->name.ends_with(tail)) return true;
  }
  return false;
}

Result<Json> version_json(const Work& work, const Stored& stored, const ResourceType& type,
                          std::uint64_t version) {
  const Header header = TRY(stored.header());
  std::string text = stored.text;
  if (version != 0 && version != header.version) {
    std::optional<Past> past = TRY(find_version(work.call.read(), stored.id, version));
    if (!past) {
      return Error{Code::not_found, "there is no version " + std::to_string(version) + " of it",
                   "version_unknown"};
    }
    text = std::move(past->text);
  }
  const Resource resource = TRY(read_stored(stored.id, text));
  return render(resource, type, Masking::masked);
}

}  // namespace

Result<std::vector<Stored>> list_at(const Work& work, std::string_view rest, Part* part) {
  store::Reader& reader = work.call.read();
  const Stored place = TRY(get_resource(reader, work.call.target().resource_id));
  const Header header = TRY(place.header());
  if (rest == "providers") {
    std::vector<Stored> providers = TRY(list_providers(work, header, place.id));
    return cut(std::move(providers), part);
  }
  const ResourceType* type = work.types->find_rest(rest);
  if (type == nullptr) {
    return Error{Code::not_found, "there is no collection '" + std::string(rest) + "'",
                 "collection_absent"};
  }
  const bool direct = work.types->may_stand_under(*type, header.type);
  const std::optional<std::string> name = work.call.query("name");
  if (name && direct) {
    std::vector<Stored> one;
    std::optional<Stored> found = TRY(find_name(reader, place.id, rest, *name));
    if (found) one.push_back(*std::move(found));
    return cut(std::move(one), part);
  }
  if (is_of_place(rest) || (direct && header.rest != "orgs")) {
    return list_children(reader, place.id, rest, part);
  }
  std::vector<Stored> list = TRY(list_org(reader, header.org, rest, part));
  if (header.rest == "orgs") return list;
  const std::string& id = place.id;
  std::erase_if(list, [&id](const Stored& stored) {
    const auto head = stored.header();
    return !head || head->path.find(id) == std::string_view::npos;
  });
  return list;
}

Result<bool> Sight::sees(const Stored& stored) {
  store::Reader& reader = work_.call.read();
  const Caller& caller = work_.call.caller();
  const Header header = TRY(stored.header());
  const ResourceType* type = TRY(work_.type_of(header));
  const std::string action = type->prefix + ".view";
  const bool is_said_here = TRY(find_grant(reader, stored.id, action)).has_value();
  const bool is_own = names(caller, header.owner) || caller.holds(stored.id, "**");
  if (is_said_here || is_own || header.parent.empty()) {
    return TRY(is_entitled(reader, caller, stored.id, action)).allowed;
  }
  // A provider of an ancestor is offered to whoever may list those of his own place.
  if (is_above(header)) return true;
  // Nothing is said of it itself, so that its neighbours share the answer.
  const auto [known, is_new] = parents_.try_emplace(std::string(header.parent) + "/" + action);
  if (is_new) known->second = TRY(is_entitled(reader, caller, header.parent, action)).allowed;
  return known->second;
}

bool Sight::is_above(const Header& header) const {
  const std::string& place = work_.call.target().resource_id;
  if (header.rest != "providers" || place.empty() || header.parent == place) return false;
  return header.path.find(place) == std::string_view::npos;
}

Result<std::vector<Stored>> visible(const Work& work, std::vector<Stored> list) {
  Sight sight(work);
  std::vector<Stored> seen;
  for (Stored& stored : list) {
    if (TRY(sight.sees(stored))) seen.push_back(std::move(stored));
  }
  return seen;
}

Result<std::vector<Stored>> asked_for(const Work& work, std::vector<Stored> list) {
  const std::optional<std::string> type = work.call.query("type");
  const std::optional<std::string> name = work.call.query("name");
  if (!type && !name) return list;
  std::vector<Stored> asked;
  for (Stored& stored : list) {
    const Header header = TRY(stored.header());
    if (type && !is_of_type(*work.types, header, *type)) continue;
    if (name && name->find('*') == std::string::npos && header.name != *name) continue;
    asked.push_back(std::move(stored));
  }
  return asked;
}

namespace {

Result<Reply> list_as_it_is(const Work& work, const std::vector<Stored>& list) {
  const bool expand = TRY(work.call.flag("expand"));
  std::string text = "[";
  for (const Stored& stored : list) {
    if (text.size() > 1) text += ',';
    if (expand) {
      text += TRY(shown(work, stored));
    } else {
      const Link link = TRY(link_of(work, stored));
      text += link_text(link);
    }
  }
  return Reply::json_text(text + "]");
}

}  // namespace

Result<Reply> page_reply(const Work& work, std::string_view rest) {
  const rest::Page page = TRY(rest::read_page(work.call.request()));
  Part part{.after = page.after, .limit = page.limit};
  std::vector<Stored> list;
  while (list.size() < page.limit && !part.at_end) {
    std::vector<Stored> some = TRY(list_at(work, rest, &part));
    some = TRY(visible(work, std::move(some)));
    some = TRY(asked_for(work, std::move(some)));
    std::move(some.begin(), some.end(), std::back_inserter(list));
  }
  const bool has_more = list.size() > page.limit || !part.at_end;
  if (list.size() > page.limit) list.resize(page.limit);
  const std::string last = list.empty() ? part.after : list.back().id;
  Reply reply = TRY(list_as_it_is(work, list));
  if (!has_more) return reply;
  return std::move(reply).with("Link", "<" + next_page(work.call, last) + ">; rel=\"next\"");
}

Result<Reply> list_reply(const Work& work, std::vector<Stored> list) {
  list = TRY(asked_for(work, std::move(list)));
  return list_as_it_is(work, list);
}

Result<Reply> resource_reply(const Work& work, const Stored& stored, int status) {
  const Header header = TRY(stored.header());
  std::string text = TRY(shown(work, stored));
  return Reply::json_text(std::move(text), status).with("ETag", rest::make_etag(header.version));
}

Result<Json> context_of(const Work& work, const Stored& stored) {
  const Header header = TRY(stored.header());
  Json out = Json::object();
  Json path = Json::array();
  const auto add = [&](const Stored& at) -> Result<void> {
    const Header head = TRY(at.header());
    const Link link = TRY(link_of(work, at));
    const Json shown = link_json(link);
    if (head.type == kOrgType) out["organization"] = shown;
    if (head.type == kWorkspaceType) out["workspace"] = shown;
    if (head.type == kEnvironmentType) out["environment"] = shown;
    path.push_back(shown);
    return {};
  };
  for (const std::string_view ancestor : header.ancestors()) {
    const Stored above = TRY(get_resource(work.call.read(), ancestor));
    TRY(add(above));
  }
  TRY(add(stored));
  out["path"] = std::move(path);
  return out;
}

Result<Json> links_of(const Work& work, const Stored& stored, const LinkQuery& query) {
  store::Reader& reader = work.call.read();
  Json out = {{"in", Json::array()}, {"out", Json::array()}};
  std::set<std::string> seen = {stored.id};
  std::vector<Stored> edge = {stored};
  for (int depth = 1; depth <= std::min(query.depth, kLinkDepthMax) && !edge.empty(); ++depth) {
    std::vector<Stored> next;
    const auto add = [&](const char* way, const std::string& property, const std::string& from,
                         const Stored& other) -> Result<void> {
      const Link link = TRY(link_of(work, other));
      out[way].push_back({{"property", property},
                          {"from", from},
                          {"depth", depth},
                          {"resource", link_json(link)}});
      if (seen.size() < kLinksMax && seen.insert(other.id).second) next.push_back(other);
      return {};
    };
    for (const Stored& here : edge) {
      const Header header = TRY(here.header());
      const ResourceType* type = TRY(work.type_of(header));
      const Resource resource = TRY(read_stored(here.id, here.text));
      for (const Edge& link : edges_of(*type, resource.properties)) {
        const auto other = query.out ? TRY(find_resource(reader, link.target)) : std::nullopt;
        if (other) TRY(add("out", link.property, here.id, *other));
      }
      if (!query.in) continue;
      for (const Stored& holder : TRY(list_holders(reader, here.id))) {
        const Header head = TRY(holder.header());
        const std::size_t at = head.links.find("=" + here.id);
        const std::size_t start = head.links.rfind(',', at);
        const std::string_view property =
            head.links.substr(start == std::string_view::npos ? 0 : start + 1);
        TRY(add("in", std::string(property.substr(0, property.find('='))), here.id, holder));
      }
    }
    edge = std::move(next);
  }
  return out;
}

Result<Json> history_of(const Work& work, const Stored& stored) {
  Json out = Json::array();
  const std::vector<Past> history = TRY(list_history(work.call.read(), stored.id));
  // An entry tells what ended its version; a client asks what began one.
  Json began = {{"action", "create"}};
  for (const Past& past : history) {
    const Header header = TRY(read_header(past.text));
    Json entry = began;
    entry["version"] = past.version;
    if (!entry.contains("time")) entry["time"] = header.modified;
    out.push_back(std::move(entry));
    began = {{"action", past.act.action},
             {"by", {{"id", past.act.by}, {"name", past.act.by_name}}},
             {"time", past.act.time}};
  }
  const Header header = TRY(stored.header());
  began["version"] = header.version;
  if (!began.contains("time")) began["time"] = header.modified;
  out.push_back(std::move(began));
  return out;
}

Result<Json> diff_of(const Work& work, const Stored& stored, std::uint64_t from, std::uint64_t to) {
  const Header header = TRY(stored.header());
  const ResourceType* type = TRY(work.type_of(header));
  const Json before = TRY(version_json(work, stored, *type, from));
  const Json after = TRY(version_json(work, stored, *type, to));
  return patch_between(before, after);
}

Result<std::string> read_time(std::string_view text) {
  constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:dd";
  bool good = text.size() >= kShape.size() + 1 && text.back() == 'Z' && text.size() <= 30;
  for (std::size_t i = 0; good && i < kShape.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    good = kShape[i] == 'd' ? digit : text[i] == kShape[i];
  }
  if (!good) {
    return Error{Code::invalid_argument, "a time is written 2026-01-31T08:00:00Z", "query_invalid"};
  }
  std::string fraction(text.substr(kShape.size(), text.size() - kShape.size() - 1));
  if (fraction.empty()) fraction = ".";
  fraction.resize(4, '0');
  return std::string(text.substr(0, kShape.size())) + fraction + "Z";
}

}  // namespace services::meta

// SPDX-License-Identifier: Apache-2.0
// Resources by criteria: ?NAME=VALUE for the name, the description, the id or a property; all of
// them must fit, and `*` at a value's end stands for anything.
#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "services/meta/handlers.h"
#include "services/meta/views.h"

namespace services::meta {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::string_view kOutside[] = {"id", "name", "description", "resource_state"};

bool is_outside(std::string_view name) {
  return std::find(std::begin(kOutside), std::end(kOutside), name) != std::end(kOutside);
}

// What a query says besides: how the answer looks, and the type, which list_reply() looks at.
bool is_criterion(std::string_view name) {
  return name != "expand" && name != "explain" && name != "type";
}

Result<void> check_criteria(const Call& call, const ResourceType& type) {
  for (const auto& [name, value] : call.request().query) {
    if (!is_criterion(name) || is_outside(name) || type.open || type.properties.contains(name)) {
      continue;
    }
    return Error{Code::invalid_argument,
                 "?" + name + "= is no criterion: " + type.name + " has no such property",
                 "query_invalid"};
  }
  return {};
}

bool fits(const Json& document, const std::string& name, std::string_view wanted) {
  const Json* holder = &document;
  if (!is_outside(name)) {
    const auto properties = document.find("properties");
    if (properties == document.end()) return false;
    holder = &*properties;
  }
  const auto value = holder->find(name);
  if (value == holder->end()) return false;
  const std::string text = value->is_string() ? value->get<std::string>() : base::dump_json(*value);
  if (!wanted.ends_with('*')) return text == wanted;
  return text.starts_with(wanted.substr(0, wanted.size() - 1));
}

Result<Reply> search_in(const Work& work, std::vector<Stored> list, const ResourceType& type) {
  TRY(check_criteria(work.call, type));
  std::vector<Stored> found;
  for (Stored& stored : list) {
    // What is masked is not found by its value either.
    const std::string text = TRY(shown(work, stored));
    const Json document = TRY(base::parse_json(text, {.bytes_max = 16 << 20}));
    bool all = true;
    for (const auto& [name, value] : work.call.request().query) {
      if (is_criterion(name)) all = all && fits(document, name, value);
    }
    if (all) found.push_back(std::move(stored));
  }
  found = TRY(visible(work, std::move(found)));
  return list_reply(work, std::move(found));
}

}  // namespace

Result<Reply> search_identities(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const bool users = call.action().path.find("/users/") != std::string::npos;
  const std::string_view rest = users ? "users" : "groups";
  std::vector<Stored> list =
      TRY(call.org().id.empty() ? list_all(call.read(), rest)
                                : list_org(call.read(), call.org().id, rest));
  return search_in(work, std::move(list), *work.types->find_rest(rest));
}

Result<Reply> search_type(Meta& meta, Call& call) {
  const Work work = TRY(Work::begin(meta, call));
  const auto type = work.types->get(call.parameter("type"));
  if (!type) return Error{Code::not_found, type.error().detail, "type_unknown"};
  std::vector<Stored> list = TRY(list_org(call.read(), call.org().id, (*type)->rest_name));
  std::erase_if(list, [&](const Stored& stored) {
    const auto header = stored.header();
    return !header || !work.types->is_a(header->type, (*type)->name);
  });
  return search_in(work, std::move(list), **type);
}

}  // namespace services::meta

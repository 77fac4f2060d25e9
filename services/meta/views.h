// SPDX-License-Identifier: Apache-2.0
// What clients read of resources: lists, expanded or as links, and what surrounds one resource.
//
// Used by the query handlers of meta.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "services/meta/work.h"

namespace services::meta {

// The resources of a collection at the target: those directly under it, those of the whole
// organisation, or, for providers, also those of its ancestors. All, or those of a part, which may
// be none though there are more behind it.
base::Result<std::vector<Stored>> list_at(const Work& work, std::string_view rest,
                                          Part* part = nullptr);

// What the caller may see of lists: the answer of is_entitled(), asked once for neighbours.
class Sight {
 public:
  explicit Sight(const Work& work) : work_(work) {}
  base::Result<bool> sees(const Stored& stored);

 private:
  bool is_above(const Header& header) const;

  const Work& work_;
  std::map<std::string, bool> parents_;  // by id and action
};
// The list without what the caller may not see.
base::Result<std::vector<Stored>> visible(const Work& work, std::vector<Stored> list);

// The list without what ?type= and ?name= do not ask for.
base::Result<std::vector<Stored>> asked_for(const Work& work, std::vector<Stored> list);

// A JSON array: whole resources with ?expand=true, links without. ?type= and ?name= filter.
base::Result<Reply> list_reply(const Work& work, std::vector<Stored> list);

// The page of a collection at the target that ?limit= and ?cursor= ask for, in order of id; the
// header Link names the next one (RFC 8288).
base::Result<Reply> page_reply(const Work& work, std::string_view rest);

// One resource with its ETag, or with ?at= as it was then.
base::Result<Reply> resource_reply(const Work& work, const Stored& stored, int status = 200);

// {"organization": {…}, "workspace": {…}, "environment": {…}, "path": [links]}.
base::Result<base::Json> context_of(const Work& work, const Stored& stored);

// {"in": [{property, resource}], "out": […]} up to `depth` steps away.
struct LinkQuery {
  bool in = true;
  bool out = true;
  int depth = 1;
};
base::Result<base::Json> links_of(const Work& work, const Stored& stored, const LinkQuery& query);

// [{version, action, by, time}], oldest first, with the version that is in force last.
base::Result<base::Json> history_of(const Work& work, const Stored& stored);
// The patch between two versions; the one in force when a number is 0.
base::Result<base::Json> diff_of(const Work& work, const Stored& stored, std::uint64_t from,
                                 std::uint64_t to);

// "2026-01-31T08:00:00Z" with milliseconds. Errors: invalid_argument query_invalid.
base::Result<std::string> read_time(std::string_view text);

}  // namespace services::meta

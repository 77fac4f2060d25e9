// SPDX-License-Identifier: Apache-2.0
#include "node/api/assignments.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "node/api/enum_text.h"

namespace node::api {

namespace {

using base::Fields;
using base::Json;

constexpr std::size_t kDigestLength = 64;
constexpr EnumWords<Goal, 2> kGoals{{{Goal::running, "running"}, {Goal::stopped, "stopped"}}};

bool is_digest(std::string_view text) {
  return text.size() == kDigestLength && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

base::Result<Assignment> read_assignment(const Json& json, const std::string& pointer) {
  Assignment out;
  Fields fields(json, pointer);
  read_instance_id(fields, "id", out.id);
  fields.required("spec", out.spec, {.length_max = kDigestLength});
  if (!fields.failed() && !is_digest(out.spec)) {
    fields.reject("spec", "must be 64 lower-case hexadecimal digits");
  }
  fields.optional("epoch", out.epoch, {.min = 0, .max = INT64_MAX});
  read_port_numbers(fields, "ports", out.ports);
  read_enum(fields, "goal", kGoals, out.goal);
  TRY(fields.finish(base::UnknownFields::refuse));
  return out;
}

}  // namespace

base::Result<Assignments> read_assignments(const Json& json) {
  Assignments out;
  Fields fields(json);
  fields.required("generation", out.generation, {.min = 0, .max = INT64_MAX});
  const Json* list = fields.find_array("instances", kAssignmentsMax);
  std::set<InstanceId> seen;
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    const std::string pointer = "/instances/" + std::to_string(i);
    auto item = read_assignment((*list)[i], pointer);
    if (!item) {
      fields.reject(item.error());
      break;
    }
    if (!seen.insert(item->id).second) {
      fields.reject(
          {base::Code::invalid_argument, "is there twice", "field_invalid", 0, pointer + "/id"});
      break;
    }
    out.instances.push_back(*std::move(item));
  }
  TRY(fields.finish(base::UnknownFields::refuse));
  return out;
}

base::Result<Assignments> decode_assignments(std::string_view text) {
  const Json json = TRY(base::parse_json(text));
  return read_assignments(json);
}

Json to_json(const Assignments& assignments) {
  Json list = Json::array();
  for (const Assignment& each : assignments.instances) {
    list.push_back({{"id", each.id.text()},
                    {"spec", each.spec},
                    {"epoch", each.epoch},
                    {"ports", each.ports},
                    {"goal", word_of(kGoals, each.goal)}});
  }
  return {{"generation", assignments.generation}, {"instances", std::move(list)}};
}

std::string encode(const Assignments& assignments) { return base::dump_json(to_json(assignments)); }

}  // namespace node::api

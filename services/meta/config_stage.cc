// SPDX-License-Identifier: Apache-2.0
#include "services/meta/config_stage.h"

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "services/meta/service.h"

namespace services::meta {

using base::Json;
using base::Result;

namespace {

std::string text_at(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// Providers have a "config" that is not configuration in this sense: theirs is not read.
Result<config::Level> level_of(const Resource& resource) {
  config::Level level{resource.id, href_of(resource.fqon, resource.rest, resource.id), {}};
  if (resource.rest == "providers") return level;
  level.entries = TRY(config::read_entries(resource.properties));
  return level;
}

// Takes over what an ancestor says about the place: a container is of its environment's type.
void inherit_facts(const Resource& resource, config::Facts& facts) {
  const std::string env_type = text_at(resource.properties, "environment_type");
  const std::string location = text_at(resource.properties, "location");
  if (!env_type.empty()) facts.env_type = env_type;
  if (!location.empty()) facts.location = location;
}

}  // namespace

Result<std::vector<config::Level>> read_levels(store::Reader& reader, std::string_view path) {
  std::vector<config::Level> levels;
  if (path.empty()) return levels;
  for (const std::string_view id : base::split(path, ',')) {
    const Stored stored = TRY(get_resource(reader, id));
    // Most levels say nothing, and then need no reading.
    if (stored.text.find("\"env\":") == std::string::npos &&
        stored.text.find("\"config\":") == std::string::npos) {
      continue;
    }
    const Resource resource = TRY(read_stored(stored.id, stored.text));
    levels.push_back(TRY(level_of(resource)));
  }
  return levels;
}

config::Facts facts_of(const Resource& resource) {
  config::Facts facts;
  inherit_facts(resource, facts);
  const auto labels = resource.properties.find("labels");
  if (labels != resource.properties.end() && labels->is_object()) {
    for (auto label = labels->begin(); label != labels->end(); ++label) {
      if (!label.value().is_string()) continue;
      facts.labels.push_back(label.key() + "=" + label.value().get<std::string>());
    }
  }
  if (resource.tags.is_array()) {
    for (const Json& tag : resource.tags) {
      if (tag.is_string()) facts.labels.push_back(tag.get<std::string>());
    }
  }
  return facts;
}

Result<config::View> effective_config(store::Reader& reader, const Resource& target) {
  config::Facts facts;
  std::vector<config::Level> levels;
  if (!target.path.empty()) {
    for (const std::string_view id : base::split(target.path, ',')) {
      const Stored stored = TRY(get_resource(reader, id));
      const Resource resource = TRY(read_stored(stored.id, stored.text));
      inherit_facts(resource, facts);
      levels.push_back(TRY(level_of(resource)));
    }
  }
  levels.push_back(TRY(level_of(target)));
  config::Facts own = facts_of(target);
  if (own.env_type.empty()) own.env_type = facts.env_type;
  if (own.location.empty()) own.location = facts.location;
  return config::effective(levels, own);
}

}  // namespace services::meta

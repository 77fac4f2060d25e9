// SPDX-License-Identifier: Apache-2.0
#include "services/meta/config/lattice.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "common/base/text.h"

namespace services::meta::config {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::string_view kEnvPrefix = "env/";
constexpr std::size_t kKeysMax = 2000;

struct ModeName {
  Mode mode;
  std::string_view text;
};
constexpr ModeName kModes[] = {
    {Mode::set, "set"}, {Mode::append, "append"}, {Mode::merge, "merge"}, {Mode::unset, "unset"}};

std::string_view mode_name(Mode mode) {
  for (const ModeName& known : kModes) {
    if (known.mode == mode) return known.text;
  }
  return "";
}

Error wrong(std::string pointer, std::string detail) {
  return Error{Code::invalid_argument, std::move(detail), "config_invalid", 0, std::move(pointer)};
}

bool fits(const Selector& when, const Facts& facts) {
  if (!when.env_type.empty() && when.env_type != facts.env_type) return false;
  if (!when.location.empty() && when.location != facts.location) return false;
  return when.label.empty() ||
         std::find(facts.labels.begin(), facts.labels.end(), when.label) != facts.labels.end();
}

// Whether some target could be meant by both.
bool overlaps(const Selector& a, const Selector& b) {
  const auto apart = [](const std::string& x, const std::string& y) {
    return !x.empty() && !y.empty() && x != y;
  };
  return !apart(a.env_type, b.env_type) && !apart(a.location, b.location);
}

Json appended(Json list, const Json& more) {
  if (!list.is_array()) list = Json::array({std::move(list)});
  if (!more.is_array()) {
    list.push_back(more);
    return list;
  }
  for (const Json& entry : more) list.push_back(entry);
  return list;
}

void combine(const Entry& entry, Value& value) {
  switch (entry.mode) {
    case Mode::unset:
      value.present = false;
      value.value = Json();
      return;
    case Mode::append:
      if (value.present) {
        value.value = appended(std::move(value.value), entry.value);
        return;
      }
      break;
    case Mode::merge:
      if (value.present && value.value.is_object() && entry.value.is_object()) {
        value.value.merge_patch(entry.value);
        return;
      }
      break;
    case Mode::set: break;
  }
  value.present = true;
  value.value = entry.value;
}

Json link_of_chain(const Level& level, const Entry& entry, bool ignored) {
  Json link = {{"at", level.where}, {"mode", mode_name(entry.mode)}};
  if (entry.mode != Mode::unset) link["value"] = entry.value;
  if (entry.final) link["final"] = true;
  if (entry.when.specificity() > 0) link["when"] = entry.when.text();
  if (ignored) link["ignored"] = "final above";
  return link;
}

// For each key the entry of this level that counts.
std::map<std::string_view, const Entry*> chosen(const Level& level, const Facts& facts) {
  std::map<std::string_view, const Entry*> best;
  for (const Entry& entry : level.entries) {
    if (!fits(entry.when, facts)) continue;
    const Entry*& here = best[entry.key];
    const auto rank = [](const Entry& of) {
      return std::make_tuple(of.when.specificity(), of.when.text());
    };
    if (here == nullptr || rank(entry) > rank(*here)) here = &entry;
  }
  return best;
}

Result<Selector> read_selector(const Json* value, const std::string& pointer) {
  Selector when;
  if (value == nullptr) return when;
  base::Fields fields(*value, pointer);
  fields.optional("env_type", when.env_type, {.length_max = 64});
  fields.optional("location", when.location, {.length_max = 128});
  fields.optional("label", when.label, {.length_max = 128});
  TRY(fields.finish(base::UnknownFields::refuse));
  return when;
}

Result<Entry> read_entry(const std::string& key, const Json& document, const std::string& pointer) {
  base::Fields fields(document, pointer);
  Entry entry;
  entry.key = key;
  std::string mode = "set";
  std::string required;
  fields.optional("mode", mode);
  fields.optional("final", entry.final);
  fields.optional("required", required);
  const Json* value = fields.find("value");
  const Json* when = fields.find_object("when");
  TRY(fields.finish(base::UnknownFields::refuse));
  const auto known = std::find_if(std::begin(kModes), std::end(kModes),
                                  [&mode](const ModeName& name) { return name.text == mode; });
  if (known == std::end(kModes)) return wrong(pointer, "mode is set, append, merge or unset");
  entry.mode = known->mode;
  if (required != "" && required != "wait" && required != "fail") {
    return wrong(pointer, "required is wait or fail");
  }
  if (!required.empty()) entry.need = required == "wait" ? Need::wait : Need::fail;
  if (value != nullptr) entry.value = *value;
  if (value == nullptr && entry.mode != Mode::unset) {
    if (required.empty()) return wrong(pointer, "value is missing");
    entry.mode = Mode::append;  // a demand without a value changes none
    entry.value = Json::array();
  }
  entry.when = TRY(read_selector(when, base::child_pointer(pointer, "when")));
  return entry;
}

Result<void> read_config(const Json& config, std::vector<Entry>& entries) {
  if (!config.is_object()) return wrong("/properties/config", "config must be an object");
  for (auto field = config.begin(); field != config.end(); ++field) {
    const std::string pointer = base::child_pointer("/properties/config", field.key());
    if (field.key().empty() || field.key().size() > 255) return wrong(pointer, "a bad key");
    const Json& value = field.value();
    if (!value.is_array()) {
      entries.push_back(TRY(read_entry(field.key(), value, pointer)));
      continue;
    }
    for (std::size_t i = 0; i < value.size(); ++i) {
      const std::string place = pointer + "/" + std::to_string(i);
      Entry entry = TRY(read_entry(field.key(), value[i], place));
      for (const Entry& other : entries) {
        if (other.key == entry.key && other.when == entry.when) {
          return wrong(place, "two entries of one key have the same selector");
        }
      }
      entries.push_back(std::move(entry));
    }
  }
  return {};
}

}  // namespace

int Selector::specificity() const {
  return static_cast<int>(!env_type.empty()) + static_cast<int>(!location.empty()) +
         static_cast<int>(!label.empty());
}

std::string Selector::text() const {
  return "env_type=" + env_type + ",location=" + location + ",label=" + label;
}

View effective(const std::vector<Level>& levels, const Facts& facts) {
  View view;
  for (const Level& level : levels) {
    for (const auto& [key, entry] : chosen(level, facts)) {
      Value& value = view[std::string(key)];
      if (value.chain.is_null()) value.chain = Json::array();
      const bool ignored = !value.final_at.empty();
      value.chain.push_back(link_of_chain(level, *entry, ignored));
      value.need = std::max(value.need, entry->need);  // a child asks for more, never for less
      if (ignored) continue;
      // A demand without a value comes as an append of nothing.
      const bool only_demand = entry->mode == Mode::append && entry->need != Need::none &&
                               entry->value.is_array() && entry->value.empty();
      if (!only_demand) combine(*entry, value);
      if (entry->final) value.final_at = level.where;
    }
  }
  return view;
}

Result<std::vector<Entry>> read_entries(const Json& properties) {
  std::vector<Entry> entries;
  if (!properties.is_object()) return entries;
  const auto config = properties.find("config");
  if (config != properties.end() && !config->is_null()) TRY(read_config(*config, entries));
  const auto env = properties.find("env");
  if (env != properties.end() && env->is_object()) {
    for (auto field = env->begin(); field != env->end(); ++field) {
      Entry entry;
      entry.key = std::string(kEnvPrefix) + field.key();
      entry.value = field.value();
      const auto said = [&entry](const Entry& other) {
        return other.key == entry.key && other.when.specificity() == 0;
      };
      if (std::none_of(entries.begin(), entries.end(), said)) entries.push_back(std::move(entry));
    }
  }
  if (entries.size() > kKeysMax) return wrong("/properties/config", "more than 2000 entries");
  return entries;
}

Result<void> check_final(const std::vector<Level>& above, const std::vector<Entry>& own,
                         const Facts& facts) {
  for (const Level& level : above) {
    for (const Entry& locked : level.entries) {
      if (!locked.final) continue;
      const bool here = fits(locked.when, facts) || facts.env_type.empty();
      for (const Entry& entry : own) {
        if (!here || entry.key != locked.key || !overlaps(entry.when, locked.when)) continue;
        return Error{Code::failed_precondition,
                     entry.key + " is final at " + level.where + " and cannot be set below it",
                     "config_final", 0, base::child_pointer("/properties/config", entry.key)};
      }
    }
  }
  return {};
}

Json view_json(const View& view, Explain explain) {
  Json values = Json::object();
  Json missing = Json::array();
  Json chain = Json::object();
  for (const auto& [key, value] : view) {
    if (value.present) values[key] = value.value;
    if (!value.present && value.need != Need::none) missing.push_back(key);
    if (explain == Explain::yes) chain[key] = value.chain;
  }
  Json out = {{"hash", view_hash(view)}, {"values", std::move(values)}};
  if (!missing.empty()) out["missing"] = std::move(missing);
  if (explain == Explain::yes) out["chain"] = std::move(chain);
  return out;
}

std::string view_hash(const View& view) {
  Json values = Json::object();
  for (const auto& [key, value] : view) {
    if (value.present) values[key] = value.value;
  }
  // FNV-1a: tells changes apart, no more.
  std::uint64_t state = 0xcbf29ce484222325ULL;
  for (const char byte : base::dump_json(values)) {
    state = (state ^ static_cast<std::uint8_t>(byte)) * 0x100000001b3ULL;
  }
  std::string bytes(sizeof state, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(state >> (8 * i));
  return base::to_hex(bytes);
}

Json env_json(const View& view) {
  Json env = Json::object();
  for (auto value = view.lower_bound(kEnvPrefix);
       value != view.end() && value->first.starts_with(kEnvPrefix); ++value) {
    if (value->second.present) env[value->first.substr(kEnvPrefix.size())] = value->second.value;
  }
  return env;
}

}  // namespace services::meta::config

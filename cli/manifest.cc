// SPDX-License-Identifier: Apache-2.0
#include "cli/manifest.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>

#include "cli/input.h"
#include "cli/yaml.h"

namespace cli {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::size_t kFilesMax = 1000;
constexpr std::size_t kManifestsMax = 5000;

Error wrong(const std::string& source, std::string what) {
  return Error{Code::invalid_argument, source + ": " + std::move(what), "manifest_invalid"};
}

Result<Manifest> read_manifest(const std::string& source, const Json& document) {
  base::Fields fields(document);
  Manifest manifest;
  manifest.source = source;
  fields.optional("kind", manifest.kind, {.length_max = 64});
  fields.optional("resource_type", manifest.resource_type, {.length_max = 255});
  fields.optional("context", manifest.context, {.length_max = 1024});
  fields.optional("parent", manifest.parent, {.length_max = 255});
  fields.optional("parent_kind", manifest.parent_kind, {.length_max = 64});
  fields.required("name", manifest.name, {.length_min = 1, .length_max = 255});
  const auto read = fields.finish(base::UnknownFields::ignore);
  if (!read) return wrong(source, read.error().pointer + " " + read.error().detail);
  if (manifest.kind.empty() && manifest.resource_type.empty()) {
    return wrong(source, "kind or resource_type is needed");
  }
  if (manifest.parent.empty() != manifest.parent_kind.empty()) {
    return wrong(source, "parent and parent_kind go together");
  }
  manifest.body = document;
  for (const char* own : {"kind", "context", "parent", "parent_kind"}) manifest.body.erase(own);
  return manifest;
}

bool is_manifest(const std::filesystem::path& path) {
  const std::string ending = path.extension().string();
  return ending == ".json" || ending == ".yaml" || ending == ".yml";
}

Result<std::vector<std::string>> files_of(const std::string& path) {
  std::error_code failed;
  if (path == "-" || !std::filesystem::is_directory(path, failed)) {
    return std::vector<std::string>{path};
  }
  std::vector<std::string> files;
  for (std::filesystem::directory_iterator entry(path, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    if (is_manifest(entry->path())) files.push_back(entry->path().string());
    if (files.size() > kFilesMax) return wrong(path, "more than 1000 files");
  }
  if (failed) return base::os_error(failed.value(), path);
  std::sort(files.begin(), files.end());
  return files;
}

void compare_at(const Json& now, const Json& wanted, const std::string& pointer,
                std::vector<Difference>& found) {
  if (now == wanted || now == "********") return;
  if (!now.is_object() || !wanted.is_object()) {
    found.push_back({pointer, now, wanted});
    return;
  }
  for (auto field = wanted.begin(); field != wanted.end(); ++field) {
    const std::string below = base::child_pointer(pointer, field.key());
    const auto there = now.find(field.key());
    if (there == now.end()) {
      if (!field.value().is_null()) found.push_back({below, Json(), field.value()});
      continue;
    }
    compare_at(*there, field.value(), below, found);
  }
}

// A link is shown as an object and may be said as an id.
bool is_same_link(const Json& now, const Json& wanted) {
  return now.is_object() && wanted.is_string() && now.contains("id") && now["id"] == wanted;
}

}  // namespace

Result<std::vector<Manifest>> parse_manifests(const std::string& source, const std::string& text) {
  std::vector<Json> documents;
  const auto json =
      base::parse_json(text, {.bytes_max = kInputBytesMax}, base::JsonComments::ignore);
  if (json && json->is_array()) {
    documents.assign(json->begin(), json->end());
  } else if (json) {
    documents.push_back(*json);
  } else if (source.ends_with(".json")) {
    return base::prepend(source, json.error());
  } else {
    auto yaml = parse_yaml(text);
    if (!yaml) return base::prepend(source, std::move(yaml).error());
    documents = *std::move(yaml);
  }
  std::vector<Manifest> manifests;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    const std::string name =
        documents.size() == 1 ? source : source + " (" + std::to_string(i + 1) + ")";
    manifests.push_back(TRY(read_manifest(name, documents[i])));
  }
  if (manifests.empty()) return wrong(source, "there is nothing in it");
  return manifests;
}

Result<std::vector<Manifest>> read_manifests(const std::vector<std::string>& paths) {
  std::vector<Manifest> manifests;
  for (const std::string& path : paths) {
    for (const std::string& file : TRY(files_of(path))) {
      const std::string text = TRY(read_input(file));
      std::vector<Manifest> more = TRY(parse_manifests(file == "-" ? "stdin" : file, text));
      manifests.insert(manifests.end(), std::make_move_iterator(more.begin()),
                       std::make_move_iterator(more.end()));
      if (manifests.size() > kManifestsMax) return wrong(path, "more than 5000 manifests");
    }
  }
  return manifests;
}

std::vector<Difference> compare(const Json& now, const Json& wanted) {
  std::vector<Difference> found;
  for (const char* field : {"description", "properties", "variables", "tags"}) {
    const auto said = wanted.find(field);
    if (said == wanted.end()) continue;
    const auto there = now.find(field);
    const std::string pointer = "/" + std::string(field);
    if (there == now.end()) {
      if (!said->is_null() && !said->empty()) found.push_back({pointer, Json(), *said});
      continue;
    }
    compare_at(*there, *said, pointer, found);
  }
  std::erase_if(found, [](const Difference& difference) {
    return is_same_link(difference.now, difference.wanted);
  });
  return found;
}

Json patch_of(const std::vector<Difference>& differences) {
  Json patch = Json::array();
  for (const Difference& difference : differences) {
    if (difference.wanted.is_null()) {
      patch.push_back({{"op", "remove"}, {"path", difference.pointer}});
    } else {
      patch.push_back({{"op", "add"}, {"path", difference.pointer}, {"value", difference.wanted}});
    }
  }
  return patch;
}

std::string render_differences(const std::vector<Difference>& differences) {
  std::string text;
  for (const Difference& difference : differences) {
    const bool is_new = difference.now.is_null();
    const bool goes = difference.wanted.is_null();
    text += std::string("  ") + (is_new ? "+ " : goes ? "- " : "~ ") + difference.pointer + ": ";
    if (!is_new) text += base::dump_json(difference.now);
    if (!is_new && !goes) text += " -> ";
    if (!goes) text += base::dump_json(difference.wanted);
    text += "\n";
  }
  return text;
}

}  // namespace cli

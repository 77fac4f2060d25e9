// SPDX-License-Identifier: Apache-2.0
#include "node/agent/image.h"

#include <array>
#include <nlohmann/json.hpp>

#include "common/base/text.h"

namespace node::agent {

namespace {

using base::Fields;
using base::Json;

constexpr std::string_view kTagAnnotation = "org.opencontainers.image.ref.name";
constexpr std::size_t kListMax = 1000;
constexpr std::size_t kTextMax = 128 << 10;

base::Error image_invalid(const std::string& detail) {
  return {base::Code::corrupt, detail, "image_invalid"};
}

int signal_number(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, int>, 8> kNames{{{"HUP", 1},
                                                                           {"INT", 2},
                                                                           {"QUIT", 3},
                                                                           {"KILL", 9},
                                                                           {"USR1", 10},
                                                                           {"USR2", 12},
                                                                           {"TERM", 15},
                                                                           {"WINCH", 28}}};
  if (name.starts_with("SIG")) name.remove_prefix(3);
  for (const auto& [known, number] : kNames) {
    if (known == name) return number;
  }
  const auto number = base::parse_int(name, 1, 64);
  return number ? static_cast<int>(*number) : 15;
}

}  // namespace

bool is_digest(std::string_view text) {
  if (!text.starts_with("sha256:") || text.size() != 71) return false;
  return text.find_first_not_of("0123456789abcdef", 7) == std::string_view::npos;
}

base::Result<ImageConfig> read_image_config(std::string_view text) {
  const auto json = base::parse_json(text, {.bytes_max = 8 << 20});
  if (!json) return image_invalid("image configuration: " + json.error().detail);
  Fields outer(*json);
  ImageConfig out;
  const Json* config = outer.find_object("config");
  if (auto done = outer.finish(base::UnknownFields::ignore); !done) {
    return image_invalid("image configuration: " + base::to_string(done.error()));
  }
  if (config == nullptr) return out;
  Fields fields(*config, "/config");
  fields.optional("Entrypoint", out.entrypoint, kListMax, {.length_max = kTextMax});
  fields.optional("Cmd", out.command, kListMax, {.length_max = kTextMax});
  fields.optional("Env", out.environment, kListMax, {.length_max = kTextMax});
  fields.optional("User", out.user);
  fields.optional("WorkingDir", out.working_folder);
  std::string stop_signal;
  fields.optional("StopSignal", stop_signal);
  if (!stop_signal.empty()) out.stop_signal = signal_number(stop_signal);
  if (auto done = fields.finish(base::UnknownFields::ignore); !done) {
    return image_invalid("image configuration: " + base::to_string(done.error()));
  }
  return out;
}

ImageReference parse_reference(const std::string& reference) {
  if (reference.starts_with("docker://")) {
    return {ImageReference::Kind::registry, reference.substr(9), ""};
  }
  const bool archive = reference.starts_with("oci-archive:");
  std::string path = reference.substr(archive ? 12 : 4);
  std::string tag;
  const std::size_t colon = path.rfind(':');
  if (colon != std::string::npos && path.find('/', colon) == std::string::npos) {
    tag = path.substr(colon + 1);
    path.resize(colon);
  }
  return {archive ? ImageReference::Kind::archive : ImageReference::Kind::layout, path, tag};
}

std::string registry_of(const std::string& path) {
  const std::string first = path.substr(0, path.find('/'));
  const bool host = first.size() < path.size() &&
                    (first.find_first_of(".:") != std::string::npos || first == "localhost");
  return host ? first : "docker.io";
}

base::Result<std::string> find_manifest(std::string_view index_json, std::string_view tag) {
  const auto json = base::parse_json(index_json, {.bytes_max = 4 << 20});
  if (!json) return image_invalid("index.json: " + json.error().detail);
  if (!json->is_object() || !json->contains("manifests") || !(*json)["manifests"].is_array()) {
    return image_invalid("index.json has no list of manifests");
  }
  const Json& manifests = (*json)["manifests"];
  for (const Json& each : manifests) {
    if (!each.is_object()) return image_invalid("index.json has a manifest that is not an object");
    const std::string digest = each.value("/digest"_json_pointer, Json("")).is_string()
                                   ? each.value("digest", "")
                                   : std::string();
    const Json annotations = each.value("/annotations"_json_pointer, Json::object());
    const Json name = annotations.is_object()
                          ? annotations.value(std::string(kTagAnnotation), Json(""))
                          : Json("");
    const bool matches = tag.empty() ? manifests.size() == 1 : name == tag;
    if (!matches) continue;
    if (!is_digest(digest)) return image_invalid("index.json has a digest that is not SHA-256");
    return digest;
  }
  return base::Error{base::Code::not_found,
                     "the layout has no image called '" + std::string(tag) + "'",
                     "image_tag_unknown"};
}

}  // namespace node::agent

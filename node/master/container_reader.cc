// SPDX-License-Identifier: Apache-2.0
#include "node/master/container_reader.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "node/master/port_reader.h"

namespace node::master {
namespace {

using base::Fields;
using base::Json;

constexpr std::size_t kVolumesMax = 50;
constexpr std::size_t kExternalNameMax = 64;  // as the file system has it
constexpr const char* kProvider = "gestalt";
constexpr std::size_t kParametersMax = 100;
constexpr std::int64_t kPidsMax = 1'000'000;

class ContainerReader {
 public:
  explicit ContainerReader(Problems& problems) : problems_(problems) {}

  ContainerParts read(const Json& container, const std::string& pointer) {
    Fields in(container, pointer);
    Json out = Json::object();
    std::string type = container.contains("docker") ? "DOCKER" : "MESOS";
    in.optional("type", type);
    if (type != "DOCKER" && type != "MESOS") in.reject("type", "must be DOCKER or MESOS");
    out["type"] = type;
    if (const Json* docker = in.find_object("docker")) {
      out["docker"] = read_docker(*docker, pointer + "/docker");
    } else if (type == "DOCKER") {
      in.reject("docker", "is needed for a DOCKER container", "field_missing");
    }
    out["volumes"] = read_volumes(in);
    if (const Json* mappings = in.find_array("portMappings", kAppPortsMax)) {
      parts_.mappings = *mappings;
      parts_.mappings_pointer = in.pointer_of("portMappings");
    }
    in.find("linuxInfo");
    close(in);
    parts_.document = std::move(out);
    return std::move(parts_);
  }

 private:
  void close(Fields& fields) {
    if (auto done = fields.finish(base::UnknownFields::refuse); !done) problems_.add(done.error());
  }

  Json read_docker(const Json& docker, const std::string& pointer) {
    Fields in(docker, pointer);
    std::string image;
    std::string network;
    bool force_pull = false;
    bool privileged = false;
    in.required("image", image, {.length_min = 1, .length_max = 1024});
    in.optional("network", network);
    in.optional("forcePullImage", force_pull);
    in.optional("privileged", privileged);
    const Json parameters = read_parameters(in);
    in.find("credential");
    in.find("pullConfig");
    if (network == "BRIDGE") parts_.wants_bridge = true;
    if (network == "USER") in.reject("network", "USER networks are not available");
    if (privileged) in.reject("privileged", "privileged containers are not available");
    for (const char c : image) {
      if (static_cast<unsigned char>(c) <= ' ') in.reject("image", "must not contain blanks");
    }
    if (const Json* mappings = in.find_array("portMappings", kAppPortsMax)) {
      parts_.mappings = *mappings;
      parts_.mappings_pointer = in.pointer_of("portMappings");
    }
    close(in);
    return {{"image", image},
            {"forcePullImage", force_pull},
            {"privileged", false},
            {"parameters", parameters}};
  }

  // Options of `docker run`. Others than these would be accepted and do nothing.
  Json read_parameters(Fields& docker) {
    Json out = Json::array();
    const Json* parameters = docker.find_array("parameters", kParametersMax);
    if (parameters == nullptr) return out;
    for (std::size_t i = 0; i < parameters->size(); ++i) {
      Fields in((*parameters)[i],
                base::child_pointer(docker.pointer_of("parameters"), std::to_string(i)));
      std::string key;
      std::string value;
      in.required("key", key, {.length_min = 1, .length_max = 64});
      in.optional("value", value, {.length_max = 64});
      const bool is_flag = key == kParameterInit || key == kParameterReadOnly;
      if (is_flag && value != "true" && value != "false") {
        in.reject("value", "must be true or false");
      } else if (key == kParameterPids && !base::parse_int(value, 1, kPidsMax)) {
        in.reject("value", "must be a number of 1 to " + std::to_string(kPidsMax));
      } else if (!is_flag && key != kParameterPids) {
        in.reject("key", "must be init, read-only or pids-limit; others are not available");
      }
      close(in);
      out.push_back({{"key", key}, {"value", value}});
    }
    return out;
  }

  Json read_volumes(Fields& container) {
    Json out = Json::array();
    const Json* volumes = container.find_array("volumes", kVolumesMax);
    if (volumes == nullptr) return out;
    for (std::size_t i = 0; i < volumes->size(); ++i)
      out.push_back(read_volume(
          (*volumes)[i], base::child_pointer(container.pointer_of("volumes"), std::to_string(i))));
    return out;
  }

  Json read_volume(const Json& volume, const std::string& pointer) {
    Fields in(volume, pointer);
    std::string container_path;
    std::string host_path;
    std::string mode = "RW";
    in.required("containerPath", container_path, {.length_min = 1, .length_max = 1024});
    in.optional("hostPath", host_path, {.length_max = 1024});
    in.optional("mode", mode);
    if (mode != "RW" && mode != "RO") in.reject("mode", "must be RW or RO");
    const Json* persistent = in.find_object("persistent");
    const Json* external = in.find_object("external");
    if (in.find("secret") != nullptr) in.reject("secret", "secret volumes are not available");
    const auto climbs = [](const std::string& path) {
      return ("/" + path + "/").find("/../") != std::string::npos;
    };
    if (climbs(container_path)) in.reject("containerPath", "must not contain '..'");
    if (climbs(host_path)) in.reject("hostPath", "must not contain '..'");
    Json out = {{"containerPath", container_path}, {"mode", mode}};
    if (external != nullptr) {
      if (persistent != nullptr || !host_path.empty())
        in.reject("external", "excludes persistent and hostPath");
      out["external"] = read_external(*external, in.pointer_of("external"));
    } else if (persistent != nullptr) {
      Fields inner(*persistent, in.pointer_of("persistent"));
      std::int64_t size = 0;
      inner.required("size", size, {1, 1 << 30});
      for (const char* name : {"type", "maxSize", "profileName", "constraints"}) inner.find(name);
      close(inner);
      out["persistent"] = {{"type", "root"}, {"size", size}, {"constraints", Json::array()}};
      parts_.has_persistent_volumes = true;
    } else if (host_path.empty() || host_path[0] != '/') {
      in.reject("hostPath", "must be an absolute path, or the volume must be persistent");
    } else {
      out["hostPath"] = host_path;
    }
    close(in);
    return out;
  }

  // A volume of the distributed file system by its own name, which several instances share.
  Json read_external(const Json& external, const std::string& pointer) {
    Fields in(external, pointer);
    std::string name;
    std::string provider = kProvider;
    std::int64_t size = 0;
    in.required("name", name, {.length_min = 1, .length_max = kExternalNameMax});
    in.optional("provider", provider);
    in.optional("size", size, {0, 1 << 30});
    in.find("options");
    const bool fine = std::all_of(name.begin(), name.end(), [](unsigned char c) {
      return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
    });
    if (!fine || name.starts_with('.') || name.starts_with('-'))
      in.reject("name", "must be letters, digits, '.', '-' and '_', not led by '.' or '-'");
    if (provider != kProvider) in.reject("provider", "must be gestalt");
    close(in);
    return {{"name", name}, {"provider", provider}, {"size", size}, {"options", Json::object()}};
  }

  Problems& problems_;
  ContainerParts parts_;
};

}  // namespace

ContainerParts read_container(const Json& container, const std::string& pointer,
                              Problems& problems) {
  return ContainerReader(problems).read(container, pointer);
}

}  // namespace node::master

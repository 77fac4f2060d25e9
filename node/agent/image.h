// SPDX-License-Identifier: Apache-2.0
// An image as the agent keeps it: an unpacked tree, named by its manifest's digest, and its
// configuration.
// Threads: plain values.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"

namespace node::agent {

struct ImageConfig {
  std::vector<std::string> entrypoint;
  std::vector<std::string> command;
  std::vector<std::string> environment;  // "NAME=value"
  std::string user;
  std::string working_folder;
  int stop_signal = 15;
};

struct Image {
  std::string digest;  // sha256:…
  std::filesystem::path tree;
  ImageConfig config;
  std::vector<std::string> references;  // under which it was asked for
  std::int64_t size_bytes = 0;
  std::string pulled_at;
};

// The `config` object of an OCI image configuration. Fields that we do not use are let be.
// Errors: corrupt image_invalid.
base::Result<ImageConfig> read_image_config(std::string_view text);

struct ImageReference {
  enum class Kind { layout, archive, registry };
  Kind kind = Kind::layout;
  std::string path;  // of a layout or archive, without the tag
  std::string tag;
};
// Requires: a reference that read_run_spec has accepted.
ImageReference parse_reference(const std::string& reference);
// The host[:port] of a registry reference's path, as skopeo reads it.
std::string registry_of(const std::string& path);

// "sha256:" and 64 lower-case hex digits.
bool is_digest(std::string_view text);

// The digest of the image `tag` of an OCI layout's index.json; an empty tag needs an index with one
// manifest. Errors: not_found image_tag_unknown; corrupt image_invalid.
base::Result<std::string> find_manifest(std::string_view index_json, std::string_view tag);

}  // namespace node::agent

// SPDX-License-Identifier: Apache-2.0
// The blocking part of Images: one fetch, and the file that describes a tree.
// Threads: workers; two fetches need two staging folders.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "node/agent/config.h"
#include "node/agent/image.h"

namespace node::agent {

struct FetchInput {
  std::string reference;
  std::filesystem::path staging;  // does not exist yet
  std::filesystem::path trees;
  std::filesystem::path blobs;  // of the cache for registries
  const Config& config;
  std::function<void(const std::string&)> progress;
};

// Copies, verifies, unpacks and puts the tree in its place. An image that is there already under
// another reference is taken as it is. Removes the staging folder in any case.
base::Result<Image> fetch_image(const FetchInput& input);

base::Result<void> save_image(const Image& image);
// Reads the image.json of a tree folder. Errors: corrupt image_invalid; os errors.
base::Result<Image> load_image(const std::filesystem::path& folder);

}  // namespace node::agent

// SPDX-License-Identifier: Apache-2.0
// Blobs that came from registries: what a second image has in common with a first is not fetched
// again. skopeo puts them there (--dest-shared-blob-dir) and takes what is there already.
//
// <folder>/sha256/<hex>. A blob appears by rename. Nobody trusts one for its name: manifests and
// configurations are compared with theirs when they are read, layers by umoci while it unpacks.
// Threads: workers. Source: skopeo-copy(1), OCI image layout 1.0.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace node::agent {

class BlobCache {
 public:
  explicit BlobCache(std::filesystem::path folder) : folder_(std::move(folder)) {}
  const std::filesystem::path& folder() const { return folder_; }

  // Makes `layout`, which skopeo wrote with the cache at its side, whole: its blobs are the
  // cache's.
  base::Result<void> complete(const std::filesystem::path& layout) const;
  // They were used: the clock of collect() starts anew.
  void touch(const std::vector<std::string>& digests) const;
  // They did not unpack: the next fetch brings them again.
  void forget(const std::vector<std::string>& digests) const;
  // Removes blobs that were not used for so long. Returns the bytes.
  std::int64_t collect(std::chrono::seconds unused_min) const;

 private:
  std::filesystem::path path_of(const std::string& digest) const;

  std::filesystem::path folder_;
};

// All that a manifest names, and the manifest itself. Errors: corrupt image_invalid.
base::Result<std::vector<std::string>> digests_of(std::string_view manifest,
                                                  const std::string& manifest_digest);

}  // namespace node::agent

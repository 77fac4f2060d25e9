// SPDX-License-Identifier: Apache-2.0
#include "node/agent/blob_cache.h"

#include <nlohmann/json.hpp>

#include "common/base/json.h"
#include "common/sys/files.h"
#include "node/agent/image.h"

namespace node::agent {

namespace {

using base::Json;
namespace fs = std::filesystem;

constexpr std::size_t kManifestMax = 8 << 20;

base::Error invalid(const std::string& detail) {
  return {base::Code::corrupt, detail, "image_invalid"};
}

// The digest of a descriptor; empty when it has none that names a blob.
std::string digest_in(const Json& descriptor) {
  if (!descriptor.is_object() || !descriptor.contains("digest")) return "";
  const Json& digest = descriptor["digest"];
  return digest.is_string() && is_digest(digest.get<std::string>()) ? digest.get<std::string>()
                                                                    : "";
}

}  // namespace

fs::path BlobCache::path_of(const std::string& digest) const {
  return folder_ / "sha256" / digest.substr(std::string_view("sha256:").size());
}

base::Result<void> BlobCache::complete(const fs::path& layout) const {
  std::error_code failed;
  fs::remove_all(layout / "blobs", failed);
  if (!failed) fs::create_directory_symlink(folder_, layout / "blobs", failed);
  if (failed) return base::os_error(failed.value(), "link the blobs of " + layout.string());
  return {};
}

void BlobCache::touch(const std::vector<std::string>& digests) const {
  for (const std::string& digest : digests) {
    // One that cannot be touched is fetched again some day.
    std::error_code ignored;
    fs::last_write_time(path_of(digest), fs::file_time_type::clock::now(), ignored);
  }
}

void BlobCache::forget(const std::vector<std::string>& digests) const {
  for (const std::string& digest : digests) {
    std::error_code ignored;
    fs::remove(path_of(digest), ignored);
  }
}

std::int64_t BlobCache::collect(std::chrono::seconds unused_min) const {
  const auto now = fs::file_time_type::clock::now();
  std::int64_t bytes = 0;
  std::error_code none_there;
  for (const auto& each : fs::directory_iterator(folder_ / "sha256", none_there)) {
    std::error_code failed;
    const auto used = each.last_write_time(failed);
    if (failed || now - used < unused_min) continue;
    const auto size = static_cast<std::int64_t>(each.file_size(failed));
    if (!failed && fs::remove(each.path(), failed)) bytes += size;
  }
  return bytes;
}

base::Result<std::vector<std::string>> digests_of(std::string_view manifest,
                                                  const std::string& manifest_digest) {
  const Json json = TRY(base::parse_json(manifest, {.bytes_max = kManifestMax}));
  if (!json.is_object() || !json.contains("config") || !json.contains("layers") ||
      !json["layers"].is_array()) {
    return invalid("the manifest names no configuration or no layers");
  }
  std::vector<std::string> out{manifest_digest, digest_in(json["config"])};
  for (const Json& layer : json["layers"]) out.push_back(digest_in(layer));
  for (const std::string& digest : out) {
    if (digest.empty()) return invalid("the manifest has a digest that is not SHA-256");
  }
  return out;
}

}  // namespace node::agent

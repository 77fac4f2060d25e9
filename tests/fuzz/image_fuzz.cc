// SPDX-License-Identifier: Apache-2.0
// What registries and archives send: an index, a manifest, a configuration. Whatever is taken from
// them for a path is a digest.
#include "node/agent/image.h"

#include <cstdint>

#include "common/base/check.h"
#include "node/agent/blob_cache.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace node::agent;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string own = "sha256:" + std::string(64, '0');
  if (const auto all = digests_of(text, own)) {
    for (const std::string& digest : *all) CHECK_THAT(is_digest(digest));
  }
  for (const char* tag : {"", "image"}) {
    if (const auto digest = find_manifest(text, tag)) CHECK_THAT(is_digest(*digest));
  }
  if (const auto config = read_image_config(text)) {
    CHECK_THAT(config->stop_signal >= 1 && config->stop_signal <= 64);
  }
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// A manifest in YAML or JSON: never a crash, and comparing it with itself finds nothing.
#include <cstdint>
#include <nlohmann/json.hpp>

#include "cli/manifest.h"
#include "common/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto manifests = cli::parse_manifests("fuzz.yaml", text);
  if (!manifests) return 0;
  for (const cli::Manifest& manifest : *manifests) {
    CHECK_THAT(cli::compare(manifest.body, manifest.body).empty());
    cli::render_differences(cli::compare({}, manifest.body));
  }
  return 0;
}

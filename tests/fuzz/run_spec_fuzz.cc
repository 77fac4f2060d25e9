// SPDX-License-Identifier: Apache-2.0
// Run specifications: what can be read is written as a text that reads as the same again.
#include "node/api/run_spec.h"

#include <cstdint>

#include "common/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto spec = node::api::decode_run_spec({reinterpret_cast<const char*>(data), size});
  if (!spec) return 0;
  const auto again = node::api::decode_run_spec(encode(*spec));
  // A text that is not UTF-8 was refused, so nothing is replaced in writing.
  CHECK_THAT(again.has_value());
  CHECK_THAT(encode(*again) == encode(*spec));
  return 0;
}

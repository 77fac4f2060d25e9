// SPDX-License-Identifier: Apache-2.0
// Records of the local coordination tree: bytes as they come, and bytes under a checksum that fits,
// as a bug or a newer version would leave them. What can be read is written again as it was.
#include "common/coordination/record.h"

#include <cstdint>

#include "common/base/bytes.h"
#include "common/base/check.h"

namespace {

constexpr std::string_view kKey("a\0b", 3);

void decode_all(std::string_view bytes) {
  if (const auto node = coordination::decode_node(kKey, bytes))
    CHECK_THAT(coordination::encode(kKey, *node) == bytes);
  if (const auto session = coordination::decode_session(kKey, bytes))
    CHECK_THAT(coordination::encode(kKey, *session) == bytes);
  if (const auto state = coordination::decode_state(kKey, bytes))
    CHECK_THAT(coordination::encode(kKey, *state) == bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  decode_all(bytes);
  if (size > 0) decode_all(base::seal_record(kKey, data[0], bytes.substr(1)));
  return 0;
}

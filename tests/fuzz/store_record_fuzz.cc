// SPDX-License-Identifier: Apache-2.0
// Records of the stores: bytes as they come, and bytes under a checksum that fits, as a bug or a
// newer version would leave them. What can be read is written again as it was.
#include "common/store/record.h"

#include <cstdint>

#include "common/base/bytes.h"
#include "common/base/check.h"

namespace {

// Eight bytes, as the keys of changes have.
constexpr std::string_view kKey = "12345678";

void decode_all(std::string_view bytes) {
  if (const auto record = store::decode_record(kKey, bytes))
    CHECK_THAT(store::encode_record(kKey, record->version, record->value) == bytes);
  if (const auto change = store::decode_change(kKey, bytes))
    CHECK_THAT(store::encode_change(kKey, *change) == bytes);
  if (const auto feed = store::decode_feed(kKey, bytes))
    CHECK_THAT(store::encode_feed(kKey, *feed) == bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  decode_all(bytes);
  if (size > 0) decode_all(base::seal_record(kKey, data[0], bytes.substr(1)));
  return 0;
}

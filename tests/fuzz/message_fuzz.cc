// SPDX-License-Identifier: Apache-2.0
// Messages between replicas and the record of a group's configuration: bytes as they come, and
// bytes under a checksum that fits. What can be read is written again as it was.
#include <cstdint>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/base/crc32c.h"
#include "dfs/replication/coordination_store.h"
#include "dfs/replication/messages.h"

using namespace dfs::replication;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static_cast<void>(decode_message(bytes));
  if (const auto configuration = parse_configuration(bytes))
    CHECK_THAT(configuration_record(*configuration) == bytes);
  const std::string fits = base::ByteWriter().u32(base::crc32c(bytes)).raw(bytes).take();
  if (const auto message = decode_message(fits)) CHECK_THAT(encode_message(*message) == fits);
  return 0;
}

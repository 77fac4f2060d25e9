// SPDX-License-Identifier: Apache-2.0
// The journal's records: bytes as they come, and bytes under a checksum that fits, as a bug or a
// newer version would leave them. What can be read is written again as it was.
#include <cstdint>

#include "common/base/check.h"
#include "common/base/crc32c.h"
#include "dfs/replication/journal_format.h"

using namespace dfs::replication;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto header = decode_segment_header(bytes))
    CHECK_THAT(encode_segment_header(*header) == bytes.substr(0, kSegmentHeaderBytes));
  if (const auto header = decode_batch_header(bytes))
    static_cast<void>(decode_batch_body(*header, bytes.substr(kBatchHeaderBytes)));
  const BatchHeader fits{1, 2, static_cast<std::uint32_t>(size), base::crc32c(bytes)};
  const auto batch = decode_batch_body(fits, bytes);
  if (!batch) return 0;
  const std::string again = encode_batch(*batch, 1, 2);
  const auto header = decode_batch_header(again);
  CHECK_THAT(header.has_value());
  const auto read =
      decode_batch_body(*header, std::string_view(again).substr(kBatchHeaderBytes, header->size));
  CHECK_THAT(read && *read == *batch);
  return 0;
}

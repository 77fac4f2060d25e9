// SPDX-License-Identifier: Apache-2.0
// What a segment of the event log holds, as a damaged disk could give it back.
#include "services/event/batch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace services::event;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto header = decode_batch_header(bytes)) {
    const std::string_view whole = bytes.substr(0, kBatchHeaderBytes + header->size);
    (void)is_batch_whole("seal", *header, whole);
    if (whole.size() == kBatchHeaderBytes + header->size)
      (void)decode_events(*header, whole.substr(kBatchHeaderBytes));
  }
  // A body without a checksum in its way.
  BatchHeader header;
  header.count = size > 0 ? data[0] : 0;
  (void)decode_events(header, bytes);
  (void)decode_index("seal", bytes);
  (void)decode_trailer("seal", bytes);
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
#include "services/event/segment.h"

#include <algorithm>

namespace services::event {

base::Result<std::string_view> Window::view(std::uint64_t position, std::size_t size) {
  if (position < begin_ || position + size > begin_ + buffer_.size()) {
    buffer_.resize(std::max(size, ahead_));
    begin_ = position;
    const auto count = file_.read(position, std::span(buffer_.data(), buffer_.size()));
    if (!count) {
      buffer_.clear();
      return count.error();
    }
    buffer_.resize(*count);
  }
  return std::string_view(buffer_).substr(position - begin_, size);
}

base::Result<std::optional<BatchHeader>> read_batch(Window& window, std::string_view seal,
                                                    std::uint64_t position) {
  const auto header = decode_batch_header(TRY(window.view(position, kBatchHeaderBytes)));
  if (!header) return std::optional<BatchHeader>();
  const std::string_view bytes = TRY(window.view(position, kBatchHeaderBytes + header->size));
  if (!is_batch_whole(seal, *header, bytes)) return std::optional<BatchHeader>();
  return std::optional(*header);
}

base::Result<std::optional<FoundBatch>> find_batch(Window& window, std::string_view seal,
                                                   std::uint64_t position, std::uint64_t number,
                                                   Offset first) {
  for (;; position += kBlock) {
    const std::string_view bytes = TRY(window.view(position, kBatchHeaderBytes));
    if (bytes.size() < kBatchHeaderBytes) return std::optional<FoundBatch>();
    const auto header = decode_batch_header(bytes);
    if (!header || header->number < number || header->first < first) continue;
    const auto whole = TRY(read_batch(window, seal, position));
    if (whole) return std::optional(FoundBatch{position, *whole});
  }
}

bool is_index_due(const std::vector<IndexEntry>& index, std::uint64_t position, std::size_t every) {
  return index.empty() || position >= index.back().position + every;
}

base::Result<SegmentScan> scan_segment(base::DiskFile& file, std::string_view seal, Offset base,
                                       std::size_t index_every) {
  Window window(file, 1 << 20);
  SegmentScan scan;
  scan.next = base;
  for (;;) {
    const auto found = TRY(find_batch(window, seal, scan.end, scan.next_number, scan.next));
    if (!found) break;
    if (found->header.first != scan.next) scan.damage.push_back({scan.next, found->header.first});
    if (found->header.count > 0 && is_index_due(scan.index, found->position, index_every))
      scan.index.push_back({found->header.first, found->header.time_ms, found->position});
    scan.next = found->header.next();
    scan.last_time_ms = found->header.time_ms;
    scan.next_number = found->header.number + 1;
    scan.end = found->position + found->header.bytes();
  }
  const std::uint64_t size = TRY(file.size());
  if (size > scan.end) scan.dropped_bytes = size - scan.end;
  return scan;
}

base::Result<std::optional<Trailer>> read_trailer(base::DiskFile& file, std::string_view seal) {
  const std::uint64_t size = TRY(file.size());
  if (size < kBlock || size % kBlock != 0) return std::optional<Trailer>();
  std::string bytes(kBlock, '\0');
  const std::size_t count = TRY(file.read(size - kBlock, std::span(bytes.data(), bytes.size())));
  const auto trailer = decode_trailer(seal, std::string_view(bytes).substr(0, count));
  if (!trailer || trailer->index_position > size - kBlock) return std::optional<Trailer>();
  return std::optional(*trailer);
}

base::Result<std::vector<IndexEntry>> read_index(base::DiskFile& file, std::string_view seal,
                                                 const Trailer& trailer) {
  const std::uint64_t size = TRY(file.size());
  if (size < trailer.index_position + kBlock)
    return base::Error{base::Code::corrupt, "a segment is shorter than it says",
                       "event_log_corrupt"};
  std::string bytes(size - kBlock - trailer.index_position, '\0');
  const std::size_t count =
      TRY(file.read(trailer.index_position, std::span(bytes.data(), bytes.size())));
  return decode_index(seal, std::string_view(bytes).substr(0, count));
}

const IndexEntry* find_entry(const std::vector<IndexEntry>& index, Offset offset) {
  const auto behind = std::upper_bound(
      index.begin(), index.end(), offset,
      [](Offset wanted, const IndexEntry& entry) { return wanted < entry.offset; });
  return behind == index.begin() ? nullptr : &*(behind - 1);
}

}  // namespace services::event

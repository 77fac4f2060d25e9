// SPDX-License-Identifier: Apache-2.0
#include "dfs/replication/journal_segment.h"

#include <algorithm>

namespace dfs::replication {
namespace {

using base::Error;
using base::Result;

constexpr std::uint64_t kZeroPiece = std::uint64_t{2} << 20;
constexpr std::size_t kSearchPiece = std::size_t{1} << 20;

Result<std::string> read_at(base::DiskFile& file, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  bytes.resize(TRY(file.read(offset, bytes)));
  return bytes;
}

// A whole batch of this use of the segment, or nothing.
Result<std::optional<std::pair<BatchHeader, std::string>>> read_batch(base::DiskFile& file,
                                                                      std::uint64_t offset,
                                                                      std::uint64_t nonce) {
  const std::optional<std::pair<BatchHeader, std::string>> nothing;
  const std::string head = TRY(read_at(file, offset, kBatchHeaderBytes));
  const Result<BatchHeader> header = decode_batch_header(head);
  if (!header || header->nonce != nonce) return nothing;
  const std::uint64_t size = TRY(file.size());
  if (header->size > size - offset - kBatchHeaderBytes) return nothing;
  std::string body = TRY(read_at(file, offset + kBatchHeaderBytes, header->size));
  return std::optional(std::pair(*header, std::move(body)));
}

// Whether a batch later than `number` stands behind `offset`: then what is at `offset` was durable.
Result<bool> has_later_batch(base::DiskFile& file, std::uint64_t offset, std::uint64_t nonce,
                             std::uint64_t number) {
  const std::uint64_t size = TRY(file.size());
  for (std::uint64_t at = offset; at < size; at += kSearchPiece) {
    const std::string piece = TRY(read_at(file, at, kSearchPiece));
    for (std::size_t i = 0; i + kBatchHeaderBytes <= piece.size(); i += kJournalBlock) {
      const auto header = decode_batch_header(std::string_view(piece).substr(i));
      if (!header || header->nonce != nonce || header->number <= number) continue;
      const auto batch = TRY(read_batch(file, at + i, nonce));
      if (batch && decode_batch_body(batch->first, batch->second)) return true;
    }
  }
  return false;
}

}  // namespace

Result<bool> SegmentMaker::step() {
  if (!file_) {
    file_ = TRY(disk_.open(unfinished(), base::OpenMode::create));
    TRY(file_->truncate(0));
    const Result<void> allocated = file_->allocate(0, bytes_);
    if (!allocated && allocated.error().code != base::Code::unsupported) return allocated.error();
    return false;
  }
  if (done_ < bytes_) {
    const std::uint64_t size = std::min(kZeroPiece, bytes_ - done_);
    TRY(file_->write(done_, std::string(size, '\0')));
    done_ += size;
    if (done_ == bytes_) TRY(write_segment_header(*file_, {}));
    TRY(file_->sync());
    return false;
  }
  TRY(disk_.rename(unfinished(), folder_ + "/" + name_));
  TRY(disk_.sync_folder(folder_));
  return true;
}

void SegmentMaker::give_up() {
  file_.reset();
  // The next one writes over it where this fails.
  static_cast<void>(disk_.remove(unfinished()));
}

Result<void> write_segment_header(base::DiskFile& file, const SegmentHeader& header) {
  const std::string bytes = encode_segment_header(header);
  TRY(file.write(0, bytes));
  TRY(file.write(kJournalBlock, bytes));
  return {};
}

Result<SegmentHeader> read_segment_header(base::DiskFile& file) {
  const std::string first = TRY(read_at(file, 0, kSegmentHeaderBytes));
  const std::string second = TRY(read_at(file, kJournalBlock, kSegmentHeaderBytes));
  const Result<SegmentHeader> one = decode_segment_header(first);
  const Result<SegmentHeader> other = decode_segment_header(second);
  if (!one) return other;
  return other && other->generation > one->generation ? other : one;
}

Result<std::uint64_t> scan_segment(base::DiskFile& file, SegmentScan& scan,
                                   const std::function<Result<void>(JournalBatch)>& take) {
  const std::uint64_t end = scan.end ? *scan.end : TRY(file.size());
  std::uint64_t offset = kSegmentStart;
  while (offset + kJournalBlock <= end) {
    const auto read = TRY(read_batch(file, offset, scan.nonce));
    const bool is_next = read && read->first.number == scan.number + 1;
    Result<JournalBatch> batch = is_next ? decode_batch_body(read->first, read->second)
                                         : Error{base::Code::corrupt, "a batch is missing"};
    if (!batch) {
      const bool was_durable =
          scan.end
              ? true
              : TRY(has_later_batch(file, offset + kJournalBlock, scan.nonce, scan.number + 1));
      if (!was_durable) break;
      return Error{
          base::Code::corrupt,
          "batch " + std::to_string(scan.number + 1) + " is damaged: " + batch.error().detail,
          "journal_corrupt"};
    }
    TRY(take(*std::move(batch)));
    ++scan.number;
    offset += blocks(kBatchHeaderBytes + read->first.size);
  }
  return offset;
}

}  // namespace dfs::replication

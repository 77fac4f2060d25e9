// SPDX-License-Identifier: Apache-2.0
#include "dfs/api/frame.h"

#include <algorithm>
#include <array>

#include "common/base/bytes.h"
#include "common/base/crc32c.h"
#include "common/base/net.h"

namespace dfs {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr std::size_t kHeaderBytes = 4 + 8 + 4;
constexpr std::size_t kErrorTextMax = 1024;
constexpr std::size_t kReasonMax = 64;
constexpr std::uint32_t kErrnoMax = 4095;
constexpr std::uint8_t kLastCode = static_cast<std::uint8_t>(Code::internal);

Error corrupt(std::string detail) { return {Code::corrupt, std::move(detail), "frame_corrupt"}; }

// Reasons that one side acts upon when the other gives them.
constexpr std::array<std::string_view, 36> kKnownReasons = {
    "not_primary",        "too_few_copies",     "in_flight_full",     "stale_epoch",
    "session_unknown",    "reclaim_first",      "inode_absent",       "lock_held",
    "deadlock",           "interrupted",        "volume_unknown",     "block_corrupt",
    "quota_reached",      "device_full",        "batch_out_of_order", "group_unknown",
    "wire_value_invalid", "request_dropped",    "checksum_mismatch",  "data_invalid",
    "range_invalid",      "block_absent",       "volume_exists",      "volume_in_use",
    "snapshot_exists",    "snapshot_nested",    "snapshot_unknown",   "snapshot_too_far",
    "snapshot_timed_out", "snapshot_under_way", "too_many_snapshots", "volume_has_snapshots",
    "snapshot_read_only", "node_in_use",        "not_a_folder",       "field_invalid"};

std::string_view known_reason(std::string_view reason) {
  const auto* found = std::find(kKnownReasons.begin(), kKnownReasons.end(), reason);
  return found == kKnownReasons.end() ? std::string_view("remote_error") : *found;
}

}  // namespace

std::string encode_frame(const Frame& frame) {
  std::string bytes = base::ByteWriter()
                          .u8(kFrameVersion)
                          .u8(static_cast<std::uint8_t>(frame.type))
                          .u8(frame.kind)
                          .u8(0)
                          .u64(frame.request)
                          .u32(static_cast<std::uint32_t>(frame.body.size()))
                          .take();
  const std::uint32_t checksum = base::crc32c(frame.body, base::crc32c(bytes));
  bytes.reserve(kHeaderBytes + 4 + frame.body.size() + frame.data.size());
  bytes += base::ByteWriter().u32(checksum).bytes();
  bytes += frame.body;
  bytes += frame.data;
  return bytes;
}

Result<Frame> parse_frame(std::string_view bytes) {
  base::ByteReader reader(bytes);
  const std::uint8_t version = TRY(reader.u8());
  if (version != kFrameVersion)
    return Error{Code::unsupported,
                 "the frame has version " + std::to_string(version) + ", this side speaks 1",
                 "frame_version"};
  const std::uint8_t type = TRY(reader.u8());
  Frame frame;
  frame.kind = TRY(reader.u8());
  TRY(reader.u8());
  frame.request = TRY(reader.u64());
  const std::uint32_t size = TRY(reader.u32());
  const std::uint32_t checksum = TRY(reader.u32());
  if (type < static_cast<std::uint8_t>(FrameType::request) ||
      type > static_cast<std::uint8_t>(FrameType::notice))
    return corrupt("a frame has an unknown type");
  frame.type = static_cast<FrameType>(type);
  if (size > reader.rest().size()) return corrupt("a frame is shorter than its body");
  frame.body = reader.rest().substr(0, size);
  frame.data = reader.rest().substr(size);
  if (base::crc32c(frame.body, base::crc32c(bytes.substr(0, kHeaderBytes))) != checksum)
    return corrupt("a frame has a wrong checksum");
  return frame;
}

std::string encode_error(const Error& error) {
  return base::ByteWriter()
      .u8(static_cast<std::uint8_t>(error.code))
      .u32(static_cast<std::uint32_t>(error.os_errno))
      .text(error.reason)
      .text(std::string_view(error.detail).substr(0, kErrorTextMax))
      .take();
}

Error decode_error(std::string_view body) {
  base::ByteReader reader(body);
  Error error;
  const auto read = [&]() -> Result<void> {
    const std::uint8_t code = TRY(reader.u8());
    const std::uint32_t os_errno = TRY(reader.u32());
    const std::string_view reason = TRY(reader.text());
    const std::string_view detail = TRY(reader.text());
    TRY(reader.end());
    if (code > kLastCode || os_errno > kErrnoMax) return corrupt("an error is none");
    error = {static_cast<Code>(code), std::string(detail.substr(0, kErrorTextMax)),
             known_reason(reason), static_cast<int>(os_errno)};
    if (error.reason == "remote_error")
      error = base::prepend(reason.substr(0, kReasonMax), std::move(error));
    return {};
  };
  const Result<void> outcome = read();
  return outcome ? error : outcome.error();
}

}  // namespace dfs

// SPDX-License-Identifier: Apache-2.0
// The frame around every message of the file system's daemons and clients.
//
// Layout, big-endian: version u8 = 1 | type u8 | kind u8 (meaning by type) | 0 u8 | request u64 |
// body length u32 | CRC-32C u32 of everything before it and the body | body | data, to the end.
// 1. `data` is file content; the checksums of its blocks travel in the body and with it to the
// disk, so the frame's own does not cover it.
// 2. A frame that fails a check ends its link: what follows cannot be trusted.
// Threads: stateless.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace dfs {

inline constexpr std::uint8_t kFrameVersion = 1;

enum class FrameType : std::uint8_t {
  request = 1,
  reply,   // `kind` is that of the request
  error,   // likewise; the body is a WireError
  notice,  // has no answer; request is 0
};

struct Frame {
  FrameType type = FrameType::request;
  std::uint8_t kind = 0;
  std::uint64_t request = 0;
  std::string_view body;  // views into what was parsed
  std::string_view data;
};

std::string encode_frame(const Frame& frame);
// Errors: corrupt frame_corrupt; unsupported frame_version.
base::Result<Frame> parse_frame(std::string_view bytes);

// An error as it travels. A reason that this side does not know arrives as remote_error, with the
// reason in front of the detail.
std::string encode_error(const base::Error& error);
base::Error decode_error(std::string_view body);

}  // namespace dfs

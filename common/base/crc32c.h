// SPDX-License-Identifier: Apache-2.0
// CRC-32C (Castagnoli), the checksum of everything that we store ourselves.
//
// Threads: any. Source: RFC 3720 appendix B.4 (polynomial and test vectors).
#pragma once

#include <cstdint>
#include <string_view>

namespace base {

// The checksum of `bytes`; give the result of earlier bytes as `before` to go on from there.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);

}  // namespace base

// SPDX-License-Identifier: Apache-2.0
// Names what a block device carries by its first bytes, so that nobody's data is taken for free
// space. Pure.
// Source: blkid's superblock offsets (libblkid/src/superblocks of util-linux 2.38).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace node::preflight {

// How many bytes of a device signature_of() wants to see.
inline constexpr std::size_t kSignatureBytes = 128 << 10;

// "xfs", "ext2/3/4", "LVM2 physical volume", "partition table (GPT)", …; "unknown data" when the
// first 4 KiB are not all zero and nothing is recognised; empty for a blank device.
std::string signature_of(std::string_view head);

}  // namespace node::preflight

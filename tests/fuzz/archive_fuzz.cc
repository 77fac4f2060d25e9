// SPDX-License-Identifier: Apache-2.0
// Copies of a store in a file: whatever the bytes are, they are read to a good end or to an error
// that says where, in memory bounded by a frame. They come in pieces of the size that the first
// byte says.
#include "common/store/archive.h"

#include <algorithm>
#include <cstdint>

#include "common/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = std::size_t{data[0]} + 1;
  std::string_view left(reinterpret_cast<const char*>(data) + 1, size - 1);
  const store::ArchiveSource source = [&](std::span<char> room) -> base::Result<std::size_t> {
    const std::size_t count = std::min({piece, room.size(), left.size()});
    std::copy_n(left.begin(), count, room.begin());
    left.remove_prefix(count);
    return count;
  };
  std::uint64_t entries = 0;
  const auto read = store::read_archive(
      source, [&](std::string_view table, std::string_view key, auto) -> base::Result<void> {
        CHECK_THAT(!table.empty() && !key.empty());
        ++entries;
        return {};
      });
  if (read) CHECK_THAT(left.empty() && read->entries == entries && read->bytes == size - 1);
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// What storage servers read from disks and from each other: pages of checksums, group states,
// superblocks, log entries and their outcomes. What can be read is written again as it was.
#include <cstdint>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "dfs/storage/claim.h"
#include "dfs/storage/machine.h"
#include "dfs/storage/peer_protocol.h"

namespace {

using namespace dfs;           // NOLINT: the subject
using namespace dfs::storage;  // NOLINT: the subject

void decode_all(std::string_view bytes) {
  const std::string key = index_key(1, {2, 3});
  static_cast<void>(parse_index_key(bytes));
  if (const auto page = decode_page(key, bytes))
    CHECK_THAT(decode_page(key, encode_page(key, *page)).has_value());
  if (const auto state = decode_group_state(bytes))
    CHECK_THAT(decode_group_state(encode_group_state(*state))->epochs == state->epochs);
  if (const auto superblock = decode_superblock(bytes))
    CHECK_THAT(encode_superblock(*superblock) == bytes);
  static_cast<void>(decode_outcome(bytes));
  static_cast<void>(decode<FetchBlock>(bytes));
  static_cast<void>(decode<DeviceRoom>(bytes));
  if (const auto operation = decode_operation(bytes)) {
    std::visit(
        [&](const auto& change) { static_cast<void>(check_operation(change, operation->data)); },
        operation->change);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  decode_all(bytes);
  // Under checksums that fit, as a bug or a newer version would leave them.
  for (const std::string& key :
       {index_key(1, {2, 3}), std::string("group"), std::string("gestalt-dfs")})
    if (size > 0) decode_all(base::seal_record(key, data[0] % 4, bytes.substr(1)));
  return 0;
}

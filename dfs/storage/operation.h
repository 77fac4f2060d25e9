// SPDX-License-Identifier: Apache-2.0
// The log entries of a chunk group: a request of storage_protocol.h that changes something, with
// its data.
//
// Layout: kind u8 | request, led by its length u32 | data, to the end.
// Threads: stateless.
#pragma once

#include <variant>

#include "dfs/api/frame.h"
#include "dfs/api/storage_protocol.h"
#include "dfs/api/wire.h"

namespace dfs::storage {

using Change = std::variant<WriteObject, CutObject, PunchObject, RemoveObject, Fence>;

struct Operation {
  Change change;
  std::string_view data;  // into what was decoded
};

template <class Request>
std::string encode_operation(const Request& request, std::string_view data = {}) {
  const std::string body = encode(request);
  std::string bytes;
  bytes.reserve(1 + 4 + body.size() + data.size());
  bytes += base::ByteWriter().u8(static_cast<std::uint8_t>(Request::kKind)).text(body).bytes();
  bytes += data;
  return bytes;
}
// Errors: corrupt operation_invalid, bytes_truncated, bytes_left_over, wire_value_invalid.
base::Result<Operation> decode_operation(std::string_view bytes);

// Errors: invalid_argument range_invalid, data_invalid; corrupt checksum_mismatch.
base::Result<void> check_operation(const WriteObject& request, std::string_view data);
base::Result<void> check_operation(const CutObject& request, std::string_view data);
base::Result<void> check_operation(const PunchObject& request, std::string_view data);
base::Result<void> check_operation(const RemoveObject& request, std::string_view data);
base::Result<void> check_operation(const Fence& request, std::string_view data);
base::Result<void> check_range(std::uint64_t offset, std::uint64_t size);

// What an entry's application answers: the index, or why it had no effect.
std::string encode_outcome(const base::Result<ChangeReply>& outcome);
base::Result<ChangeReply> decode_outcome(std::string_view bytes);

}  // namespace dfs::storage

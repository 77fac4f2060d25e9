// SPDX-License-Identifier: Apache-2.0
#include "dfs/storage/operation.h"

#include <algorithm>

#include "common/base/bytes.h"
#include "common/base/crc32c.h"
#include "dfs/api/limits.h"

namespace dfs::storage {
namespace {

using base::Code;
using base::Error;
using base::Result;

template <class Request>
Result<Change> decode_change(std::string_view body) {
  Request request = TRY(decode<Request>(body));
  return Change(std::move(request));
}

Result<Change> decode_change(std::uint8_t kind, std::string_view body) {
  switch (static_cast<StorageKind>(kind)) {
    case StorageKind::write: return decode_change<WriteObject>(body);
    case StorageKind::cut: return decode_change<CutObject>(body);
    case StorageKind::punch: return decode_change<PunchObject>(body);
    case StorageKind::remove: return decode_change<RemoveObject>(body);
    case StorageKind::fence: return decode_change<Fence>(body);
    default: break;
  }
  return Error{Code::corrupt, "a log entry has an unknown kind", "operation_invalid"};
}

Result<void> check_no_data(std::string_view data) {
  if (data.empty()) return {};
  return Error{Code::invalid_argument, "the request takes no data", "data_invalid"};
}

}  // namespace

Result<Operation> decode_operation(std::string_view bytes) {
  base::ByteReader in(bytes);
  const std::uint8_t kind = TRY(in.u8());
  const std::string_view body = TRY(in.text());
  Change change = TRY(decode_change(kind, body));
  return Operation{std::move(change), in.rest()};
}

Result<void> check_range(std::uint64_t offset, std::uint64_t size) {
  if (offset > kObjectMax || size > kObjectMax - offset)
    return Error{Code::invalid_argument, "the range ends behind the largest file's end",
                 "range_invalid"};
  return {};
}

Result<void> check_operation(const WriteObject& request, std::string_view data) {
  TRY(check_range(request.offset, data.size()));
  if (data.empty() || data.size() > kDataMax)
    return Error{Code::invalid_argument, "a write has between 1 byte and 4 MiB of data",
                 "data_invalid"};
  std::size_t part = 0;
  for (std::size_t done = 0; done < data.size(); ++part) {
    const std::size_t size =
        std::min(kBlockBytes - (request.offset + done) % kBlockBytes, data.size() - done);
    if (part >= request.checksums.size() ||
        base::crc32c(data.substr(done, size)) != request.checksums[part])
      return Error{Code::corrupt, "the data does not match its checksums", "checksum_mismatch"};
    done += size;
  }
  if (part != request.checksums.size())
    return Error{Code::invalid_argument, "there are more checksums than blocks", "data_invalid"};
  return {};
}

Result<void> check_operation(const CutObject& request, std::string_view data) {
  TRY(check_range(request.size, 0));
  return check_no_data(data);
}

Result<void> check_operation(const PunchObject& request, std::string_view data) {
  TRY(check_range(request.offset, 0));
  return check_no_data(data);
}

Result<void> check_operation(const RemoveObject&, std::string_view data) {
  return check_no_data(data);
}

Result<void> check_operation(const Fence&, std::string_view data) { return check_no_data(data); }

std::string encode_outcome(const Result<ChangeReply>& outcome) {
  if (outcome) return base::ByteWriter().u8(0).u64(outcome->index).take();
  return base::ByteWriter().u8(1).raw(encode_error(outcome.error())).take();
}

Result<ChangeReply> decode_outcome(std::string_view bytes) {
  base::ByteReader in(bytes);
  const std::uint8_t failed = TRY(in.u8());
  if (failed != 0) return decode_error(in.rest());
  const std::uint64_t index = TRY(in.u64());
  return ChangeReply{index};
}

}  // namespace dfs::storage

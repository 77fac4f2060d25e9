// SPDX-License-Identifier: Apache-2.0
// What clients, metadata and storage servers say to each other: frames, errors, and each request
// and reply by its struct. What can be read is written again as it was.
#include <array>
#include <cstdint>

#include "common/base/check.h"
#include "dfs/api/frame.h"
#include "dfs/api/introduction.h"
#include "dfs/api/meta_protocol.h"
#include "dfs/api/storage_protocol.h"
#include "dfs/api/wire.h"
#include "dfs/storage/peer_protocol.h"

namespace {

using namespace dfs;           // NOLINT: the subject
using namespace dfs::storage;  // NOLINT: the subject

template <class T>
void read_one(std::string_view bytes) {
  if (const auto value = decode<T>(bytes)) CHECK_THAT(encode(*value) == bytes);
}
template <class Request>
void read_request(std::string_view bytes) {
  read_one<Request>(bytes);
  read_one<typename Request::Reply>(bytes);
}
constexpr std::array kReaders = {
    read_request<OpenSession>,   read_request<Renew>,
    read_request<CloseSession>,  read_request<Reclaim>,
    read_request<Lookup>,        read_request<GetInode>,
    read_request<ReadFolder>,    read_request<Apply>,
    read_request<ReleaseLeases>, read_request<SetLock>,
    read_request<CancelLock>,    read_request<TestLock>,
    read_request<Groups>,        read_request<VolumeUsage>,
    read_request<InodeNumbers>,  read_request<RegisterStorage>,
    read_request<ChangeGroup>,   read_one<Recall>,
    read_request<WriteObject>,   read_request<ReadObject>,
    read_request<CutObject>,     read_request<PunchObject>,
    read_request<SeekObject>,    read_request<RemoveObject>,
    read_request<Fence>,         read_request<FetchBlock>,
    read_request<DeviceRoom>,    read_one<Hello>,
    read_request<TakeObject>,
};

void read_frame(std::string_view bytes) {
  const auto frame = parse_frame(bytes);
  if (!frame) return;
  CHECK_THAT(encode_frame(*frame) == bytes);
  if (frame->type == FrameType::error) static_cast<void>(decode_error(frame->body));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  read_frame(bytes);
  if (size < 2) return 0;
  kReaders[data[0] % kReaders.size()](bytes.substr(1));
  // Under a checksum that fits.
  const std::string_view rest = bytes.substr(2);
  const std::size_t body = std::min<std::size_t>(data[1], rest.size());
  read_frame(encode_frame({static_cast<FrameType>(1 + data[0] % 4), data[1], 7,
                           rest.substr(0, body), rest.substr(body)}));
  return 0;
}

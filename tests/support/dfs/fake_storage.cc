// SPDX-License-Identifier: Apache-2.0
#include "tests/support/dfs/fake_storage.h"

#include <algorithm>

#include "common/base/crc32c.h"
#include "dfs/api/introduction.h"

namespace dfs::testing {

namespace {

std::vector<std::uint32_t> sums_of(std::string_view data, std::uint64_t offset) {
  std::vector<std::uint32_t> sums;
  while (!data.empty()) {
    const auto part = std::min<std::size_t>(data.size(), kBlockBytes - offset % kBlockBytes);
    sums.push_back(base::crc32c(data.substr(0, part)));
    data.remove_prefix(part);
    offset += part;
  }
  return sums;
}

}  // namespace

FakeStorage::FakeStorage(sim::World& world, sim::SimNet& network, const std::string& host,
                         base::Endpoint meta, Introductions introductions)
    : world_(world), host_(host), net_(network.host(host)) {
  if (introductions == Introductions::heard) net_ = hear_newest_links(std::move(net_));
  server_ = *RpcServer::listen(
      *net_, {host, 7863},
      {.request = [this](std::uint8_t kind, std::string_view body, std::string_view data,
                         Responder responder) { handle(kind, body, data, std::move(responder)); }});
  meta_ = std::make_unique<RpcClient>(*net_, world, std::move(meta));
  register_here();
}

FakeStorage::~FakeStorage() { *alive_ = false; }

void FakeStorage::register_here() {
  RegisterStorage request;
  request.node = {host_, host_, 7863};
  request.bytes_capacity = request.bytes_free = std::uint64_t{1} << 40;
  meta_->call<RegisterStorage>(request, std::chrono::seconds(1),
                               [](const base::Result<RegisterStorageReply>&, std::string_view) {});
  timer_ = world_.after(std::chrono::milliseconds(500), [this] {
    const base::TimerHandle fired = std::move(timer_);
    register_here();
  });
}

void FakeStorage::change(const ObjectPlace& place, std::uint64_t first, std::uint64_t end,
                         std::function<void(std::string&)> apply, Responder responder) {
  if (epochs == Epochs::checked && place.epoch < epochs_[place.volume])
    return responder.fail(
        {base::Code::failed_precondition, "an older epoch", "stale_epoch", ESTALE});
  for (const auto& [number, range] : under_way_)
    // What a link has left behind is carried out before what comes on the next one.
    if (range.object == place.object && range.first < end && first < range.end &&
        !range.caller.expired())
      complaint_ = "requests that overlap were under way together";
  const std::uint64_t number = next_++;
  under_way_[number] = {place.object, first, end, responder.caller()};
  const auto kept = std::make_shared<Responder>(std::move(responder));
  due_ = std::max(due_ + base::Duration(1),
                  world_.clock().now() + world_.between(std::chrono::microseconds(50), delay_max));
  world_.schedule(
      due_, [this, number, kept, apply = std::move(apply), object = place.object, alive = alive_] {
        if (!*alive) return;
        under_way_.erase(number);
        apply(objects[object]);
        ++writes;
        kept->answer_with<ChangeReply>(ChangeReply{number});
      });
}

void FakeStorage::handle(std::uint8_t kind, std::string_view body, std::string_view data,
                         Responder responder) {
  switch (static_cast<StorageKind>(kind)) {
    case StorageKind::write: {
      const WriteObject request = *decode<WriteObject>(body);
      if (request.checksums != sums_of(data, request.offset)) complaint_ = "checksums do not fit";
      return change(
          request.place, request.offset, request.offset + data.size(),
          [offset = request.offset, bytes = std::string(data)](std::string& object) {
            if (object.size() < offset + bytes.size()) object.resize(offset + bytes.size());
            object.replace(offset, bytes.size(), bytes);
          },
          std::move(responder));
    }
    case StorageKind::cut: {
      const CutObject request = *decode<CutObject>(body);
      return change(
          request.place, request.size, UINT64_MAX,
          [size = request.size](std::string& object) {
            if (object.size() > size) object.resize(size);
          },
          std::move(responder));
    }
    case StorageKind::punch: {
      const PunchObject request = *decode<PunchObject>(body);
      return change(
          request.place, request.offset, request.offset + request.size,
          [request](std::string& object) {
            for (std::uint64_t at = request.offset;
                 at < std::min<std::uint64_t>(object.size(), request.offset + request.size); ++at)
              object[at] = 0;
          },
          std::move(responder));
    }
    case StorageKind::read: {
      const ReadObject request = *decode<ReadObject>(body);
      const auto kept = std::make_shared<Responder>(std::move(responder));
      world_.schedule_after(world_.between(std::chrono::microseconds(50), delay_max),
                            [this, request, kept, alive = alive_] {
                              if (!*alive) return;
                              const std::string& object = objects[request.place.object];
                              std::string part;
                              if (request.offset < object.size())
                                part = object.substr(request.offset, request.size);
                              ReadReply reply{sums_of(part, request.offset)};
                              kept->answer(encode(reply), part);
                            });
      return;
    }
    case StorageKind::seek: {
      const SeekObject request = *decode<SeekObject>(body);
      const std::string& object = objects[request.place.object];
      SeekReply reply;
      if (request.what == SeekFor::hole) reply.offset = std::max(object.size(), request.offset);
      if (request.what == SeekFor::data && request.offset < object.size())
        reply.offset = request.offset;
      return responder.answer_with<SeekReply>(reply);
    }
    case StorageKind::remove: {
      objects.erase(decode<RemoveObject>(body)->place.object);
      return responder.answer_with<ChangeReply>(ChangeReply{next_++});
    }
    case StorageKind::fence: {
      const Fence request = *decode<Fence>(body);
      epochs_[request.volume] = std::max(epochs_[request.volume], request.epoch);
      return responder.answer_with<ChangeReply>(ChangeReply{next_++});
    }
    default: return responder.fail({base::Code::unsupported, "unknown request", "remote_error"});
  }
}

}  // namespace dfs::testing

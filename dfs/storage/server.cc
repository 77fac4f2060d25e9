// SPDX-License-Identifier: Apache-2.0
#include "dfs/storage/server.h"

#include <algorithm>

#include "common/base/crc32c.h"
#include "dfs/storage/peer_protocol.h"

namespace dfs::storage {
namespace {

using base::Code;
using base::Error;
using base::Result;
using namespace std::chrono_literals;

constexpr base::Duration kTick = 1s;
constexpr int kReadAttempts = 8;  // a read that changes overtake each time gives up

Error not_primary() {
  return {Code::unavailable, "this server does not lead the group", "not_primary"};
}

GroupNumber group_of(const Fence& fence) { return fence.group; }
template <class Request>
GroupNumber group_of(const Request& request) {
  return request.place.group;
}
std::pair<VolumeNumber, VolumeEpoch> epoch_of(const Fence& fence) {
  return {fence.volume, fence.epoch};
}
template <class Request>
std::pair<VolumeNumber, VolumeEpoch> epoch_of(const Request& request) {
  return {request.place.volume, request.place.epoch};
}

// Checksums of the parts of `data`, the whole blocks' as they were measured.
std::vector<std::uint32_t> part_sums(const ReadPlan& plan, std::string_view data) {
  static const std::uint32_t kZeros = base::crc32c(std::string(kBlockBytes, '\0'));
  std::vector<std::uint32_t> sums;
  std::uint64_t offset = plan.offset;
  for (std::size_t i = 0; !data.empty(); ++i) {
    const std::size_t size =
        std::min<std::uint64_t>(kBlockBytes - offset % kBlockBytes, data.size());
    if (size < kBlockBytes) {
      sums.push_back(base::crc32c(data.substr(0, size)));
    } else {
      sums.push_back(plan.blocks[i].kind == ReadPlan::Kind::hole ? kZeros : plan.blocks[i].sum);
    }
    data.remove_prefix(size);
    offset += size;
  }
  return sums;
}

}  // namespace

struct StorageServer::Chunk {
  GroupNumber number = 0;
  std::unique_ptr<ChunkMachine> machine;
  std::unique_ptr<replication::Group> group;
  bool is_dropped = false;
};

struct StorageServer::Reading {
  std::shared_ptr<Chunk> chunk;
  ReadObject request;
  Responder responder;
  ReadPlan plan;
  int attempts = 0;
  std::size_t mending = 0;

  Reading(std::shared_ptr<Chunk> from, const ReadObject& wanted, Responder way_back)
      : chunk(std::move(from)), request(wanted), responder(std::move(way_back)) {}
};

StorageServer::StorageServer(Parts parts, Options options)
    : parts_(std::move(parts)),
      options_(std::move(options)),
      peers_(parts_.net, parts_.timers),
      mender_(peers_, counters_.blocks) {}

StorageServer::~StorageServer() {
  *alive_ = false;
  listener_.reset();
  while (!chunks_.empty()) drop_group(chunks_.begin()->first);
}

Result<std::unique_ptr<StorageServer>> StorageServer::start(Parts parts, Options options) {
  std::unique_ptr<StorageServer> server(new StorageServer(std::move(parts), std::move(options)));
  RpcServer::Handlers handlers;
  handlers.request = [self = server.get()](std::uint8_t kind, std::string_view body,
                                           std::string_view data, Responder responder) {
    self->handle(kind, body, data, std::move(responder));
  };
  handlers.notice = [self = server.get()](const std::shared_ptr<Caller>&, std::uint8_t kind,
                                          std::string_view body, std::string_view data) {
    if (static_cast<StorageKind>(kind) == StorageKind::replicate && self->options_.on_replicate)
      self->options_.on_replicate(body, data);
  };
  server->listener_ =
      TRY(RpcServer::listen(server->parts_.net, server->options_.listen, std::move(handlers)));
  server->tell_room();
  return server;
}

void StorageServer::tell_room() {
  tick_ = parts_.timers.after(kTick, [this] { tell_room(); });
  parts_.device.measure([this, alive = alive_] {
    if (!*alive) return;
    for (const std::string& name : peers_.names()) {
      if (name == options_.node) continue;
      const DeviceRoom room{options_.node, parts_.device.is_full()};
      peers_.find(name)->call<DeviceRoom>(room, kTick,
                                          [](const Result<DeviceRoomReply>&, std::string_view) {});
    }
  });
}

Result<void> StorageServer::add_group(GroupNumber group, const MakeGroup& make) {
  if (chunks_.contains(group))
    return Error{Code::already_exists, "the group is started already", "chunk_group_exists"};
  auto chunk = std::make_shared<Chunk>();
  chunk->number = group;
  chunk->machine = TRY(ChunkMachine::open(parts_.device, group));
  chunk->group = TRY(make(group, *chunk->machine));
  chunks_.emplace(group, std::move(chunk));
  return {};
}

void StorageServer::drop_group(GroupNumber group) {
  const auto found = chunks_.find(group);
  if (found == chunks_.end()) return;
  const std::shared_ptr<Chunk> chunk = found->second;
  chunks_.erase(found);
  mender_.cancel(chunk->machine->store());
  chunk->is_dropped = true;
  chunk->group.reset();
}

std::vector<GroupNumber> StorageServer::groups() const {
  std::vector<GroupNumber> numbers;
  for (const auto& [number, chunk] : chunks_) numbers.push_back(number);
  return numbers;
}

replication::Group* StorageServer::find_group(GroupNumber group) {
  const auto found = chunks_.find(group);
  return found == chunks_.end() ? nullptr : found->second->group.get();
}

ChunkMachine* StorageServer::find_machine(GroupNumber group) {
  const auto found = chunks_.find(group);
  return found == chunks_.end() ? nullptr : found->second->machine.get();
}

std::vector<std::string> StorageServer::others(GroupNumber group) const {
  std::vector<std::string> names;
  const auto found = chunks_.find(group);
  if (found == chunks_.end()) return names;
  for (const replication::NodeId& node : found->second->group->configuration().in_sync)
    if (node.text() != options_.node) names.push_back(node.text());
  return names;
}

void StorageServer::handle(std::uint8_t kind, std::string_view body, std::string_view data,
                           Responder responder) {
  switch (static_cast<StorageKind>(kind)) {
    case StorageKind::write: return handle_change<WriteObject>(body, data, std::move(responder));
    case StorageKind::cut: return handle_change<CutObject>(body, data, std::move(responder));
    case StorageKind::punch: return handle_change<PunchObject>(body, data, std::move(responder));
    case StorageKind::remove: return handle_change<RemoveObject>(body, data, std::move(responder));
    case StorageKind::fence: return handle_change<Fence>(body, data, std::move(responder));
    case StorageKind::read: return handle_read(body, std::move(responder));
    case StorageKind::seek: return handle_seek(body, std::move(responder));
    case StorageKind::fetch_block: return handle_fetch(body, std::move(responder));
    case StorageKind::device_room: {
      const Result<DeviceRoom> room = decode<DeviceRoom>(body);
      if (!room) return responder.fail(room.error());
      full_peers_[room->node] = room->is_full;
      return responder.answer({});
    }
    default: break;
  }
  responder.fail({Code::unsupported, "the request has an unknown kind", "wire_value_invalid"});
}

Result<StorageServer::Chunk*> StorageServer::find_primary(GroupNumber group) {
  const auto found = chunks_.find(group);
  if (found == chunks_.end() || !found->second->group->is_serving()) return not_primary();
  return found->second.get();
}

Result<void> StorageServer::check_room(const Chunk& chunk) const {
  bool full = parts_.device.is_full();
  for (const replication::NodeId& node : chunk.group->configuration().in_sync) {
    const auto told = full_peers_.find(node.text());
    full = full || (told != full_peers_.end() && told->second);
  }
  if (!full) return {};
  return Error{Code::no_space, "a device of the group is full: add devices or remove files",
               "device_full", ENOSPC};
}

template <class Request>
Result<StorageServer::Chunk*> StorageServer::check_change(const Request& request,
                                                          std::string_view data) {
  Chunk* chunk = TRY(find_primary(group_of(request)));
  const auto [volume, epoch] = epoch_of(request);
  TRY(chunk->machine->check_epoch(volume, epoch));
  TRY(check_operation(request, data));
  if constexpr (std::is_same_v<Request, WriteObject>) TRY(check_room(*chunk));
  if (proposed_ + data.size() > kProposedMax)
    return Error{Code::throttled, "too much is being written at once", "in_flight_full"};
  return chunk;
}

template <class Request>
void StorageServer::handle_change(std::string_view body, std::string_view data,
                                  Responder responder) {
  const Result<Request> request = decode<Request>(body);
  if (!request) return responder.fail(request.error());
  const Result<Chunk*> chunk = check_change(*request, data);
  if (!chunk) {
    ++counters_.refused;
    if (chunk.error().reason == "stale_epoch") ++counters_.stale;
    return responder.fail(chunk.error());
  }
  ++counters_.changes;
  counters_.change_bytes += data.size();
  proposed_ += data.size();
  auto way_back = std::make_shared<Responder>(std::move(responder));
  (*chunk)->group->propose(
      encode_operation(*request, data),
      [this, alive = alive_, way_back, size = data.size()](const Result<std::string>& answer) {
        if (*alive) proposed_ -= size;
        if (!answer && answer.error().reason == "journal_full")
          return way_back->fail({Code::throttled, answer.error().detail, "in_flight_full"});
        if (!answer) return way_back->fail(answer.error());
        way_back->answer_with(decode_outcome(*answer));
      });
}

void StorageServer::handle_read(std::string_view body, Responder responder) {
  const Result<ReadObject> request = decode<ReadObject>(body);
  if (!request) return responder.fail(request.error());
  const Result<void> checked = check_range(request->offset, request->size);
  if (!checked || request->size > kDataMax)
    return responder.fail(
        {Code::invalid_argument, "a read is of at most 4 MiB within a file", "range_invalid"});
  const auto found = chunks_.find(request->place.group);
  if (found == chunks_.end() || !found->second->group->may_read())
    return responder.fail(not_primary());
  if (reading_ + request->size > kReadMax)
    return responder.fail({Code::throttled, "too much is being read at once", "in_flight_full"});
  ++counters_.reads;
  counters_.read_bytes += request->size;
  reading_ += request->size;
  go_on_reading(std::make_shared<Reading>(found->second, *request, std::move(responder)));
}

void StorageServer::go_on_reading(const std::shared_ptr<Reading>& reading) {
  const auto fail = [&](const Error& error) {
    reading_ -= reading->request.size;
    reading->responder.fail(error);
  };
  // A dropped group's machine is still there: its content is that of the moment of the request.
  if (reading->chunk->is_dropped) return fail(not_primary());
  if (++reading->attempts > kReadAttempts)
    return fail({Code::corrupt, "a block cannot be read", "block_corrupt", EIO});
  Result<ReadPlan> plan = reading->chunk->machine->store().plan_read(
      reading->request.place.object, reading->request.offset, reading->request.size);
  if (!plan) return fail(plan.error());
  reading->plan = *std::move(plan);
  const Result<bool> warm = ObjectStore::fill(reading->plan, ReadMode::cached_only);
  if (warm && *warm) return check_reading(reading);
  ++counters_.cold_reads;
  parts_.readers(
      [reading] { static_cast<void>(ObjectStore::fill(reading->plan, ReadMode::may_wait)); },
      [this, alive = alive_, reading] {
        if (*alive) check_reading(reading);
      });
}

void StorageServer::check_reading(const std::shared_ptr<Reading>& reading) {
  if (reading->chunk->is_dropped) return go_on_reading(reading);
  ObjectStore& store = reading->chunk->machine->store();
  const Result<ReadCheck> found = store.check(reading->plan);
  if (!found) {
    reading_ -= reading->request.size;
    return reading->responder.fail(found.error());
  }
  if (found->bad.empty() && !found->changed) return answer_reading(reading);
  if (found->bad.empty()) return go_on_reading(reading);
  reading->mending = found->bad.size();
  auto lost = std::make_shared<bool>(false);
  for (const BlockNumber block : found->bad) {
    mender_.mend(store, {reading->request.place.object, block}, others(reading->chunk->number),
                 [this, reading, lost](bool mended) {
                   *lost = *lost || !mended;
                   if (--reading->mending > 0) return;
                   if (!*lost) return go_on_reading(reading);
                   reading_ -= reading->request.size;
                   reading->responder.fail(
                       {Code::corrupt, "a block has no good copy left", "block_corrupt", EIO});
                 });
  }
}

void StorageServer::answer_reading(const std::shared_ptr<Reading>& reading) {
  const ReadPlan& plan = reading->plan;
  std::size_t blocks = plan.blocks.size();
  while (blocks > 0 && plan.blocks[blocks - 1].kind == ReadPlan::Kind::hole) --blocks;
  const std::size_t skipped = plan.offset % kBlockBytes;
  std::string_view data;
  if (blocks > 0)
    data = std::string_view(plan.content)
               .substr(skipped, std::min(plan.size, blocks * kBlockBytes - skipped));
  ReadReply reply;
  reply.checksums = part_sums(plan, data);
  reading_ -= reading->request.size;
  reading->responder.answer(encode(reply), data);
}

void StorageServer::handle_seek(std::string_view body, Responder responder) {
  const Result<SeekObject> request = decode<SeekObject>(body);
  if (!request) return responder.fail(request.error());
  if (request->what != SeekFor::data && request->what != SeekFor::hole)
    return responder.fail({Code::invalid_argument, "one seeks data or a hole", "range_invalid"});
  const auto found = chunks_.find(request->place.group);
  if (found == chunks_.end() || !found->second->group->may_read())
    return responder.fail(not_primary());
  const Result<std::uint64_t> offset =
      found->second->machine->store().seek(request->place.object, request->offset, request->what);
  if (!offset) return responder.fail(offset.error());
  responder.answer(encode(SeekReply{*offset}));
}

void StorageServer::handle_fetch(std::string_view body, Responder responder) {
  const Result<FetchBlock> request = decode<FetchBlock>(body);
  if (!request) return responder.fail(request.error());
  ChunkMachine* machine = find_machine(request->group);
  if (machine == nullptr) return responder.fail(not_primary());
  const auto page = machine->store().find_page({request->object, request->block / kPageBlocks});
  if (!page) return responder.fail(page.error());
  if (!*page || !(*page)->present[request->block % kPageBlocks])
    return responder.fail({Code::not_found, "the block is a hole here", "block_absent"});
  // Rare enough to wait for the device here.
  const Result<std::string> content =
      machine->store().read(request->object, request->block * kBlockBytes, kBlockBytes);
  if (!content) return responder.fail(content.error());
  responder.answer(encode(FetchBlockReply{(*page)->changed}), *content);
}

}  // namespace dfs::storage

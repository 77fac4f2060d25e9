// SPDX-License-Identifier: Apache-2.0
#include "dfs/meta/state.h"

#include <algorithm>
#include <cerrno>

#include "dfs/api/locks.h"

namespace dfs::meta {
namespace {

using base::Code;
using base::Error;
using base::Result;
using replication::Position;

constexpr std::size_t kReadFolderBytes = 1 << 20;
constexpr std::uint32_t kReadFolderMax = 4096;

}  // namespace

MetaState::MetaState(BaseStore& store, replication::DiskQueue& disk)
    : store_(store),
      table_(store),
      inodes_(table_),
      disk_(disk),
      alive_(std::make_shared<bool>(true)) {
  load();
}

MetaState::~MetaState() = default;

// What is small and asked for all the time is kept decoded.
void MetaState::load() {
  inodes_.forget();
  counters_ = {};
  volumes_.clear();
  sessions_.clear();
  groups_.clear();
  storage_.clear();
  snapshots_.clear();
  restored_.clear();
  applied_ = store_.position();
  if (const auto bytes = table_.find(counters_key())) counters_ = decode_stored<Counters>(*bytes);
  const auto each_key = [this](char kind, const auto& take) {
    Table::Walk walk(table_);
    const std::string prefix(1, kind);
    for (bool more = walk.seek(prefix); more && walk.key().front() == kind; more = walk.next())
      take(walk.key(), walk.value());
  };
  const auto each = [&each_key](char kind, const auto& take) {
    each_key(kind, [&take](std::string_view, std::string_view value) { take(value); });
  };
  each('v', [this](std::string_view value) {
    VolumeRecord record = decode_stored<VolumeRecord>(value);
    volumes_.emplace(record.volume, std::move(record));
  });
  each('s', [this](std::string_view value) {
    SessionRecord record = decode_stored<SessionRecord>(value);
    sessions_.emplace(record.session, std::move(record));
  });
  each('g', [this](std::string_view value) {
    GroupRecord record = decode_stored<GroupRecord>(value);
    groups_.emplace(record.configuration.group, std::move(record));
  });
  each('p', [this](std::string_view value) {
    const SnapshotRecord record = decode_stored<SnapshotRecord>(value);
    snapshots_.emplace(record.volume, record);
  });
  each_key('R', [this](std::string_view key, std::string_view value) {
    restored_.emplace(static_cast<VolumeNumber>(number_in_key(key)),
                      decode_stored<RestoredRecord>(value));
  });
  each('n', [this](std::string_view value) {
    StorageRecord record = decode_stored<StorageRecord>(value);
    storage_.emplace(record.node.node, std::move(record));
  });
}

// ---- applying ----

std::string MetaState::apply(const replication::Entry& entry) {
  applied_ = {entry.index, entry.epoch};
  std::string answer;
  if (entry.payload.empty()) {
    answer = encode_answer_body({});
  } else {
    const std::string_view payload = entry.payload;
    answer = dispatch(static_cast<CommandKind>(payload.front()), payload.substr(1));
  }
  inodes_.store();
  table_.keep_for(0, Table::Kept::none);
  return answer;
}

template <class Command>
std::string MetaState::run_command(std::string_view body) {
  const Result<Command> command = decode<Command>(body);
  if (!command) return encode_answer_error(command.error());
  const auto answer = run(*command);
  return answer ? encode_answer_body(encode(*answer)) : encode_answer_error(answer.error());
}

std::string MetaState::dispatch(CommandKind kind, std::string_view body) {
  switch (kind) {
    case CommandKind::apply: {
      const Result<std::string> answer = apply_batch(body);
      return answer ? encode_answer_body(*answer) : encode_answer_error(answer.error());
    }
    case CommandKind::open_session: return run_command<OpenSessionCommand>(body);
    case CommandKind::end_session: return run_command<EndSessionCommand>(body);
    case CommandKind::fence_done: return run_command<FenceDoneCommand>(body);
    case CommandKind::take_inodes: return run_command<TakeInodesCommand>(body);
    case CommandKind::set_lock: return run_command<SetLockCommand>(body);
    case CommandKind::hold_inodes: return run_command<HoldInodesCommand>(body);
    case CommandKind::create_volume: return run_command<CreateVolumeCommand>(body);
    case CommandKind::change_volume: return run_command<ChangeVolumeCommand>(body);
    case CommandKind::remove_volume: return run_command<RemoveVolumeCommand>(body);
    case CommandKind::purge_volume: return run_command<PurgeVolumeCommand>(body);
    case CommandKind::make_groups: return run_command<MakeGroupsCommand>(body);
    case CommandKind::change_group: return run_command<ChangeGroupCommand>(body);
    case CommandKind::place_copies: return run_command<PlaceCopiesCommand>(body);
    case CommandKind::register_storage: return run_command<RegisterStorageCommand>(body);
    case CommandKind::forget_storage: return run_command<ForgetStorageCommand>(body);
    case CommandKind::garbage_removed: return run_command<GarbageRemovedCommand>(body);
    case CommandKind::create_snapshot: return run_command<CreateSnapshotCommand>(body);
    case CommandKind::restore_snapshot: return run_command<RestoreSnapshotCommand>(body);
    case CommandKind::take_object: return run_command<TakeObjectCommand>(body);
  }
  return encode_answer_error({Code::unsupported,
                              "the log has a command that this version does not know",
                              "command_unknown"});
}

Result<std::string> MetaState::apply_batch(std::string_view body) {
  const Apply batch = TRY(decode<Apply>(body));
  SessionRecord* session = TRY(live_session(batch.session));
  if (batch.sequence == session->sequence && batch.sequence > 0) {
    const auto reply = table_.find(reply_key(batch.session));
    CHECK_THAT(reply.has_value());
    return std::string(*reply);
  }
  if (batch.sequence != session->sequence + 1)
    return Error{Code::failed_precondition,
                 "batch " + std::to_string(batch.sequence) + " came after batch " +
                     std::to_string(session->sequence),
                 "batch_out_of_order", EIO};
  VolumeRecord& volume = volumes_.at(session->volume);
  keep_versions(volume.volume);
  BatchChanges changes(table_, inodes_, volume, batch.session, counters_.next_inode,
                       restored_end(volume.volume));
  ApplyReply reply;
  reply.results.reserve(batch.operations.size());
  const bool is_frozen = is_snapshot(volume.volume);
  for (const MetaOp& operation : batch.operations) {
    // What is held of a snapshot stays anyway.
    const bool is_hold =
        std::holds_alternative<HoldOp>(operation) || std::holds_alternative<DropOp>(operation);
    reply.results.push_back(is_frozen
                                ? OpResult{is_hold ? 0U : static_cast<std::uint32_t>(EROFS), {}}
                                : changes.apply(operation));
  }
  session->sequence = batch.sequence;
  store_session(*session);
  store_volume(volume);
  std::string bytes = encode(reply);
  table_.put(reply_key(batch.session), bytes);
  return bytes;
}

// ---- durability ----

void MetaState::checkpoint(std::function<void(Result<Position>)> done) {
  const Position position = applied_;
  std::shared_ptr<const Changes> changes = table_.freeze();
  if (changes == nullptr)
    return done(Error{Code::failed_precondition, "a checkpoint is under way", "checkpoint_busy"});
  auto outcome = std::make_shared<Result<void>>();
  disk_.submit([&store = store_, changes = std::move(changes), position,
                outcome] { *outcome = store.write(*changes, position); },
               [this, outcome, done = std::move(done), alive = std::weak_ptr<bool>(alive_)] {
                 if (alive.expired()) return;
                 if (!*outcome) return done(outcome->error());
                 table_.adopt();
                 done(store_.position());
               });
}

void MetaState::on_role(bool is_serving) {
  if (role_changed_) role_changed_(is_serving);
}

// ---- reads ----

namespace {

Error inode_absent() {
  return {Code::not_found, "there is no such file any more", "inode_absent", ESTALE};
}

Error not_a_folder() {
  return {Code::failed_precondition, "this is not a folder", "not_a_folder", ENOTDIR};
}

// Where a session of a volume reads.
struct View {
  VolumeNumber volume = 0;
  VolumeNumber snapshot = 0;  // 0: what is now
};
View view_of(const MetaState& state, VolumeNumber volume) {
  const auto at = state.snapshots().find(volume);
  if (at == state.snapshots().end()) return {volume, 0};
  return {at->second.origin, volume};
}

// Reads decode for themselves: the inodes' cache belongs to the command that is applied.
std::optional<StoredInode> read_inode(const Table& table, const View& view, InodeNumber inode) {
  const auto bytes = table.find_at(inode_key(inode), view.snapshot);
  if (!bytes) return std::nullopt;
  return decode_stored<StoredInode>(*bytes);
}

Result<StoredInode> read_folder_inode(const Table& table, const View& view, InodeNumber inode) {
  std::optional<StoredInode> found = read_inode(table, view, inode);
  if (!found || found->volume != view.volume) return inode_absent();
  if (found->attributes.kind != FileKind::folder) return not_a_folder();
  return *std::move(found);
}

std::optional<Dentry> read_dentry(const Table& table, const View& view, InodeNumber folder,
                                  std::string_view name) {
  const auto bytes = table.find_at(dentry_key(folder, name), view.snapshot);
  if (!bytes) return std::nullopt;
  return decode_stored<Dentry>(*bytes);
}

}  // namespace

Result<std::optional<InodeRecord>> MetaState::lookup(VolumeNumber volume, InodeNumber folder,
                                                     const std::string& name) const {
  const View view = view_of(*this, volume);
  TRY(read_folder_inode(table_, view, folder));
  const auto dentry = read_dentry(table_, view, folder, name);
  if (!dentry) return std::optional<InodeRecord>();
  return std::optional<InodeRecord>(TRY(get_inode(volume, dentry->inode)));
}

Result<InodeRecord> MetaState::get_inode(VolumeNumber volume, InodeNumber inode) const {
  const View view = view_of(*this, volume);
  const std::optional<StoredInode> found = read_inode(table_, view, inode);
  if (!found || found->volume != view.volume) return inode_absent();
  InodeRecord record = inodes_.full_record(*found, view.snapshot);
  if (view.snapshot != 0) return record;
  record.shared_by = oldest_with_object(*found);
  record.is_number_used = found->attributes.object == 0 && inode < restored_end(volume);
  return record;
}

Result<ReadFolderReply> MetaState::read_folder(VolumeNumber volume, InodeNumber folder,
                                               const std::string& after,
                                               std::uint32_t entries_max) const {
  const View view = view_of(*this, volume);
  TRY(read_folder_inode(table_, view, folder));
  entries_max = std::clamp<std::uint32_t>(entries_max, 1, kReadFolderMax);
  ReadFolderReply reply;
  const std::string prefix = dentry_key(folder, "");
  std::size_t bytes = 0;
  reply.complete = true;
  table_.walk_at(
      prefix, after.empty() ? prefix : dentry_key(folder, after), view.snapshot,
      [&](std::string_view key, std::string_view value) {
        if (!after.empty() && name_in_key(key) == after) return true;
        if (reply.entries.size() >= entries_max || bytes > kReadFolderBytes)
          return reply.complete = false;
        const Dentry dentry = decode_stored<Dentry>(value);
        const std::optional<StoredInode> inode = read_inode(table_, view, dentry.inode);
        CHECK_THAT(inode.has_value());
        reply.entries.push_back({std::string(name_in_key(key)), inode->attributes, Lease::none});
        bytes += sizeof(Attributes) + reply.entries.back().name.size();
        return true;
      });
  return reply;
}

std::optional<Dentry> MetaState::find_dentry(InodeNumber folder, std::string_view name) const {
  return inodes_.find_dentry(folder, name);
}

bool MetaState::is_held_elsewhere(InodeNumber inode, SessionNumber session) const {
  const std::optional<StoredInode> found = read_inode(table_, View{}, inode);
  if (!found) return false;
  const std::uint32_t own = table_.find(hold_key(inode, session)) ? 1 : 0;
  return found->holds > own;
}

bool MetaState::inode_exists(InodeNumber inode) const {
  return table_.find(inode_key(inode)).has_value();
}

LockList MetaState::locks(InodeNumber inode) const {
  const auto bytes = table_.find(locks_key(inode));
  return bytes ? decode_stored<LockList>(*bytes) : LockList{};
}

std::vector<InodeNumber> MetaState::locked_by(SessionNumber session) const {
  std::vector<InodeNumber> inodes;
  const std::string prefix = session_lock_key(session, 0).substr(0, 9);
  Table::Walk walk(table_);
  for (bool more = walk.seek(prefix); more && walk.key().starts_with(prefix); more = walk.next())
    inodes.push_back(number_in_key(walk.key(), 9));
  return inodes;
}

std::vector<GarbageRecord> MetaState::garbage(ObjectNumber after, std::size_t count_max) const {
  std::vector<GarbageRecord> found;
  Table::Walk walk(table_);
  for (bool more = walk.seek(garbage_key(after + 1));
       more && walk.key().front() == 'o' && found.size() < count_max; more = walk.next())
    found.push_back(decode_stored<GarbageRecord>(walk.value()));
  return found;
}

const VolumeRecord* MetaState::find_volume(std::string_view name) const {
  for (const auto& [number, volume] : volumes_) {
    if (volume.name == name && !volume.is_removed) return &volume;
  }
  return nullptr;
}

}  // namespace dfs::meta

// SPDX-License-Identifier: Apache-2.0
#include "dfs/meta/state.h"

#include <fcntl.h>

#include <cerrno>

#include "tests/support/temp_folder.h"
#include "tests/unit/dfs/meta/state_rig.h"

using namespace dfs;        // NOLINT: the subject
using namespace dfs::meta;  // NOLINT: the subject
using base::Code;
using dfs::meta::testing::StateRig;

namespace {

// A volume with one session and files in its root.
struct Fixture : StateRig {
  explicit Fixture(std::unique_ptr<BaseStore> other = nullptr) : StateRig(std::move(other)) {
    root = make_volume().root;
    session = open("client");
  }
  CreateOp create_op(const std::string& name, FileKind kind = FileKind::file) {
    CreateOp op;
    op.folder = root;
    op.name = name;
    op.inode = new_inode();
    op.kind = kind;
    op.mode = 0644;
    op.time = 1000;
    return op;
  }
  InodeNumber create(const std::string& name, FileKind kind = FileKind::file) {
    const CreateOp op = create_op(name, kind);
    LONGS_EQUAL(0, apply(session, op).os_errno);
    return op.inode;
  }
  int result(MetaOp op) { return static_cast<int>(apply(session, std::move(op)).os_errno); }

  InodeNumber root = 0;
  SessionNumber session = 0;
};

SetAttributesOp resize(InodeNumber inode, std::uint64_t size) {
  SetAttributesOp op;
  op.inode = inode;
  op.size = size;
  return op;
}

}  // namespace

TEST_GROUP(MetaState){};

TEST(MetaState, names_that_cannot_be_are_refused) {
  Fixture f;
  const struct {
    std::string name;
    int expected;
  } cases[] = {{".", EINVAL},
               {"..", EINVAL},
               {"a/b", EINVAL},
               {std::string("a\0b", 3), EINVAL},
               {std::string(255, 'n'), 0},
               {std::string(256, 'n'), ENAMETOOLONG}};
  for (const auto& [name, expected] : cases) LONGS_EQUAL(expected, f.result(f.create_op(name)));
  CreateOp op = f.create_op("number");
  op.inode = 1'000'000;  // never given out
  LONGS_EQUAL(EINVAL, f.result(op));
  op.inode = f.root;
  LONGS_EQUAL(EINVAL, f.result(op));
  op = f.create_op("in nothing");
  op.folder = 4711;
  LONGS_EQUAL(ESTALE, f.result(op));
  op = f.create_op("link", FileKind::symlink);
  op.target = std::string(4096, 't');
  LONGS_EQUAL(ENAMETOOLONG, f.result(op));
  f.fsck();
}

TEST(MetaState, operations_set_the_times_that_posix_asks_for) {
  Fixture f;
  const InodeNumber file = f.create("x");
  const auto times = [&](InodeNumber inode) {
    const Attributes attributes = f.attributes(inode);
    return std::vector<TimeNs>{attributes.accessed, attributes.modified, attributes.changed};
  };
  using Times = std::vector<TimeNs>;
  CHECK_TRUE(times(f.root) == (Times{100, 1000, 1000}));
  CHECK_TRUE(times(file) == (Times{1000, 1000, 1000}));
  LONGS_EQUAL(0, f.result(LinkOp{file, f.root, "y", 2000}));
  CHECK_TRUE(times(f.root) == (Times{100, 2000, 2000}));
  CHECK_TRUE(times(file) == (Times{1000, 1000, 2000}));
  LONGS_EQUAL(0, f.result(RenameOp{f.root, "y", f.root, "z", 0, 3000}));
  CHECK_TRUE(times(f.root) == (Times{100, 3000, 3000}));
  CHECK_TRUE(times(file) == (Times{1000, 1000, 3000}));
  LONGS_EQUAL(0, f.result(RenameOp{f.root, "x", f.root, "z", 0, 4000}));  // one file: nothing
  CHECK_TRUE(times(f.root) == (Times{100, 3000, 3000}));
  LONGS_EQUAL(0, f.result(RemoveOp{f.root, "z", false, 5000}));
  CHECK_TRUE(times(file) == (Times{1000, 1000, 5000}));
  LONGS_EQUAL(0, f.result(WriteInlineOp{file, 0, "data", 6000}));
  CHECK_TRUE(times(file) == (Times{1000, 6000, 6000}));
  LONGS_EQUAL(0, f.result(SetXattrOp{file, "user.a", "1", 0, 7000}));
  CHECK_TRUE(times(file) == (Times{1000, 6000, 7000}));
  LONGS_EQUAL(0, f.result(RemoveXattrOp{file, "user.a", 8000}));
  CHECK_TRUE(times(file) == (Times{1000, 6000, 8000}));
}

TEST(MetaState, a_batch_has_one_effect_also_after_a_restart) {
  Fixture f;
  const CreateOp op = f.create_op("x");
  const auto first = f.batch(f.session, {op, op}, 1);
  LONGS_EQUAL(EEXIST, UNWRAP(first).results[1].os_errno);
  for (int i = 0; i < 2; ++i) {
    const ApplyReply again = UNWRAP(f.batch(f.session, {op, op}, 1));
    LONGS_EQUAL(0, again.results[0].os_errno);
    CHECK_TRUE(again.results[0].inode == first->results[0].inode);
    if (i == 0) f.checkpoint();
    f.restart();
  }
  CHECK_ERROR(Code::failed_precondition, "batch_out_of_order", f.batch(f.session, {}, 3));
  CHECK_OK(f.batch(f.session, {}, 2));
  CHECK_ERROR(Code::failed_precondition, "batch_out_of_order", f.batch(f.session, {op}, 1));
}

TEST(MetaState, inline_content_grows_and_is_cut) {
  Fixture f;
  const InodeNumber file = f.create("x");
  LONGS_EQUAL(0, f.result(WriteInlineOp{file, 10, "abc", 1}));
  InodeRecord record = UNWRAP(f.state->get_inode(1, file));
  CHECK_TRUE(record.content == std::string(10, '\0') + "abc");
  LONGS_EQUAL(512, record.attributes.allocated);
  LONGS_EQUAL(0, f.result(resize(file, 4096)));
  LONGS_EQUAL(13, UNWRAP(f.state->get_inode(1, file)).content.size());
  LONGS_EQUAL(EINVAL, f.result(resize(file, 4097)));
  LONGS_EQUAL(EFBIG, f.result(resize(file, kFileMax + 1)));
  LONGS_EQUAL(EINVAL, f.result(WriteInlineOp{file, 4090, "1234567", 1}));
  LONGS_EQUAL(0, f.result(resize(file, 11)));
  CHECK_TRUE(UNWRAP(f.state->get_inode(1, file)).content == std::string(10, '\0') + "a");
  LONGS_EQUAL(0, f.result(resize(file, 0)));
  LONGS_EQUAL(0, f.state->volumes().at(1).bytes_used);
  LONGS_EQUAL(EISDIR, f.result(resize(f.root, 0)));
  LONGS_EQUAL(EINVAL, f.result(resize(f.create("p", FileKind::fifo), 0)));
  f.fsck();
}

TEST(MetaState, a_file_in_chunks_remembers_its_smallest_cut_and_leaves_garbage) {
  Fixture f;
  const InodeNumber file = f.create("x");
  LONGS_EQUAL(0, f.result(WriteInlineOp{file, 0, "abc", 1}));
  LONGS_EQUAL(0, f.result(MoveToChunksOp{file, file, 3}));
  LONGS_EQUAL(0, f.result(MoveToChunksOp{file, file, 3}));
  LONGS_EQUAL(EINVAL, f.result(MoveToChunksOp{file, file + 1, 3}));
  // Of another file, which has none yet and would share it.
  const InodeNumber other = f.create("y");
  LONGS_EQUAL(EINVAL, f.result(MoveToChunksOp{other, file, 3}));
  LONGS_EQUAL(EINVAL, f.result(WriteInlineOp{file, 0, "abc", 1}));
  LONGS_EQUAL(0, f.result(resize(file, 1 << 20)));
  LONGS_EQUAL(0, f.result(resize(file, 500)));
  LONGS_EQUAL(0, f.result(resize(file, 700)));
  LONGS_EQUAL(0, f.result(resize(file, 600)));
  LONGS_EQUAL(500, f.attributes(file).cut_to);
  LONGS_EQUAL(0, f.result(CutDoneOp{file, 600}));
  LONGS_EQUAL(500, f.attributes(file).cut_to);
  LONGS_EQUAL(0, f.result(CutDoneOp{file, 500}));
  CHECK_TRUE(f.attributes(file).cut_to == kNoCut);
  LONGS_EQUAL(0, f.result(RemoveOp{f.root, "x", false, 1}));
  const auto garbage = f.state->garbage(0, 10);
  LONGS_EQUAL(1, garbage.size());
  LONGS_EQUAL(3, garbage[0].group);
  f.fsck();
  CHECK_OK(f.run(GarbageRemovedCommand{{garbage[0].object}}));
  LONGS_EQUAL(0, f.state->garbage(0, 10).size());
}

TEST(MetaState, quotas_hold_for_inodes_and_bytes) {
  Fixture f;
  ChangeVolumeCommand quota;
  quota.name = "data";
  quota.inodes_max = 3;
  quota.bytes_max = 1024;
  CHECK_OK(f.run(quota));
  const InodeNumber a = f.create("a");
  const InodeNumber b = f.create("b");
  LONGS_EQUAL(EDQUOT, f.result(f.create_op("c")));
  LONGS_EQUAL(0, f.result(WriteInlineOp{a, 0, std::string(600, 'x'), 1}));
  LONGS_EQUAL(EDQUOT, f.result(WriteInlineOp{b, 0, "x", 1}));
  CHECK_TRUE(UNWRAP(f.state->get_inode(1, b)).content.empty());
  LONGS_EQUAL(0, f.result(resize(a, 10)));
  LONGS_EQUAL(0, f.result(WriteInlineOp{b, 0, "x", 1}));
  LONGS_EQUAL(0, f.result(MoveToChunksOp{b, b, 1}));
  SetAttributesOp grow = resize(b, 1 << 20);
  grow.allocated = 1 << 20;
  LONGS_EQUAL(EDQUOT, f.result(grow));
  LONGS_EQUAL(1, f.attributes(b).size);
  LONGS_EQUAL(0, f.result(RemoveOp{f.root, "a", false, 1}));
  LONGS_EQUAL(0, f.result(f.create_op("c")));
  f.fsck();
}

TEST(MetaState, what_is_held_lives_without_a_name_until_the_session_ends) {
  Fixture f;
  const InodeNumber file = f.create("x");
  LONGS_EQUAL(0, f.result(HoldOp{file}));
  LONGS_EQUAL(0, f.result(HoldOp{file}));
  const OpResult removed = f.apply(f.session, RemoveOp{f.root, "x", false, 1});
  LONGS_EQUAL(0, removed.inode.links);
  CHECK_TRUE(f.exists(file));
  LONGS_EQUAL(ENOENT, f.result(LinkOp{file, f.root, "back", 1}));
  const SessionNumber other = f.open("other");
  LONGS_EQUAL(0, f.apply(other, HoldOp{file}).os_errno);
  f.fsck();
  LONGS_EQUAL(0, f.result(DropOp{file}));
  CHECK_TRUE(f.exists(file));
  CHECK_OK(f.run(EndSessionCommand{other}));
  CHECK_FALSE(f.exists(file));
  f.fsck();
}

TEST(MetaState, a_file_made_without_a_name_may_get_one) {
  Fixture f;
  const CreateOp op = f.create_op("");
  const CreateOp lost = f.create_op("");
  LONGS_EQUAL(0, f.result(op));
  LONGS_EQUAL(0, f.result(lost));
  f.fsck();
  LONGS_EQUAL(0, f.result(LinkOp{op.inode, f.root, "x", 1}));
  LONGS_EQUAL(1, f.attributes(op.inode).links);
  f.fsck();
  CHECK_OK(f.run(EndSessionCommand{f.session}));
  CHECK_TRUE(f.exists(op.inode));
  CHECK_FALSE(f.exists(lost.inode));
  f.fsck();
}

TEST(MetaState, attributes_are_bounded) {
  Fixture f;
  const InodeNumber file = f.create("x");
  LONGS_EQUAL(E2BIG, f.result(SetXattrOp{file, "user.a", std::string(65537, 'v'), 0, 1}));
  LONGS_EQUAL(ERANGE, f.result(SetXattrOp{file, "", "v", 0, 1}));
  LONGS_EQUAL(ERANGE, f.result(SetXattrOp{file, std::string(256, 'n'), "v", 0, 1}));
  LONGS_EQUAL(0, f.result(SetXattrOp{file, "user.a", std::string(65536, 'v'), 0, 1}));
  LONGS_EQUAL(ENOSPC, f.result(SetXattrOp{file, "user.b", std::string(65536, 'v'), 0, 1}));
  LONGS_EQUAL(0, f.result(SetXattrOp{file, "user.a", "v", 0, 1}));
  for (std::size_t i = 1; i < kXattrsMax; ++i)
    LONGS_EQUAL(0, f.result(SetXattrOp{file, "user.n" + std::to_string(i), "v", 0, 1}));
  LONGS_EQUAL(ENOSPC, f.result(SetXattrOp{file, "user.last", "v", 0, 1}));
  f.fsck();
}

TEST(MetaState, a_takeover_counts_up_and_shuts_others_out) {
  Fixture f;
  const SessionNumber second = f.open("second", "data", Takeover::exclusive);
  CHECK_FALSE(f.state->sessions().contains(f.session));
  LONGS_EQUAL(2, f.state->sessions().at(second).epoch);
  CHECK_TRUE(f.state->sessions().at(second).fence_due);
  OpenSession again;
  again.volume = "data";
  again.client = "second";
  again.takeover = Takeover::exclusive;
  LONGS_EQUAL(second, UNWRAP(f.run(OpenSessionCommand{again, 1})).session);
  LONGS_EQUAL(2, f.state->volumes().at(1).epoch);
  CHECK_OK(f.run(FenceDoneCommand{second}));
  CHECK_FALSE(f.state->sessions().at(second).fence_due);
  const SessionNumber third = f.open("third", "data", Takeover::none, 9);
  LONGS_EQUAL(9, f.state->sessions().at(third).epoch);
  ChangeVolumeCommand bump;
  bump.name = "data";
  bump.count_epoch_up = true;
  CHECK_OK(f.run(bump));
  CHECK_ERROR(Code::failed_precondition, "stale_epoch", f.batch(third, {}));
  f.fsck();
}

TEST(MetaState, a_volume_is_removed_with_all_its_files) {
  Fixture f;
  const InodeNumber folder = f.create("f", FileKind::folder);
  CreateOp below = f.create_op("x");
  below.folder = folder;
  LONGS_EQUAL(0, f.result(below));
  LONGS_EQUAL(0, f.result(MoveToChunksOp{below.inode, below.inode, 1}));
  LONGS_EQUAL(0, f.result(LinkOp{below.inode, f.root, "second name", 1}));
  CHECK_ERROR(Code::failed_precondition, "volume_in_use", f.run(RemoveVolumeCommand{"data"}));
  CHECK_OK(f.run(EndSessionCommand{f.session}));
  CHECK_OK(f.run(RemoveVolumeCommand{"data"}));
  CHECK_ERROR(Code::not_found, "volume_unknown", f.run(RemoveVolumeCommand{"data"}));
  f.make_volume("data");  // the name is free at once
  int rounds = 0;
  while (!UNWRAP(f.run(PurgeVolumeCommand{1, 1})).done) {
    f.fsck();
    CHECK_TRUE(++rounds < 10);
  }
  LONGS_EQUAL(1, f.state->garbage(0, 10).size());
  LONGS_EQUAL(1, f.state->volumes().size());
  f.fsck();
}

TEST(MetaState, volumes_are_checked) {
  StateRig rig;
  for (const char* name : {"", ".hidden", "a/b", "-x", "ü"}) {
    CreateVolumeCommand command;
    command.name = name;
    CHECK_ERROR(Code::invalid_argument, "", rig.run(command));
  }
  rig.make_volume("data");
  CreateVolumeCommand command;
  command.name = "data";
  CHECK_ERROR(Code::already_exists, "volume_exists", rig.run(command));
  command.name = "large";
  command.inline_max = kInlineMax + 1;
  CHECK_ERROR(Code::invalid_argument, "", rig.run(command));
}

TEST(MetaState, a_files_of_another_volume_are_out_of_reach) {
  Fixture f;
  const VolumeRecord other = f.make_volume("other");
  const SessionNumber session = f.open("elsewhere", "other");
  const InodeNumber file = f.create("x");
  LONGS_EQUAL(ESTALE, f.apply(session, WriteInlineOp{file, 0, "x", 1}).os_errno);
  LONGS_EQUAL(ESTALE, f.apply(session, RemoveOp{f.root, "x", false, 1}).os_errno);
  LONGS_EQUAL(ESTALE, f.apply(session, LinkOp{file, other.root, "x", 1}).os_errno);
  LONGS_EQUAL(ESTALE, f.apply(session, HoldOp{file}).os_errno);
  CHECK_ERROR(Code::not_found, "inode_absent", f.state->get_inode(other.volume, file));
  CHECK_ERROR(Code::not_found, "inode_absent", f.state->lookup(other.volume, f.root, "x"));
}

TEST(MetaState, a_group_changes_one_epoch_at_a_time) {
  StateRig rig;
  GroupRecord group;
  group.configuration = {1, 1, "a", {"a", "b"}, 0, 0};
  group.copies = {"a", "b"};
  CHECK_OK(rig.run(MakeGroupsCommand{{group}}));
  GroupConfiguration next{1, 2, "b", {"b"}, 7, 1};
  LONGS_EQUAL(2, UNWRAP(rig.run(ChangeGroupCommand{next})).epoch);
  next.primary = "c";  // late
  STRCMP_EQUAL("b", UNWRAP(rig.run(ChangeGroupCommand{next})).primary.c_str());
  next = {1, 3, "a", {"b"}, 7, 1};  // a primary that is no member
  LONGS_EQUAL(2, UNWRAP(rig.run(ChangeGroupCommand{next})).epoch);
  next.group = 2;
  CHECK_ERROR(Code::not_found, "group_unknown", rig.run(ChangeGroupCommand{next}));
  CHECK_ERROR(Code::failed_precondition, "node_in_use", rig.run(ForgetStorageCommand{"a"}));
}

TEST(MetaState, a_snapshot_brings_another_member_to_the_same_state) {
  Fixture f;
  for (int i = 0; i < 300; ++i) f.create("file" + std::to_string(i));
  f.checkpoint();
  StateRig other;
  other.make_volume("before");
  const auto source = UNWRAP(f.state->open_snapshot());
  f.create("later");
  const auto sink = UNWRAP(other.state->receive_snapshot());
  while (true) {
    const std::string piece = UNWRAP(source->next(""));
    if (piece.empty()) break;
    CHECK_OK(sink->take(piece));
  }
  CHECK_OK(sink->install(source->position()));
  CHECK_TRUE(other.state->durable() == source->position());
  for (std::size_t i = source->position().index; i < f.log.size(); ++i)
    other.state->apply(f.log[i]);
  other.fsck();
  f.checkpoint();
  other.checkpoint();
  CHECK_TRUE(f.disk.content == other.disk.content);
  CHECK_ERROR(Code::corrupt, "", UNWRAP(other.state->receive_snapshot())->take("no piece"));
}

TEST(MetaState, the_same_entries_give_the_same_state_on_every_store) {
  TempFolder folder;
  Fixture memory;
  Fixture lmdb(UNWRAP(open_lmdb_base(folder / "state", 64 << 20)));
  for (int i = 0; i < 500; ++i) {
    const std::string name = "file" + std::to_string(i % 50);
    if (i % 3 == 0) {
      LONGS_EQUAL(memory.result(RemoveOp{memory.root, name, false, i}),
                  lmdb.result(RemoveOp{lmdb.root, name, false, i}));
    } else {
      const CreateOp op = memory.create_op(name);
      lmdb.new_inode();
      LONGS_EQUAL(memory.result(op), lmdb.result(op));
    }
    if (i % 40 == 0) lmdb.checkpoint();
  }
  lmdb.checkpoint();
  lmdb.fsck();
  memory.checkpoint();
  const auto reader = UNWRAP(lmdb.store->open_reader());
  const auto cursor = reader->cursor();
  std::map<std::string, std::string, std::less<>> content;
  for (bool more = cursor->seek(""); more; more = cursor->next())
    content.emplace(cursor->key(), cursor->value());
  CHECK_TRUE(content == memory.disk.content);
}

TEST(MetaState, an_lmdb_state_is_where_it_was_after_a_restart) {
  TempFolder folder;
  replication::Position position;
  {
    Fixture f(UNWRAP(open_lmdb_base(folder / "state", 64 << 20)));
    f.create("x");
    f.checkpoint();
    position = f.state->durable();
    f.create("lost");
  }
  StateRig again(UNWRAP(open_lmdb_base(folder / "state", 64 << 20)));
  CHECK_TRUE(again.state->durable() == position);
  LONGS_EQUAL(1, UNWRAP(again.state->read_folder(1, again.state->volumes().at(1).root, "", 10))
                     .entries.size());
  again.fsck();
}

TEST(MetaState, commands_that_are_none_are_refused) {
  StateRig rig;
  for (const std::string& payload : {std::string("\x63xyz"), std::string("\x02short"),
                                     std::string("\x01"), std::string("\0", 1)})
    CHECK_FALSE(open_answer(rig.propose(payload)).has_value());
  CHECK_TRUE(open_answer(rig.propose("")).has_value());  // the group's own empty entries
  CHECK_FALSE(open_answer("").has_value());
}

TEST_GROUP(MetaFsck){};

TEST(MetaFsck, each_kind_of_damage_is_found) {
  Fixture f;
  const InodeNumber folder = f.create("f", FileKind::folder);
  const InodeNumber file = f.create("x");
  LONGS_EQUAL(0, f.result(WriteInlineOp{file, 0, "data", 1}));
  LONGS_EQUAL(0, f.result(SetXattrOp{file, "user.a", "1", 0, 1}));
  LONGS_EQUAL(0, f.result(HoldOp{file}));
  LockRange lock;
  lock.inode = file;
  lock.kind = LockKind::shared;
  CHECK_OK(f.run(SetLockCommand{f.session, lock}));
  f.checkpoint();
  f.fsck();
  const MemoryDisk good = f.disk;
  const auto damaged = [&](const std::string& key, std::optional<std::string> value) {
    f.state.reset();
    f.disk = good;
    if (value) {
      f.disk.content.insert_or_assign(key, *value);
    } else {
      CHECK_EQUAL(1U, f.disk.content.erase(key));
    }
    f.state = std::make_unique<MetaState>(*f.store, f.queue);
    return check_state(*f.state).wrong;
  };
  for (const std::string& key :
       {inode_key(file), inode_key(folder), content_key(file), xattr_key(file, "user.a"),
        dentry_key(f.root, "x"), dentry_key(f.root, "f"), hold_key(file, f.session),
        session_hold_key(f.session, file), locks_key(file), session_lock_key(f.session, file),
        reply_key(f.session), session_key(f.session)})
    CHECK_TRUE(damaged(key, std::nullopt) > 0);
  StoredInode inode = decode_stored<StoredInode>(good.content.at(inode_key(file)));
  ++inode.attributes.links;
  CHECK_TRUE(damaged(inode_key(file), encode(inode)) > 0);
  inode = decode_stored<StoredInode>(good.content.at(inode_key(file)));
  inode.attributes.allocated += 512;
  CHECK_TRUE(damaged(inode_key(file), encode(inode)) > 0);
  inode = decode_stored<StoredInode>(good.content.at(inode_key(folder)));
  inode.parent = folder;
  CHECK_TRUE(damaged(inode_key(folder), encode(inode)) > 0);
  CHECK_TRUE(damaged(orphan_key(file), "") > 0);
  CHECK_TRUE(damaged(dentry_key(folder, "loop"), encode(Dentry{folder, FileKind::folder})) > 0);
  CHECK_TRUE(damaged(content_key(folder), "x") > 0);
}

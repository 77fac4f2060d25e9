// SPDX-License-Identifier: Apache-2.0
// state_objects.cc: whose objects are whose, when snapshots make files change theirs.
#include "tests/unit/dfs/meta/state_rig.h"

using base::Code;
using namespace dfs;        // NOLINT: the subject
using namespace dfs::meta;  // NOLINT: the subject
using dfs::meta::testing::StateRig;

namespace {

std::string dump_all(const MetaState& state) {
  std::string all;
  Table::Walk walk(state.table());
  for (bool more = walk.seek(""); more; more = walk.next())
    all.append(walk.key()).append("=").append(walk.value()).append("\n");
  return all;
}

}  // namespace

TEST_GROUP(StateObjects) {
  StateRig rig;
  VolumeRecord volume = rig.make_volume();
  SessionNumber session = rig.open("a");
  SessionNumber other_session = rig.open("b");
  InodeNumber file = 0, other_file = 0;

  void setup() override {
    GroupRecord one, two;
    one.configuration.group = 1;
    two.configuration.group = 2;
    CHECK_OK(rig.run(MakeGroupsCommand{{one, two}}));
    file = create("file");
    other_file = create("other");
  }
  void teardown() override { rig.fsck(); }

  InodeNumber create(const std::string& name) {
    CreateOp op;
    op.folder = volume.root;
    op.name = name;
    op.inode = rig.new_inode();
    op.mode = 0644;
    LONGS_EQUAL(0, rig.apply(session, op).os_errno);
    return op.inode;
  }
  std::uint32_t move(SessionNumber by, InodeNumber inode, ObjectNumber object,
                     GroupNumber group = 1) {
    return rig.apply(by, MoveToChunksOp{inode, object, group}).os_errno;
  }
  base::Result<TakeObjectReply> take(SessionNumber by, InodeNumber inode, std::uint64_t attempt,
                                     GroupNumber group = 1) {
    return rig.run(TakeObjectCommand{{by, inode, group, attempt}});
  }
  ObjectNumber taken(SessionNumber by, InodeNumber inode, std::uint64_t attempt) {
    return UNWRAP(take(by, inode, attempt)).object;
  }
  VolumeNumber snapshot(const std::string& name) {
    return UNWRAP(rig.run(CreateSnapshotCommand{"data", name, 1})).volume;
  }
  void restore(const std::string& name) {
    for (const SessionNumber each : {session, other_session})
      CHECK_OK(rig.run(EndSessionCommand{each}));
    CHECK_OK(rig.run(RestoreSnapshotCommand{"data", name}));
    session = rig.open("a again");
    other_session = rig.open("b again");
  }
  InodeRecord record(InodeNumber inode) const {
    return UNWRAP(rig.state->get_inode(volume.volume, inode));
  }
  bool is_garbage(ObjectNumber object) const {
    return rig.state->table().find(garbage_key(object)).has_value();
  }
};

TEST(StateObjects, the_first_object_of_a_file_has_its_number) {
  LONGS_EQUAL(EINVAL, move(session, file, other_file));
  LONGS_EQUAL(EINVAL, move(session, file, volume.root));
  LONGS_EQUAL(EINVAL, move(session, file, rig.new_inode()));
  LONGS_EQUAL(EINVAL, move(session, file, file | kOtherObject));
  LONGS_EQUAL(EINVAL, move(session, file, 0));
  LONGS_EQUAL(0, move(session, file, file));
  LONGS_EQUAL(0, move(session, file, file));  // sent again
  LONGS_EQUAL(EINVAL, move(session, file, file, 2));
}

TEST(StateObjects, a_copy_has_the_number_that_was_given_out_for_it_and_no_other) {
  LONGS_EQUAL(0, move(session, file, file));
  snapshot("s");
  const ObjectNumber given = taken(session, file, 1);
  CHECK_TRUE((given & kOtherObject) != 0);
  LONGS_EQUAL(EINVAL, move(session, file, other_file));
  LONGS_EQUAL(EINVAL, move(session, other_file, given));
  LONGS_EQUAL(EINVAL, move(other_session, file, given));
  LONGS_EQUAL(EINVAL, move(session, file, given, 2));
  LONGS_EQUAL(EINVAL, move(session, file, given + 1));
  LONGS_EQUAL(file, record(file).attributes.object);
  LONGS_EQUAL(0, move(session, file, given));
  CHECK_TRUE(record(file).attributes.object == given);
  LONGS_EQUAL(0, move(session, file, given));  // sent again
  // It is used up, and the old one is the snapshot's.
  LONGS_EQUAL(EINVAL, move(session, file, file));
  LONGS_EQUAL(EINVAL, move(session, other_file, given));
  CHECK_FALSE(is_garbage(file));
}

TEST(StateObjects, an_attempt_that_is_sent_again_gets_the_same_number) {
  const ObjectNumber first = taken(session, file, 3);
  CHECK_TRUE(taken(session, file, 3) == first);
  CHECK_TRUE(taken(other_session, file, 3) != first);
  CHECK_TRUE(taken(session, other_file, 3) != first);
  const ObjectNumber second = taken(session, file, 4);
  CHECK_TRUE(second != first);
  CHECK_TRUE(is_garbage(first));
  CHECK_ERROR(Code::failed_precondition, "batch_out_of_order", take(session, file, 3));
  LONGS_EQUAL(EINVAL, move(session, file, first));
  LONGS_EQUAL(0, move(session, file, second));
}

TEST(StateObjects, numbers_are_for_files_of_the_volume_in_groups_that_exist) {
  CHECK_ERROR(Code::not_found, "inode_absent", take(session, volume.root, 1));
  CHECK_ERROR(Code::not_found, "inode_absent", take(session, 1000, 1));
  CHECK_ERROR(Code::not_found, "group_unknown", take(session, file, 1, 3));
  CHECK_ERROR(Code::not_found, "session_unknown", take(1000, file, 1));
  rig.make_volume("elsewhere");
  CHECK_ERROR(Code::not_found, "inode_absent", take(rig.open("c", "elsewhere"), file, 1));
}

TEST(StateObjects, what_a_session_did_not_use_is_garbage_when_it_ends) {
  const ObjectNumber unused = taken(session, file, 1);
  const ObjectNumber used = taken(session, other_file, 2);
  LONGS_EQUAL(0, move(session, other_file, used));
  const ObjectNumber of_other = taken(other_session, file, 1);
  LONGS_EQUAL(0, rig.apply(session, RemoveOp{volume.root, "file", false, 1}).os_errno);
  CHECK_OK(rig.run(EndSessionCommand{session}));
  CHECK_TRUE(is_garbage(unused));
  CHECK_FALSE(is_garbage(used));
  CHECK_FALSE(is_garbage(of_other));
  LONGS_EQUAL(ESTALE, move(other_session, file, of_other));
}

// The log is applied again after a crash, and by every other member.
TEST(StateObjects, the_log_applied_again_gives_the_same_state) {
  LONGS_EQUAL(0, move(session, file, file));
  snapshot("one");
  rig.checkpoint();
  const ObjectNumber given = taken(session, file, 1);
  taken(session, other_file, 2);
  taken(session, other_file, 3);
  LONGS_EQUAL(0, move(session, file, given));
  snapshot("two");
  taken(other_session, file, 1);
  const std::string before = dump_all(*rig.state);
  rig.restart();
  CHECK_TRUE(dump_all(*rig.state) == before);
  restore("one");
  const std::string after = dump_all(*rig.state);
  rig.restart();
  CHECK_TRUE(dump_all(*rig.state) == after);
  CHECK_TRUE(record(file).attributes.object == file);
  StateRig second;
  for (const replication::Entry& entry : rig.log) second.state->apply(entry);
  CHECK_TRUE(dump_all(*second.state) == after);
}

TEST(StateObjects, the_snapshot_that_shares_is_named_as_long_as_it_is_there) {
  LONGS_EQUAL(0, move(session, file, file));
  LONGS_EQUAL(0, record(file).shared_by);
  const VolumeNumber one = snapshot("one");
  const VolumeNumber two = snapshot("two");
  LONGS_EQUAL(one, record(file).shared_by);
  const auto change = [&] {
    SetAttributesOp op;
    op.inode = file;
    op.mode = 0600;
    LONGS_EQUAL(0, rig.apply(session, op).os_errno);
  };
  change();
  LONGS_EQUAL(one, record(file).shared_by);
  CHECK_OK(rig.run(RemoveVolumeCommand{"data@one"}));
  LONGS_EQUAL(two, record(file).shared_by);
  while (!UNWRAP(rig.run(PurgeVolumeCommand{one, 1})).done) continue;
  LONGS_EQUAL(two, record(file).shared_by);
  CHECK_OK(rig.run(RemoveVolumeCommand{"data@two"}));
  LONGS_EQUAL(0, record(file).shared_by);
  change();
  while (!UNWRAP(rig.run(PurgeVolumeCommand{two, 1})).done) continue;
  CHECK_FALSE(is_garbage(file));
  LONGS_EQUAL(0, rig.apply(session, RemoveOp{volume.root, "file", false, 1}).os_errno);
  CHECK_TRUE(is_garbage(file));
}

// "two" has the object of the file's number, and content that grows again may not go there.
TEST(StateObjects, a_file_that_was_made_small_by_a_restore_has_its_number_used) {
  WriteInlineOp write;
  write.inode = file;
  write.data = "small";
  LONGS_EQUAL(0, rig.apply(session, write).os_errno);
  snapshot("one");
  LONGS_EQUAL(0, move(session, file, file));
  snapshot("two");
  CHECK_FALSE(record(other_file).is_number_used);
  restore("one");
  STRCMP_EQUAL("small", record(file).content.c_str());
  CHECK_TRUE(record(file).is_number_used);
  LONGS_EQUAL(EINVAL, move(session, file, file));
  const ObjectNumber given = taken(session, file, 1);
  LONGS_EQUAL(0, move(session, file, given));
  CHECK_FALSE(record(file).is_number_used);
  CHECK_FALSE(is_garbage(file));
  const InodeNumber later = create("later");
  CHECK_FALSE(record(later).is_number_used);
  LONGS_EQUAL(0, move(session, later, later));
  restore("two");
  CHECK_TRUE(record(file).attributes.object == file);
  CHECK_TRUE(is_garbage(given));
}

TEST(StateObjects, the_number_of_a_file_that_a_snapshot_has_is_not_given_to_another) {
  LONGS_EQUAL(0, move(session, file, file));
  snapshot("s");
  LONGS_EQUAL(0, rig.apply(session, RemoveOp{volume.root, "file", false, 1}).os_errno);
  CHECK_FALSE(rig.exists(file));
  CreateOp again;
  again.folder = volume.root;
  again.name = "again";
  again.inode = file;
  LONGS_EQUAL(EINVAL, rig.apply(session, again).os_errno);
  again.inode = kOtherObject | file;
  LONGS_EQUAL(EINVAL, rig.apply(session, again).os_errno);
}

TEST(StateObjects, an_object_that_is_to_be_removed_is_nobodys) {
  LONGS_EQUAL(0, move(session, file, file));
  LONGS_EQUAL(0, rig.apply(session, RemoveOp{volume.root, "file", false, 1}).os_errno);
  CHECK_TRUE(is_garbage(file));
  CreateOp again;
  again.folder = volume.root;
  again.name = "again";
  again.inode = file;
  LONGS_EQUAL(0, rig.apply(session, again).os_errno);
  LONGS_EQUAL(EINVAL, move(session, file, file));
}

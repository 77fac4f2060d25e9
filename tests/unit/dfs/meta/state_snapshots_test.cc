// SPDX-License-Identifier: Apache-2.0
// Snapshots of the metadata state: what they show while the volume changes, is taken back, and
// snapshots come and go.
#include <map>
#include <random>
#include <set>

#include "tests/unit/dfs/meta/state_rig.h"

using base::Code;
using namespace dfs;
using namespace dfs::meta;
using dfs::meta::testing::StateRig;

namespace {

struct Random {
  std::mt19937_64 engine;
  std::uint64_t below(std::uint64_t end) { return engine() % end; }
};

}  // namespace

TEST_GROUP(Snapshots) {
  std::unique_ptr<StateRig> rig = std::make_unique<StateRig>();
  VolumeRecord volume = rig->make_volume();
  SessionNumber session = rig->open("c");
  TimeNs time = 1000;
  std::uint64_t attempts = 0;

  void setup() override { make_group(); }
  void make_group() {
    GroupRecord group;
    group.configuration.group = 1;
    CHECK_OK(rig->run(MakeGroupsCommand{{group}}));
  }
  CreateOp create(InodeNumber folder, const std::string& name, FileKind kind = FileKind::file) {
    CreateOp op;
    op.folder = folder;
    op.name = name;
    op.inode = rig->new_inode();
    op.kind = kind;
    op.mode = 0755;
    op.time = ++time;
    return op;
  }
  void write(InodeNumber inode, const std::string& text) {
    WriteInlineOp op;
    op.inode = inode;
    op.data = text;
    op.time = ++time;
    LONGS_EQUAL(0, rig->apply(session, op).os_errno);
  }
  ObjectNumber take_object(InodeNumber inode) {
    return UNWRAP(rig->run(TakeObjectCommand{{session, inode, 1, ++attempts}})).object;
  }
  VolumeRecord snapshot(const std::string& name) {
    return UNWRAP(rig->run(CreateSnapshotCommand{"data", name, ++time}));
  }
  void remove_snapshot(const VolumeRecord& made) {
    CHECK_OK(rig->run(RemoveVolumeCommand{made.name}));
    while (!UNWRAP(rig->run(PurgeVolumeCommand{made.volume, 3})).done) continue;
  }
  // Everything that a session of this volume can read, as text.
  std::string dump(VolumeNumber number, InodeNumber folder) const {
    std::string out;
    std::string after;
    while (true) {
      const auto page = UNWRAP(rig->state->read_folder(number, folder, after, 2));
      for (const FolderEntry& entry : page.entries) {
        const auto found = UNWRAP(rig->state->lookup(number, folder, entry.name));
        CHECK_TRUE(found.has_value());
        const Attributes& a = found->attributes;
        out += entry.name + " " + std::to_string(a.inode) + " " + std::to_string(a.size) + " " +
               std::to_string(a.modified) + " " + std::to_string(a.links) + " " +
               std::to_string(a.object) + " " + found->content;
        for (const Xattr& xattr : found->xattrs) out += " " + xattr.name + "=" + xattr.value;
        out += "\n";
        if (a.kind == FileKind::folder) out += "[" + dump(number, a.inode) + "]";
        after = entry.name;
      }
      if (page.complete) return out;
    }
  }
  void check_clean() {
    const FsckReport report = check_state(*rig->state);
    for (const std::string& problem : report.problems) UT_PRINT(problem.c_str());
    LONGS_EQUAL(0, report.wrong);
  }
};

TEST(Snapshots, show_what_was_and_the_volume_what_is) {
  const CreateOp file = create(volume.root, "a");
  LONGS_EQUAL(0, rig->apply(session, file).os_errno);
  write(file.inode, "before");
  const std::string before = dump(volume.volume, volume.root);
  const VolumeRecord made = snapshot("one");
  STRCMP_EQUAL("data@one", made.name.c_str());
  write(file.inode, "behind");
  LONGS_EQUAL(0, rig->apply(session, create(volume.root, "b")).os_errno);
  LONGS_EQUAL(0, rig->apply(session, RemoveOp{volume.root, "a", false, ++time}).os_errno);
  STRCMP_EQUAL(before.c_str(), dump(made.volume, volume.root).c_str());
  CHECK_TRUE(before != dump(volume.volume, volume.root));
  check_clean();
}

TEST(Snapshots, are_not_changed_and_keep_their_volume_from_being_removed) {
  snapshot("one");
  CHECK_ERROR(Code::already_exists, "snapshot_exists",
              rig->run(CreateSnapshotCommand{"data", "one", 1}));
  CHECK_ERROR(Code::failed_precondition, "snapshot_nested",
              rig->run(CreateSnapshotCommand{"data@one", "two", 1}));
  CHECK_ERROR(Code::invalid_argument, "field_invalid",
              rig->run(CreateSnapshotCommand{"data", "a@b", 1}));
  const SessionNumber reader = rig->open("r", "data@one");
  LONGS_EQUAL(EROFS, rig->apply(reader, create(volume.root, "x")).os_errno);
  CHECK_OK(rig->run(EndSessionCommand{reader}));
  CHECK_OK(rig->run(EndSessionCommand{session}));
  CHECK_ERROR(Code::failed_precondition, "volume_has_snapshots",
              rig->run(RemoveVolumeCommand{"data"}));
}

TEST(Snapshots, an_object_that_one_has_is_replaced_and_goes_with_the_last_one) {
  const CreateOp file = create(volume.root, "a");
  LONGS_EQUAL(0, rig->apply(session, file).os_errno);
  const ObjectNumber first = file.inode;
  LONGS_EQUAL(0, rig->apply(session, MoveToChunksOp{file.inode, first, 1}).os_errno);
  const VolumeRecord made = snapshot("one");
  LONGS_EQUAL(made.volume, UNWRAP(rig->state->get_inode(volume.volume, file.inode)).shared_by);
  const ObjectNumber second = take_object(file.inode);
  LONGS_EQUAL(0, rig->apply(session, MoveToChunksOp{file.inode, second, 1}).os_errno);
  LONGS_EQUAL(0, UNWRAP(rig->state->get_inode(volume.volume, file.inode)).shared_by);
  LONGS_EQUAL(first, UNWRAP(rig->state->get_inode(made.volume, file.inode)).attributes.object);
  LONGS_EQUAL(0, rig->apply(session, RemoveOp{volume.root, "a", false, ++time}).os_errno);
  LONGS_EQUAL(1, rig->state->garbage(0, 10).size());
  LONGS_EQUAL(second, rig->state->garbage(0, 10)[0].object);
  remove_snapshot(made);
  LONGS_EQUAL(2, rig->state->garbage(0, 10).size());
  check_clean();
}

TEST(Snapshots, a_volume_that_is_open_is_not_taken_back) {
  snapshot("one");
  CHECK_ERROR(Code::failed_precondition, "volume_in_use",
              rig->run(RestoreSnapshotCommand{"data", "one"}));
  CHECK_ERROR(Code::not_found, "snapshot_unknown",
              rig->run(RestoreSnapshotCommand{"data", "other"}));
}

// Files, folders, names, attributes, objects; snapshots made, removed and gone back to; crashes.
// Each snapshot shows to its end what the volume was when it was made, the check finds nothing
// wrong, and no object is lost or removed too early.
TEST(Snapshots, show_the_same_through_random_changes) {
  for (std::uint64_t seed = 1; seed <= 25; ++seed) {
    rig = std::make_unique<StateRig>();
    volume = rig->make_volume();
    make_group();
    session = rig->open("c");
    Random random{std::mt19937_64(seed)};
    struct Kept {
      VolumeRecord made;
      std::string shows;
    };
    std::vector<Kept> kept;
    std::set<ObjectNumber> objects;
    std::vector<InodeNumber> folders{volume.root};
    std::uint64_t names = 0;
    for (int step = 0; step < 120; ++step) {
      const InodeNumber folder = folders[random.below(folders.size())];
      const std::string name(1, static_cast<char>('a' + random.below(6)));
      const auto found = rig->state->find_dentry(folder, name);
      if (random.below(20) == 0) rig->checkpoint();
      if (random.below(20) == 0) rig->restart();
      switch (random.below(12)) {
        case 0:
        case 1:
        case 2: {
          const CreateOp op =
              create(folder, name, random.below(4) == 0 ? FileKind::folder : FileKind::file);
          if (rig->apply(session, op).os_errno == 0 && op.kind == FileKind::folder)
            folders.push_back(op.inode);
          break;
        }
        case 3:
          if (found)
            rig->apply(session, RemoveOp{folder, name, found->kind == FileKind::folder, ++time});
          break;
        case 4: {
          RenameOp op;
          op.from_folder = folder;
          op.from = name;
          op.to_folder = folders[random.below(folders.size())];
          op.to = std::string(1, static_cast<char>('a' + random.below(6)));
          op.time = ++time;
          rig->apply(session, op);
          break;
        }
        case 5:
          if (found && found->kind == FileKind::file) {
            WriteInlineOp op;
            op.inode = found->inode;
            op.data = "text " + std::to_string(step);
            op.time = ++time;
            rig->apply(session, op);
          }
          break;
        case 6:
          if (found)
            rig->apply(session,
                       SetXattrOp{found->inode, "user.x", std::to_string(step), 0, ++time});
          break;
        case 7:
          if (found && found->kind == FileKind::file) {
            const InodeRecord now = UNWRAP(rig->state->get_inode(volume.volume, found->inode));
            const bool is_own = now.attributes.object == 0 && !now.is_number_used;
            const ObjectNumber object = is_own ? found->inode : take_object(found->inode);
            objects.insert(object);
            // Some copies are broken off.
            if (!is_own && random.below(3) == 0) break;
            LONGS_EQUAL(0, rig->apply(session, MoveToChunksOp{found->inode, object, 1}).os_errno);
          }
          break;
        case 8:
        case 9: {
          const std::string shows = dump(volume.volume, volume.root);
          kept.push_back({snapshot("s" + std::to_string(++names)), shows});
          break;
        }
        case 10:
          if (!kept.empty()) {
            const std::size_t which = random.below(kept.size());
            remove_snapshot(kept[which].made);
            kept.erase(kept.begin() + static_cast<std::ptrdiff_t>(which));
          }
          break;
        default:
          if (!kept.empty()) {
            const Kept& to = kept[random.below(kept.size())];
            CHECK_OK(rig->run(EndSessionCommand{session}));
            CHECK_OK(rig->run(RestoreSnapshotCommand{"data", to.made.name.substr(5)}));
            session = rig->open("c" + std::to_string(step));
            const std::string shows = dump(volume.volume, volume.root);
            if (shows != to.shows)
              FAIL(("seed " + std::to_string(seed) + ": not as it was:\n" + shows + "instead of\n" +
                    to.shows)
                       .c_str());
          }
      }
      std::erase_if(folders, [&](InodeNumber each) { return !rig->state->inode_exists(each); });
      for (const Kept& each : kept) {
        const std::string shows = dump(each.made.volume, volume.root);
        if (shows != each.shows)
          FAIL(("seed " + std::to_string(seed) + ", step " + std::to_string(step) + ": " +
                each.made.name + " shows\n" + shows + "instead of\n" + each.shows)
                   .c_str());
      }
      check_clean();
    }
    for (const Kept& each : kept) remove_snapshot(each.made);
    CHECK_OK(rig->run(EndSessionCommand{session}));
    std::set<ObjectNumber> accounted;
    for (const GarbageRecord& garbage : rig->state->garbage(0, 10'000))
      accounted.insert(garbage.object);
    Table::Walk walk(rig->state->table());
    for (bool more = walk.seek("i"); more && walk.key().front() == 'i'; more = walk.next()) {
      const auto inode = UNWRAP(decode<StoredInode>(walk.value()));
      if (inode.attributes.object != 0) accounted.insert(inode.attributes.object);
    }
    for (const ObjectNumber object : objects)
      if (!accounted.contains(object))
        FAIL(("seed " + std::to_string(seed) + ": object " + std::to_string(object) + " is lost")
                 .c_str());
    for (bool more = walk.seek("W"); more; more = walk.next())
      CHECK_TRUE(walk.key().front() != 'W' && walk.key().front() != 'w' &&
                 walk.key().front() != 'p');
  }
}

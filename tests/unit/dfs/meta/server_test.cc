// SPDX-License-Identifier: Apache-2.0
#include "dfs/meta/server.h"

#include <cerrno>

#include "tests/unit/dfs/meta/rig.h"

using namespace std::chrono_literals;
using namespace dfs;        // NOLINT: the subject
using namespace dfs::meta;  // NOLINT: the subject
using base::Code;
using dfs::meta::testing::Client;
using dfs::meta::testing::Rig;

TEST_GROUP(MetaServer){};

TEST(MetaServer, a_session_sees_what_it_made) {
  Rig rig;
  rig.make_volume();
  Client client(rig, "a");
  const OpenSessionReply opened = UNWRAP(client.open());
  CHECK_TRUE(opened.session > 0 && opened.root >= kFirstInode);
  LONGS_EQUAL(5000, opened.lease_ms);
  const InodeNumber folder = client.create(opened.root, "folder", FileKind::folder);
  const InodeNumber file = client.create(folder, "file");
  const LookupReply found = UNWRAP(client.call(client.lookup_request(folder, "file")));
  CHECK_TRUE(found.found.has_value());
  LONGS_EQUAL(file, found.found->attributes.inode);
  CHECK_FALSE(UNWRAP(client.call(client.lookup_request(folder, "none"))).found.has_value());
  const ReadFolderReply names = UNWRAP(
      client.call(ReadFolder{opened.session, opened.root, "", 10, Lease::none, Lease::none}));
  LONGS_EQUAL(1, names.entries.size());
  CHECK_TRUE(names.complete);
  CHECK_ERROR(Code::not_found, "inode_absent",
              client.call(GetInode{opened.session, 999'999, Lease::none}));
  const auto wrong = client.call(client.lookup_request(file, "x"));
  CHECK_ERROR(Code::failed_precondition, "", wrong);
  LONGS_EQUAL(ENOTDIR, wrong.error().os_errno);
}

TEST(MetaServer, a_batch_that_is_sent_again_has_no_second_effect) {
  Rig rig;
  rig.make_volume();
  Client client(rig, "a");
  UNWRAP(client.open());
  const Apply batch = client.batch({client.create_op(client.opened.root, "x")});
  const ApplyReply first = UNWRAP(client.call(batch));
  const ApplyReply second = UNWRAP(client.call(batch));
  LONGS_EQUAL(0, first.results[0].os_errno);
  CHECK_TRUE(first.results[0].inode == second.results[0].inode);
  Apply late = batch;
  late.sequence = 7;
  CHECK_ERROR(Code::failed_precondition, "batch_out_of_order", client.call(late));
}

TEST(MetaServer, an_opening_that_is_sent_again_finds_its_session) {
  Rig rig;
  rig.make_volume();
  Client client(rig, "a");
  const SessionNumber session = UNWRAP(client.open()).session;
  LONGS_EQUAL(session, UNWRAP(client.open()).session);
  CHECK_ERROR(Code::not_found, "volume_unknown", client.open("other"));
}

TEST(MetaServer, a_write_lease_is_recalled_before_another_reads) {
  Rig rig;
  rig.make_volume();
  Client a(rig, "a"), b(rig, "b");
  UNWRAP(a.open());
  UNWRAP(b.open());
  const InodeNumber file = a.create(a.opened.root, "x");
  const GetInodeReply got = UNWRAP(a.call(GetInode{a.opened.session, file, Lease::write}));
  CHECK_TRUE(got.lease == Lease::write);
  a.answers_recalls = false;
  const auto answer = b.send(GetInode{b.opened.session, file, Lease::read});
  rig.world.run_for(1s);
  CHECK_FALSE(answer->has_value());
  LONGS_EQUAL(1, a.recalled.size());
  CHECK_TRUE(a.recalled[0].lease == Lease::read);
  // What it had in memory comes first.
  SetAttributesOp grow;
  grow.inode = file;
  grow.mode = 0600;
  LONGS_EQUAL(0, a.apply(grow).os_errno);
  a.release({{file, Lease::read, false}});
  rig.world.run_for(1s);
  CHECK_TRUE(answer->has_value());
  const GetInodeReply read = UNWRAP(**answer);
  LONGS_EQUAL(0600, read.inode.attributes.mode);
  CHECK_TRUE(read.lease == Lease::read);
}

TEST(MetaServer, who_asks_for_an_inode_to_change_it_waits_for_those_who_read) {
  Rig rig;
  rig.make_volume();
  Client a(rig, "a"), b(rig, "b");
  UNWRAP(a.open());
  UNWRAP(b.open());
  UNWRAP(a.call(GetInode{a.opened.session, a.opened.root, Lease::read}));
  a.answers_recalls = false;
  const auto answer = b.send(GetInode{b.opened.session, b.opened.root, Lease::write});
  rig.world.run_for(1s);
  CHECK_FALSE(answer->has_value());
  a.release({{a.opened.root, Lease::none, false}});
  rig.world.run_for(1s);
  CHECK_TRUE(answer->has_value());
  CHECK_TRUE(UNWRAP(**answer).lease == Lease::write);
}

TEST(MetaServer, a_change_recalls_the_reads_of_others) {
  Rig rig;
  rig.make_volume();
  Client a(rig, "a"), b(rig, "b");
  UNWRAP(a.open());
  UNWRAP(b.open());
  const InodeNumber root = a.opened.root;
  const LookupReply nothing = UNWRAP(b.call(b.lookup_request(root, "x", Lease::read, Lease::read)));
  CHECK_TRUE(nothing.folder == Lease::read);
  a.create(root, "x");
  LONGS_EQUAL(1, b.recalled.size());
  LONGS_EQUAL(root, b.recalled[0].inode);
  CHECK_TRUE(b.recalled[0].lease == Lease::none);
}

TEST(MetaServer, what_is_made_in_an_own_folder_is_leased) {
  Rig rig;
  rig.make_volume();
  Client a(rig, "a"), b(rig, "b");
  UNWRAP(a.open());
  UNWRAP(b.open());
  const InodeNumber root = a.opened.root;
  CHECK_TRUE(UNWRAP(a.call(GetInode{a.opened.session, root, Lease::write})).lease == Lease::write);
  const CreateOp folder = a.create_op(root, "f", FileKind::folder);
  CreateOp file = a.create_op(folder.inode, "x");
  UNWRAP(a.call(a.batch({folder, file})));
  UNWRAP(b.call(b.lookup_request(folder.inode, "x")));
  LONGS_EQUAL(2, a.recalled.size());
}

TEST(MetaServer, a_silent_session_is_ended_and_its_leases_go) {
  Rig rig;
  rig.make_volume();
  Client a(rig, "a"), b(rig, "b");
  UNWRAP(a.open());
  UNWRAP(b.open());
  b.keep_alive();
  const InodeNumber file = a.create(a.opened.root, "x");
  UNWRAP(a.call(GetInode{a.opened.session, file, Lease::write}));
  LockRange lock;
  lock.inode = file;
  lock.kind = LockKind::exclusive;
  CHECK_OK(a.call(SetLock{a.opened.session, lock, false, 1}));
  a.answers_recalls = false;
  const base::Instant begin = rig.world.clock().now();
  CHECK_OK(b.call(GetInode{b.opened.session, file, Lease::write}));
  CHECK_OK(b.call(SetLock{b.opened.session, lock, true, 1}));
  const base::Duration waited = rig.world.clock().now() - begin;
  CHECK_TRUE(waited > 5s && waited < 6s);
  CHECK_ERROR(Code::not_found, "session_unknown", a.call(Renew{a.opened.session}));
}

TEST(MetaServer, who_keeps_a_recalled_lease_is_ended_although_it_renews) {
  Rig rig;
  rig.make_volume();
  Client a(rig, "a"), b(rig, "b");
  UNWRAP(a.open());
  UNWRAP(b.open());
  a.keep_alive();
  b.keep_alive();
  const InodeNumber file = a.create(a.opened.root, "x");
  UNWRAP(a.call(GetInode{a.opened.session, file, Lease::write}));
  a.answers_recalls = false;
  const base::Instant begin = rig.world.clock().now();
  CHECK_OK(b.call(GetInode{b.opened.session, file, Lease::read}, 60s));
  const base::Duration waited = rig.world.clock().now() - begin;
  CHECK_TRUE(waited > 25s && waited < 27s);
}

TEST(MetaServer, a_takeover_ends_the_sessions_of_others) {
  Rig rig;
  rig.make_volume();
  Client a(rig, "a"), b(rig, "b");
  const VolumeEpoch before = UNWRAP(a.open()).epoch;
  const Apply late = a.batch({a.create_op(a.opened.root, "x")});
  const VolumeEpoch after = UNWRAP(b.open("data", Takeover::exclusive)).epoch;
  CHECK_TRUE(after == before + 1);
  CHECK_ERROR(Code::not_found, "session_unknown", a.call(late));
  Client c(rig, "c");
  CHECK_ERROR(Code::failed_precondition, "stale_epoch", c.open("data", Takeover::none, before));
}

TEST(MetaServer, after_a_restart_sessions_reclaim_before_anything_is_answered) {
  Rig rig;
  rig.make_volume();
  Client a(rig, "a"), b(rig, "b");
  UNWRAP(a.open());
  UNWRAP(b.open());
  b.keep_alive();
  a.keep_alive();
  const InodeNumber file = a.create(a.opened.root, "x");
  UNWRAP(a.call(GetInode{a.opened.session, file, Lease::write}));
  rig.stop();
  rig.start();
  CHECK_ERROR(Code::failed_precondition, "reclaim_first", b.call(Renew{b.opened.session}));
  CHECK_OK(b.call(Reclaim{b.opened.session, {}, true}));
  const auto answer = b.send(GetInode{b.opened.session, file, Lease::read});
  rig.world.run_for(1s);
  CHECK_FALSE(answer->has_value());
  CHECK_OK(a.call(Reclaim{a.opened.session, {{file, Lease::write}}, true}));
  rig.world.run_for(1s);
  LONGS_EQUAL(1, a.recalled.size());
  CHECK_TRUE(answer->has_value());
  CHECK_OK(**answer);
}

TEST(MetaServer, a_file_that_another_removes_lives_while_it_is_open) {
  Rig rig;
  rig.make_volume();
  Client a(rig, "a"), b(rig, "b");
  UNWRAP(a.open());
  UNWRAP(b.open());
  const InodeNumber file = a.create(a.opened.root, "x");
  UNWRAP(a.call(GetInode{a.opened.session, file, Lease::read}));
  a.answers_recalls = false;
  RemoveOp remove;
  remove.folder = b.opened.root;
  remove.name = "x";
  const auto removed = b.send(b.batch({remove}));
  rig.world.run_for(1s);
  CHECK_FALSE(removed->has_value());
  a.release({{file, Lease::none, true}});
  rig.world.run_for(1s);
  CHECK_TRUE(removed->has_value());
  LONGS_EQUAL(0,
              UNWRAP(a.call(GetInode{a.opened.session, file, Lease::none})).inode.attributes.links);
  LONGS_EQUAL(0, a.apply(DropOp{file}).os_errno);
  CHECK_ERROR(Code::not_found, "inode_absent",
              a.call(GetInode{a.opened.session, file, Lease::none}));
}

TEST(MetaServer, who_gets_the_write_lease_hears_whether_another_has_the_file_open) {
  Rig rig;
  rig.make_volume();
  Client a(rig, "a"), b(rig, "b");
  UNWRAP(a.open());
  UNWRAP(b.open());
  const InodeNumber root = a.opened.root;
  const InodeNumber file = a.create(root, "x");
  const GetInode wanted{a.opened.session, file, Lease::write};
  const auto by_name = [&](Client& client) {
    return UNWRAP(client.call(client.lookup_request(root, "x", Lease::none, Lease::write)))
        .found->is_open_elsewhere;
  };
  CHECK_FALSE(UNWRAP(a.call(wanted)).inode.is_open_elsewhere);
  CHECK_FALSE(by_name(a));
  // Its own word that it has it open does not count for itself.
  LONGS_EQUAL(0, a.apply(HoldOp{file}).os_errno);
  CHECK_FALSE(UNWRAP(a.call(wanted)).inode.is_open_elsewhere);
  CHECK_TRUE(by_name(b));
  // Held with the lease given back.
  b.release({{file, Lease::none, true}});
  rig.world.run_for(1s);
  CHECK_TRUE(UNWRAP(a.call(wanted)).inode.is_open_elsewhere);
  CHECK_TRUE(by_name(a));
  LONGS_EQUAL(0, b.apply(DropOp{file}).os_errno);
  CHECK_FALSE(UNWRAP(a.call(wanted)).inode.is_open_elsewhere);
}

TEST(MetaServer, a_wait_for_a_lock_that_is_given_up_before_it_comes_ends) {
  Rig rig;
  rig.make_volume();
  Client a(rig, "a"), b(rig, "b");
  UNWRAP(a.open());
  UNWRAP(b.open());
  LockRange lock{a.create(a.opened.root, "x"), LockFlavour::posix, LockKind::exclusive, 1};
  CHECK_OK(a.call(SetLock{a.opened.session, lock, false, 1}));
  CHECK_OK(b.call(CancelLock{b.opened.session, 5}));
  CHECK_ERROR(Code::failed_precondition, "interrupted",
              b.call(SetLock{b.opened.session, lock, true, 5}));
  // While it is on its way to the log.
  const auto under_way = b.send(SetLock{b.opened.session, lock, true, 6});
  const auto cancelled = b.send(CancelLock{b.opened.session, 6});
  rig.world.run_for(1s);
  CHECK_TRUE(under_way->has_value() && cancelled->has_value());
  CHECK_ERROR(Code::failed_precondition, "interrupted", **under_way);
  // And again, as over a new link.
  CHECK_ERROR(Code::failed_precondition, "interrupted",
              b.call(SetLock{b.opened.session, lock, true, 6}));
  CHECK_ERROR(Code::throttled, "lock_held", b.call(SetLock{b.opened.session, lock, false, 7}));
}

TEST(MetaServer, locks_wait_in_order_and_a_ring_is_found) {
  Rig rig;
  rig.make_volume();
  Client a(rig, "a"), b(rig, "b"), c(rig, "c");
  for (Client* client : {&a, &b, &c}) UNWRAP(client->open());
  for (Client* client : {&a, &b, &c}) client->keep_alive();
  LockRange one{a.create(a.opened.root, "1"), LockFlavour::posix, LockKind::exclusive, 1};
  LockRange two{a.create(a.opened.root, "2"), LockFlavour::posix, LockKind::exclusive, 1};
  CHECK_OK(a.call(SetLock{a.opened.session, one, false, 1}));
  CHECK_OK(b.call(SetLock{b.opened.session, two, false, 1}));
  CHECK_ERROR(Code::throttled, "lock_held", b.call(SetLock{b.opened.session, one, false, 2}));
  const auto waiting = b.send(SetLock{b.opened.session, one, true, 3});
  rig.world.run_for(100ms);
  CHECK_FALSE(waiting->has_value());
  CHECK_ERROR(Code::failed_precondition, "deadlock",
              a.call(SetLock{a.opened.session, two, true, 4}));
  const auto third = c.send(SetLock{c.opened.session, one, true, 5});
  const auto fourth = c.send(SetLock{c.opened.session, two, true, 6});
  rig.world.run_for(100ms);
  CHECK_OK(c.call(CancelLock{c.opened.session, 6}));
  CHECK_ERROR(Code::failed_precondition, "interrupted", **fourth);
  LockRange off = one;
  off.kind = LockKind::unlock;
  CHECK_OK(a.call(SetLock{a.opened.session, off, false, 7}));
  rig.world.run_for(100ms);
  CHECK_TRUE(waiting->has_value());
  CHECK_FALSE(third->has_value());
  const TestLockReply test = UNWRAP(a.call(TestLock{a.opened.session, one}));
  CHECK_TRUE(test.held.has_value());
  CHECK_OK(b.call(SetLock{b.opened.session, off, false, 8}));
  rig.world.run_for(100ms);
  CHECK_TRUE(third->has_value());
}

TEST(MetaServer, who_is_alone_with_its_locks_hears_it_and_is_asked_before_others_lock) {
  Rig rig;
  rig.make_volume();
  Client a(rig, "a"), b(rig, "b");
  UNWRAP(a.open());
  UNWRAP(b.open());
  const InodeNumber file = a.create(a.opened.root, "x");
  LockRange lock{file, LockFlavour::posix, LockKind::exclusive, 1, 0, 9};
  // Without the lease others could lock without its knowing.
  CHECK_FALSE(UNWRAP(b.call(SetLock{b.opened.session, lock, false, 1})).is_alone);
  CHECK_TRUE(UNWRAP(a.call(GetInode{a.opened.session, file, Lease::write})).lease == Lease::write);
  const LockRange apart{file, LockFlavour::posix, LockKind::exclusive, 1, 10, 19};
  CHECK_FALSE(UNWRAP(a.call(SetLock{a.opened.session, apart, false, 1})).is_alone);
  LockRange off = lock;
  off.kind = LockKind::unlock;
  CHECK_OK(b.call(SetLock{b.opened.session, off, false, 2}));
  CHECK_TRUE(UNWRAP(a.call(SetLock{a.opened.session, apart, false, 2})).is_alone);
  a.answers_recalls = false;
  const auto other = b.send(SetLock{b.opened.session, lock, false, 3});
  const auto test = b.send(TestLock{b.opened.session, lock});
  rig.world.run_for(1s);
  CHECK_FALSE(other->has_value() || test->has_value());
  // What it decided meanwhile comes first.
  CHECK_FALSE(UNWRAP(a.call(SetLock{a.opened.session, lock, false, 3})).is_alone);
  a.release({{file, Lease::read, false}});
  rig.world.run_for(1s);
  CHECK_TRUE(other->has_value() && test->has_value());
  CHECK_ERROR(Code::throttled, "lock_held", **other);
  CHECK_TRUE(UNWRAP(**test).held.has_value());
}

TEST(MetaServer, who_does_not_lead_says_so) {
  Rig rig;
  rig.make_volume();
  Client a(rig, "a");
  UNWRAP(a.open());
  rig.group->set_serving(false);
  CHECK_ERROR(Code::unavailable, "not_primary", a.call(Renew{a.opened.session}));
  CHECK_ERROR(Code::unavailable, "not_primary", a.call(Groups{}));
}

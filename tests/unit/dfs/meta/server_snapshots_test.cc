// SPDX-License-Identifier: Apache-2.0
// server_snapshots.cc: the instant of a snapshot.
#include <algorithm>

#include "tests/unit/dfs/meta/rig.h"

using namespace std::chrono_literals;
using namespace dfs;        // NOLINT: the subject
using namespace dfs::meta;  // NOLINT: the subject
using base::Code;
using base::Result;
using dfs::meta::testing::Client;
using dfs::meta::testing::Rig;

TEST_GROUP(ServerSnapshots) {
  Rig rig;
  std::unique_ptr<Client> client;
  InodeNumber file = 0;
  std::optional<Result<std::string>> answer;

  void setup() override {
    rig.make_volume();
    client = std::make_unique<Client>(rig, "a");
    UNWRAP(client->open());
    client->keep_alive();
    file = client->create(client->opened.root, "x");
    CHECK_TRUE(UNWRAP(client->call(GetInode{client->opened.session, file, Lease::write})).lease ==
               Lease::write);
  }
  void teardown() override { client.reset(); }
  void begin(const std::string& name) {
    rig.server->snapshot({"data", name, 1}, [this](Result<std::string> got) { answer = got; });
  }
  bool is_made() { return answer && answer->has_value() && decode_answer<VolumeRecord>(**answer); }
};

TEST(ServerSnapshots, wait_until_every_lease_was_given_back) {
  client->answers_recalls = false;
  begin("s");
  rig.world.run_for(1s);
  CHECK_FALSE(answer.has_value());
  CHECK_TRUE(client->recalled.size() > 0);
  // What would give a lease waits, what brings changes does not.
  const auto read = client->send(GetInode{client->opened.session, file, Lease::read});
  WriteInlineOp op;
  op.inode = file;
  op.data = "flushed";
  LONGS_EQUAL(0, client->apply(op).os_errno);
  rig.world.run_for(1s);
  CHECK_FALSE(read->has_value());
  for (const LeaseClaim& claim : client->recalled)
    client->release({{claim.inode, claim.lease, false}});
  CHECK_TRUE(rig.world.run_until([&] { return answer.has_value(); }));
  CHECK_TRUE(is_made());
  CHECK_TRUE(rig.world.run_until([&] { return read->has_value(); }));
  CHECK_OK(**read);
  Client reader(rig, "r");
  UNWRAP(reader.open("data@s"));
  const LookupReply found = UNWRAP(reader.call(reader.lookup_request(reader.opened.root, "x")));
  STRCMP_EQUAL("flushed", found.found->content.c_str());
}

TEST(ServerSnapshots, give_up_on_a_client_that_keeps_its_leases) {
  client->answers_recalls = false;
  begin("s");
  CHECK_TRUE(rig.world.run_until([&] { return answer.has_value(); }));
  CHECK_ERROR(Code::timed_out, "snapshot_timed_out", *answer);
  CHECK_OK(client->call(VolumeUsage{client->opened.session}));
}

TEST(ServerSnapshots, are_made_one_at_a_time) {
  client->answers_recalls = false;
  begin("one");
  std::optional<Result<std::string>> second;
  rig.server->snapshot({"data", "two", 1}, [&](Result<std::string> got) { second = got; });
  CHECK_ERROR(Code::failed_precondition, "snapshot_under_way", *second);
  CHECK_TRUE(rig.world.run_until([&] { return answer.has_value(); }));
}

TEST(ServerSnapshots, readers_of_one_hold_nobody_up) {
  begin("s");
  CHECK_TRUE(rig.world.run_until([&] { return answer.has_value(); }));
  CHECK_TRUE(is_made());
  Client reader(rig, "r");
  UNWRAP(reader.open("data@s"));
  const auto got = UNWRAP(reader.call(GetInode{reader.opened.session, file, Lease::read}));
  CHECK_TRUE(got.lease == Lease::read);
  WriteInlineOp op;
  op.inode = file;
  op.data = "later";
  LONGS_EQUAL(0, client->apply(op).os_errno);
  LONGS_EQUAL(0, reader.recalled.size());
  STRCMP_EQUAL("", UNWRAP(reader.call(GetInode{reader.opened.session, file, Lease::read}))
                       .inode.content.c_str());
}

// The client takes it for granted that what it makes is its own; it has to give that back as well.
TEST(ServerSnapshots, wait_for_what_was_made_while_they_wait) {
  const InodeNumber root = client->opened.root;
  CHECK_TRUE(UNWRAP(client->call(client->lookup_request(root, "x", Lease::write))).folder ==
             Lease::write);
  client->answers_recalls = false;
  begin("s");
  rig.world.run_for(100ms);
  const InodeNumber made = client->create(root, "y");
  const auto is_recalled = [&](InodeNumber inode) {
    return std::any_of(client->recalled.begin(), client->recalled.end(),
                       [&](const LeaseClaim& claim) { return claim.inode == inode; });
  };
  CHECK_TRUE(rig.world.run_until([&] { return is_recalled(made); }, 5s));
  for (const InodeNumber inode : {root, file}) client->release({{inode, Lease::none, false}});
  rig.world.run_for(1s);
  CHECK_FALSE(answer.has_value());
  client->release({{made, Lease::none, false}});
  CHECK_TRUE(rig.world.run_until([&] { return answer.has_value(); }, 5s));
  CHECK_TRUE(is_made());
}

TEST(ServerSnapshots, wait_for_what_clients_hold_from_the_server_before) {
  rig.stop();
  rig.start();
  begin("s");
  rig.world.run_for(500ms);
  CHECK_FALSE(answer.has_value());
  client->answers_recalls = false;
  CHECK_OK(client->call(Reclaim{client->opened.session, {{file, Lease::write}}, true}));
  rig.world.run_for(500ms);
  CHECK_FALSE(answer.has_value());
  LONGS_EQUAL(1, client->recalled.size());
  LONGS_EQUAL(file, client->recalled[0].inode);
  client->release({{file, Lease::none, false}});
  CHECK_TRUE(rig.world.run_until([&] { return answer.has_value(); }, 5s));
  CHECK_TRUE(is_made());
}

TEST(ServerSnapshots, are_locked_by_readers_alone_and_are_as_full_as_the_volume_was) {
  begin("s");
  CHECK_TRUE(rig.world.run_until([&] { return answer.has_value(); }));
  Client reader(rig, "r");
  UNWRAP(reader.open("data@s"));
  const SessionNumber session = reader.opened.session;
  LockRange lock;
  lock.inode = file;
  lock.kind = LockKind::shared;
  CHECK_OK(reader.call(SetLock{session, lock, false, 1}));
  CHECK_FALSE(UNWRAP(reader.call(TestLock{session, lock})).held.has_value());
  lock.kind = LockKind::exclusive;
  CHECK_ERROR(Code::failed_precondition, "snapshot_read_only",
              reader.call(SetLock{session, lock, false, 2}));
  // Nor is the volume's file locked by it.
  CHECK_OK(client->call(SetLock{client->opened.session, lock, false, 1}));
  const VolumeUsageReply usage = UNWRAP(reader.call(VolumeUsage{session}));
  LONGS_EQUAL(2, usage.inodes_used);
  LONGS_EQUAL(2, usage.inodes_max);
}

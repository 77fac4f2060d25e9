// SPDX-License-Identifier: Apache-2.0
// client_copy.cc: a file whose content a snapshot has too, with a storage server that counts.
#include "tests/support/dfs/fake_storage.h"
#include "tests/unit/dfs/client/actor.h"
#include "tests/unit/dfs/meta/rig.h"

using base::Result;
using namespace dfs;          // NOLINT: the subject
using namespace dfs::client;  // NOLINT: the subject
using dfs::client::testing::Actor;

TEST_GROUP(ClientCopy) {
  meta::testing::Rig rig;
  std::unique_ptr<dfs::testing::FakeStorage> storage;
  std::unique_ptr<Actor> actor;
  InodeNumber file = 0;

  void setup() override {
    rig.stop();
    rig.options.copies = 1;
    rig.options.groups = 1;
    rig.start();
    rig.make_volume();
    storage = std::make_unique<dfs::testing::FakeStorage>(rig.world, rig.network, "store",
                                                          base::Endpoint{"meta", 7861});
    rig.world.run_for(std::chrono::seconds(3));
    actor = make_actor("data");
    file = UNWRAP(actor->wait<Found>([&](Done<Found> done) {
             actor->client->create_open(actor->client->root(), {"f", FileKind::file, 0644, 0, {}},
                                        {0, 0, 022}, std::move(done));
           })).attributes.inode;
  }
  std::unique_ptr<Actor> make_actor(const std::string& volume) {
    Options options;
    options.volume = volume;
    auto made = std::make_unique<Actor>(rig.world, rig.network, "c-" + volume,
                                        std::vector<base::Endpoint>{{"meta", 7861}}, options);
    CHECK_OK(made->start());
    return made;
  }
  void write(std::uint64_t offset, const std::string& text) {
    CHECK_OK(actor->wait<Nothing>([&](Done<Nothing> done) {
      actor->client->write(file, offset, text, false, std::move(done));
    }));
  }
  // Without waiting.
  std::shared_ptr<bool> begin_write(std::uint64_t offset, const std::string& text) {
    auto is_done = std::make_shared<bool>(false);
    actor->client->write(file, offset, text, false, [is_done](const Result<Nothing>& result) {
      CHECK_OK(result);
      *is_done = true;
    });
    return is_done;
  }
  void run_until(const bool& is_done) {
    CHECK_TRUE(rig.world.run_until([&] { return is_done; }, std::chrono::minutes(1)));
  }
  void sync() {
    CHECK_OK(actor->wait<Nothing>(
        [&](Done<Nothing> done) { actor->client->fsync(file, Sync::all, std::move(done)); }));
  }
  void snapshot(const std::string& name) {
    std::optional<Result<std::string>> answer;
    rig.server->snapshot({"data", name, 1}, [&](Result<std::string> got) { answer = got; });
    CHECK_TRUE(rig.world.run_until([&] { return answer.has_value(); }));
    CHECK_OK(meta::decode_answer<meta::VolumeRecord>(UNWRAP(*answer)));
  }
  std::string content_at(const std::string& volume) {
    const auto reader = make_actor(volume);
    const InodeNumber found = UNWRAP(reader->lookup(reader->client->root(), "f"));
    const std::string content = UNWRAP(reader->read(found, 10 << 20));
    CHECK_OK(reader->stop());
    return content;
  }
};

TEST(ClientCopy, what_was_not_sent_yet_is_in_the_snapshot_and_what_comes_later_is_not) {
  const std::string old(3 << 20, 'o');
  write(0, old);
  snapshot("s");
  LONGS_EQUAL(1, storage->objects.size());
  write(100, "new");
  sync();
  LONGS_EQUAL(2, storage->objects.size());
  std::string now = old;
  now.replace(100, 3, "new");
  CHECK_TRUE(content_at("data@s") == old);
  CHECK_TRUE(content_at("data") == now);
}

TEST(ClientCopy, is_made_once_for_each_snapshot) {
  write(0, std::string(100'000, 'a'));
  snapshot("one");
  write(0, "b");
  write(5, "b");
  sync();
  LONGS_EQUAL(2, storage->objects.size());
  snapshot("two");
  write(0, "c");
  sync();
  LONGS_EQUAL(3, storage->objects.size());
  STRCMP_EQUAL("a", content_at("data@one").substr(0, 1).c_str());
  STRCMP_EQUAL("b", content_at("data@two").substr(0, 1).c_str());
  STRCMP_EQUAL("c", content_at("data").substr(0, 1).c_str());
}

TEST(ClientCopy, a_cut_leaves_the_snapshot_whole) {
  write(0, std::string(200'000, 'a'));
  snapshot("s");
  CHECK_OK(actor->wait<Found>([&](Done<Found> done) {
    Change change;
    change.size = 10;
    actor->client->change(file, change, std::move(done));
  }));
  sync();
  LONGS_EQUAL(200'000, content_at("data@s").size());
  LONGS_EQUAL(10, content_at("data").size());
}

TEST(ClientCopy, small_files_need_none) {
  write(0, "small");
  snapshot("s");
  write(0, "SMALL");
  sync();
  LONGS_EQUAL(0, storage->objects.size());
  STRCMP_EQUAL("small", content_at("data@s").c_str());
}

TEST(ClientCopy, is_made_once_for_changes_at_the_same_time) {
  std::string now(3 << 20, 'a');
  write(0, now);
  snapshot("s");
  const auto one = begin_write(10, "one");
  const auto two = begin_write(2 << 20, "two");
  run_until(*one);
  run_until(*two);
  sync();
  LONGS_EQUAL(2, storage->objects.size());
  now.replace(10, 3, "one").replace(2 << 20, 3, "two");
  CHECK_TRUE(content_at("data") == now);
}

TEST(ClientCopy, leaves_holes_out) {
  constexpr std::uint64_t kFar = 64 << 20;
  write(0, std::string(100'000, 'a'));
  write(kFar, std::string(100'000, 'b'));
  snapshot("s");
  const std::uint64_t before = storage->writes;
  write(kFar, "c");
  sync();
  CHECK_TRUE(storage->writes - before < 6);
  LONGS_EQUAL(2, storage->objects.size());
  const auto reader = make_actor("data@s");
  const InodeNumber found = UNWRAP(reader->lookup(reader->client->root(), "f"));
  const std::string content = UNWRAP(reader->read(found, kFar + 100'000));
  LONGS_EQUAL('b', content[kFar]);
  LONGS_EQUAL(std::string::npos, content.substr(100'000, kFar - 100'000).find_first_not_of('\0'));
}

// Each reader takes the lease away from whoever copies.
TEST(ClientCopy, goes_on_while_others_read) {
  const std::string old(8 << 20, 'a');
  write(0, old);
  snapshot("s");
  storage->delay_max = std::chrono::milliseconds(30);
  const auto reader = make_actor("data");
  const InodeNumber found = UNWRAP(reader->lookup(reader->client->root(), "f"));
  const auto is_written = begin_write(0, "b");
  int reads = 0;
  for (; reads < 1000 && !*is_written; ++reads) {
    reader->kernel.contents.clear();
    CHECK_OK(reader->read(found, 10));
    rig.world.run_for(std::chrono::milliseconds(5));
  }
  CHECK_TRUE(*is_written);
  CHECK_TRUE(reads > 3);
  sync();
  LONGS_EQUAL(2, storage->objects.size());
  STRCMP_EQUAL("ba", content_at("data").substr(0, 2).c_str());
  CHECK_TRUE(content_at("data@s") == old);
}

// Between the beginning of the copy and its end, another client has changed what it is a copy of.
TEST(ClientCopy, is_made_anew_when_the_snapshot_it_was_for_is_gone) {
  const std::string old(4 << 20, 'a');
  write(0, old);
  snapshot("one");
  storage->delay_max = std::chrono::milliseconds(40);
  const auto is_written = begin_write(0, "b");
  rig.world.run_for(std::chrono::milliseconds(120));
  CHECK_FALSE(*is_written);
  rig.run(meta::RemoveVolumeCommand{"data@one"});
  const auto other = make_actor("data");
  const InodeNumber found = UNWRAP(other->lookup(other->client->root(), "f"));
  CHECK_OK(other->wait<Nothing>([&](Done<Nothing> done) {
    other->client->write(found, 100, "other", false, std::move(done));
  }));
  CHECK_FALSE(*is_written);
  snapshot("two");
  run_until(*is_written);
  sync();
  std::string now = old;
  now.replace(100, 5, "other");
  CHECK_TRUE(content_at("data@two").substr(1) == now.substr(1));
  now.replace(0, 1, "b");
  CHECK_TRUE(content_at("data") == now);
}

TEST(ClientCopy, that_was_broken_off_is_removed_with_its_session) {
  write(0, std::string(4 << 20, 'a'));
  snapshot("s");
  storage->delay_max = std::chrono::milliseconds(40);
  begin_write(0, "b");
  rig.world.run_for(std::chrono::milliseconds(150));
  LONGS_EQUAL(2, storage->objects.size());
  actor.reset();
  CHECK_TRUE(
      rig.world.run_until([&] { return storage->objects.size() == 1; }, std::chrono::minutes(1)));
  LONGS_EQUAL(4 << 20, content_at("data").size());
}

TEST(ClientCopy, content_that_grows_after_a_restore_goes_to_an_object_of_its_own) {
  write(0, "small");
  snapshot("one");
  write(0, std::string(100'000, 'a'));
  snapshot("two");
  CHECK_OK(actor->stop());
  rig.run(meta::RestoreSnapshotCommand{"data", "one"});
  actor = make_actor("data");
  file = UNWRAP(actor->lookup(actor->client->root(), "f"));
  STRCMP_EQUAL("small", UNWRAP(actor->read(file, 100)).c_str());
  write(5, std::string(50'000, 'b'));
  sync();
  LONGS_EQUAL(2, storage->objects.size());
  CHECK_TRUE(content_at("data@two") == std::string(100'000, 'a'));
  CHECK_TRUE(content_at("data") == "small" + std::string(50'000, 'b'));
}

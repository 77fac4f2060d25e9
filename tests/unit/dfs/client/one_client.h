// SPDX-License-Identifier: Apache-2.0
// One mount, a metadata server and a storage server in the simulator, for tests of single steps.
//
// Threads: the world's.
#pragma once

#include "tests/support/dfs/fake_storage.h"
#include "tests/unit/dfs/client/actor.h"
#include "tests/unit/dfs/meta/rig.h"

namespace dfs::client::testing {

struct OneClient {
  explicit OneClient(std::uint64_t seed,
                     dfs::testing::Introductions introductions = dfs::testing::Introductions::heard)
      : rig(seed) {
    rig.stop();
    rig.options.copies = 1;
    rig.options.groups = 1;
    rig.start();
    rig.make_volume();
    storage = std::make_unique<dfs::testing::FakeStorage>(
        rig.world, rig.network, "store", base::Endpoint{"meta", 7861}, introductions);
    rig.world.run_for(std::chrono::seconds(3));
    actor = std::make_unique<Actor>(rig.world, rig.network, "client",
                                    std::vector<base::Endpoint>{{"meta", 7861}});
    CHECK_OK(actor->start());
  }

  InodeNumber create(const std::string& name) {
    return UNWRAP(actor->wait<Found>([&](Done<Found> done) {
             actor->client->create_open(actor->client->root(), {name, FileKind::file, 0644, 0, {}},
                                        {}, std::move(done));
           }))
        .attributes.inode;
  }
  base::Result<Nothing> write(InodeNumber inode, std::uint64_t offset, std::string_view content) {
    return actor->wait<Nothing>([&](Done<Nothing> done) {
      actor->client->write(inode, offset, content, false, std::move(done));
    });
  }
  base::Result<Found> resize(InodeNumber inode, std::uint64_t size) {
    Change change;
    change.size = size;
    return actor->wait<Found>(
        [&](Done<Found> done) { actor->client->change(inode, change, std::move(done)); });
  }
  base::Result<Nothing> sync(InodeNumber inode) {
    return actor->wait<Nothing>(
        [&](Done<Nothing> done) { actor->client->fsync(inode, Sync::all, std::move(done)); });
  }

  meta::testing::Rig rig;
  std::unique_ptr<dfs::testing::FakeStorage> storage;
  std::unique_ptr<Actor> actor;
};

}  // namespace dfs::client::testing

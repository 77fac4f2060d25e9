// SPDX-License-Identifier: Apache-2.0
// Takeovers of a volume in the simulator: whoever had it writes on, over links that break and
// deliver late, cut off and back again; nothing of it may be found once the new owner has written.
#include "dfs/client/session.h"

#include <cstdlib>

#include "tests/unit/dfs/client/one_client.h"

using namespace dfs;          // NOLINT: the subject
using namespace dfs::client;  // NOLINT
using dfs::client::testing::Actor;
using dfs::client::testing::OneClient;
using dfs::testing::Epochs;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kSlot = 8'192;
constexpr std::size_t kSlots = 4;  // together more than stays in an inode
constexpr int kTakeovers = 5;      // per seed

class Takeovers {
 public:
  Takeovers(std::uint64_t seed, Epochs epochs) : one_(seed) { one_.storage->epochs = epochs; }

  // Empty, or what of an earlier owner was found.
  std::string run() {
    inode_ = one_.create("file");
    CHECK_OK(one_.write(inode_, 0, std::string(kSlot * kSlots, '.')));
    CHECK_OK(one_.sync(inode_));
    owners_.push_back(std::move(one_.actor));
    for (int number = 1; number <= kTakeovers; ++number) {
      const std::string wrong = take_over(number);
      if (!wrong.empty()) return wrong;
    }
    return {};
  }
  int refused() const { return refused_; }

 private:
  std::uint64_t below(std::uint64_t bound) { return one_.rig.world.rng().below(bound); }

  void write_on(Actor& owner, char mark) {
    for (std::size_t i = 0; i < kSlots; ++i) {
      const std::string content(kSlot, mark);
      owner.client->write(inode_, below(kSlots) * kSlot, content, false,
                          [this](const base::Result<Nothing>& done) { count(done); });
      owner.client->fsync(inode_, Sync::all,
                          [this](const base::Result<Nothing>& done) { count(done); });
    }
  }
  void count(const base::Result<Nothing>& done) {
    if (done) return;
    if (done.error().os_errno == ESTALE) {
      ++refused_;
    } else {
      other_ = base::to_string(done.error());
    }
  }

  std::string take_over(int number) {
    sim::SimNet& network = one_.rig.network;
    Actor& old = *owners_.back();
    network.faults.link_break = 0.01 * static_cast<double>(below(3));
    network.faults.linger_max = 300ms;
    write_on(old, static_cast<char>('a' + number));
    one_.rig.world.run_for(one_.rig.world.between({}, 30ms));
    const std::string name = number == 1 ? "client" : "owner" + std::to_string(number - 1);
    const std::uint64_t cut = below(4);
    if (cut & 1) network.partition({name}, {"meta"});
    if (cut & 2) network.block(name, "store");
    Options options;
    options.takeover = Takeover::exclusive;
    owners_.push_back(
        std::make_unique<Actor>(one_.rig.world, network, "owner" + std::to_string(number),
                                std::vector<base::Endpoint>{{"meta", 7861}}, options));
    Actor& owner = *owners_.back();
    CHECK_OK(owner.start());
    const std::string content(kSlot * kSlots, static_cast<char>('A' + number));
    CHECK_OK(owner.wait<Nothing>([&](Done<Nothing> done) {
      owner.client->write(inode_, 0, content, false, std::move(done));
    }));
    CHECK_OK(owner.wait<Nothing>(
        [&](Done<Nothing> done) { owner.client->fsync(inode_, Sync::all, std::move(done)); }));
    // The one before goes on, and is back.
    write_on(old, static_cast<char>('a' + number));
    network.heal();
    one_.rig.world.run_for(3s);
    if (one_.storage->objects[inode_] != content)
      return "takeover " + std::to_string(number) + ": the owner before has written";
    if (!other_.empty())
      return "takeover " + std::to_string(number) + ": the owner before got " + other_;
    return {};
  }

  OneClient one_;
  std::vector<std::unique_ptr<Actor>> owners_;
  InodeNumber inode_ = 0;
  int refused_ = 0;
  std::string other_;  // what a late change got instead of ESTALE
};

}  // namespace

TEST_GROUP(Takeover){};

TEST(Takeover, whoever_had_the_volume_writes_nothing_any_more) {
  const char* asked = std::getenv("GESTALT_SIM_SEEDS");
  const std::uint64_t seeds = asked != nullptr ? std::strtoull(asked, nullptr, 10) : 40;
  int refused = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Takeovers takeovers(seed, Epochs::checked);
    const std::string wrong = takeovers.run();
    if (!wrong.empty()) FAIL(("seed " + std::to_string(seed) + ": " + wrong).c_str());
    refused += takeovers.refused();
  }
  CHECK_TRUE(refused > 0);
}

TEST_GROUP(TakeoverPlantedMistakes){};

TEST(TakeoverPlantedMistakes, a_storage_server_that_asks_nobody_for_the_epoch_is_found) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed)
    if (!Takeovers(seed, Epochs::ignored).run().empty()) return;
  FAIL("no seed noticed it");
}

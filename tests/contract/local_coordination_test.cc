// SPDX-License-Identifier: Apache-2.0
// The local engine against the contract, and what only it promises: several processes and kill -9.
#include <sys/stat.h>
#include <unistd.h>

#include "common/coordination/local_tree.h"
#include "tests/contract/coordination_suite.h"
#include "tests/support/child_process.h"
#include "tests/support/temp_folder.h"

using coordination::Coordination;
using coordination::LocalTree;
using coordination::TreeWriter;

namespace {

class LocalEngine : public contract::CoordinationEngine {
 public:
  std::unique_ptr<Coordination> open() override {
    return UNWRAP(coordination::open_local({.folder = folder()}));
  }
  void expire(std::uint64_t session) override {
    const std::shared_ptr<LocalTree> tree = UNWRAP(LocalTree::open({.folder = folder()}));
    TreeWriter writer = UNWRAP(TreeWriter::begin(*tree));
    CHECK_OK(writer.end_session(session));
    CHECK_OK(std::move(writer).commit());
  }
  std::string folder() const { return folder_.path().string(); }

 private:
  TempFolder folder_;
};

}  // namespace

TEST_GROUP(LocalCoordination) {
  LocalEngine engine;

  std::vector<std::string> holder(const std::string& path) const {
    return {STORAGE_CHILD, "hold", engine.folder(), path};
  }
};

COORDINATION_CONTRACT_TESTS(LocalCoordination, CONTRACT_TEST)

TEST(LocalCoordination, a_killed_process_loses_its_ephemeral_nodes_within_100_ms) {
  const auto session = engine.open();
  // The machine that tests run on may be busy: the quickest of three counts.
  base::Duration quickest = std::chrono::hours(1);
  for (int round = 0; round < 3; ++round) {
    contract::Event birth, death;
    CHECK_OK(session->find("/e", birth.callback()));
    ChildProcess child(holder("/e"));
    STRCMP_EQUAL("ready", child.read_line().c_str());
    CHECK_TRUE(birth.happened());
    CHECK_TRUE(UNWRAP(session->find("/e", death.callback())).has_value());
    const base::Instant killed = base::system_clock().now();
    child.kill();
    CHECK_TRUE(death.happened());
    quickest = std::min(quickest, base::system_clock().now() - killed);
    CHECK_FALSE(UNWRAP(session->find("/e")).has_value());
  }
  CHECK_TRUE(quickest < std::chrono::milliseconds(100));
}

TEST(LocalCoordination, the_remains_of_a_process_that_died_unseen_go_at_the_next_open) {
  {
    ChildProcess child(holder("/e"));
    STRCMP_EQUAL("ready", child.read_line().c_str());
    CHECK_TRUE(UNWRAP(engine.open()->find("/e")).has_value());
    child.kill();
  }
  CHECK_FALSE(UNWRAP(engine.open()->find("/e")).has_value());
}

TEST(LocalCoordination, the_death_of_one_process_leaves_the_nodes_of_others) {
  const auto session = engine.open();
  contract::Event death;
  ChildProcess stays(holder("/stays"));
  ChildProcess dies(holder("/dies"));
  STRCMP_EQUAL("ready", stays.read_line().c_str());
  STRCMP_EQUAL("ready", dies.read_line().c_str());
  CHECK_OK(session->find("/dies", death.callback()));
  dies.kill();
  CHECK_TRUE(death.happened());
  CHECK_TRUE(UNWRAP(session->find("/stays")).has_value());
}

TEST(LocalCoordination, files_belong_to_owner_and_group_only_whatever_the_umask) {
  const mode_t before = umask(0077);
  const auto session = engine.open();
  umask(before);
  for (const auto& entry : std::filesystem::directory_iterator(engine.folder())) {
    struct stat status {};
    LONGS_EQUAL(0, stat(entry.path().c_str(), &status));
    LONGS_EQUAL(0660, status.st_mode & 07777);
  }
}

// As on a node: the folder belongs to a group, masterd is an unprivileged member, agentd is root.
TEST(LocalCoordination, processes_of_different_users_share_it_by_their_group) {
  constexpr const char* kGroup = "64000";
  LONGS_EQUAL(0, chown(engine.folder().c_str(), 0, 64000));
  LONGS_EQUAL(0, chmod(engine.folder().c_str(), 02770));
  const auto as_user = [&](const std::string& user, const std::string& path) {
    return std::vector<std::string>{"/usr/bin/setpriv",
                                    "--reuid",
                                    user,
                                    "--regid",
                                    user,
                                    "--groups",
                                    kGroup,
                                    STORAGE_CHILD,
                                    "hold",
                                    engine.folder(),
                                    path};
  };
  // The unprivileged one comes first and makes the files.
  ChildProcess one(as_user("64001", "/one"));
  STRCMP_EQUAL("ready", one.read_line().c_str());
  ChildProcess two(as_user("64002", "/two"));
  STRCMP_EQUAL("ready", two.read_line().c_str());
  const auto session = engine.open();
  CHECK_TRUE(UNWRAP(session->find("/one")).has_value());
  contract::Event death;
  CHECK_OK(session->find("/two", death.callback()));
  two.kill();
  CHECK_TRUE(death.happened());
  CHECK_TRUE(UNWRAP(session->find("/one")).has_value());
  CHECK_OK(session->set({"/one", "written by root"}));
}

TEST(LocalCoordination, the_tree_is_there_after_everyone_left) {
  CHECK_OK(engine.open()->create({"/a", "x"}));
  STRCMP_EQUAL("x", UNWRAP(engine.open()->find("/a"))->data.c_str());
}

TEST(LocalCoordination, more_watches_than_the_limit_are_throttled) {
  const auto session = engine.open();
  contract::Event event;
  for (std::size_t i = 0; i < coordination::kWatchesMax; ++i)
    CHECK_OK(session->find("/a", event.callback()));
  CHECK_ERROR(base::Code::throttled, "too_many_watches", session->find("/a", event.callback()));
  CHECK_OK(session->create({"/a", ""}));
  CHECK_TRUE(event.happened(static_cast<int>(coordination::kWatchesMax)));
  CHECK_OK(session->find("/a", event.callback()));
}

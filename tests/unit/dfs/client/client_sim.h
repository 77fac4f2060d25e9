// SPDX-License-Identifier: Apache-2.0
// Clients, a metadata server and storage in one simulated world, under random operations: after
// each one every client must see what the model says.
//
// Threads: the world's.
#pragma once

#include "tests/support/dfs/fake_storage.h"
#include "tests/unit/dfs/client/actor.h"
#include "tests/unit/dfs/client/posix_model.h"
#include "tests/unit/dfs/meta/rig.h"

namespace dfs::client::testing {

struct SimOptions {
  std::size_t clients = 1;
  int operations = 200;
  double link_break = 0;
  bool restarts = false;       // of the metadata server
  bool kernels_forget = true;  // false: a planted mistake
  std::size_t inodes_max = 50'000;
  bool snapshots = false;  // made and removed now and then, and looked at in the end
};

class ClientSim {
 public:
  ClientSim(std::uint64_t seed, SimOptions options);
  // Empty, or what was wrong.
  std::string run();

 private:
  struct Place {
    Node node;
    InodeNumber inode = 0;  // as the actor sees it
  };
  struct Open {
    Actor* actor = nullptr;
    Place file;
  };
  std::string step();
  std::string take_snapshot();
  void remove_snapshot();
  std::string check_snapshots();
  std::string check_tree(Actor& actor);
  std::string check_node(Actor& actor, const Node& node, InodeNumber inode,
                         const std::string& path);
  // A random folder, walked to by the actor.
  base::Result<Place> walk(Actor& actor, const Node& to);
  Node random_folder();
  std::string random_name();
  std::string write_file(Actor& actor, const Node& folder, const std::string& name);
  std::string change_content(Actor& actor, ModelNode& node, InodeNumber number);
  std::string use_open(Actor& actor);
  std::string lock_file(Actor& actor, ModelNode& node, InodeNumber inode);
  std::string change_names(Actor& actor, std::uint64_t what);
  std::string say(const std::string& what, const base::Error& error) const;
  std::size_t below(std::size_t bound) { return rig_.world.random()() % bound; }
  template <class T>
  std::string compare(const std::string& what, int expected, const base::Result<T>& got);

  const SimOptions options_;
  meta::testing::Rig rig_;
  std::unique_ptr<dfs::testing::FakeStorage> storage_;
  std::vector<std::unique_ptr<Actor>> actors_;
  Model model_;
  std::vector<Open> opens_;
  std::map<std::string, Model> snapshots_;  // what each must show
  std::size_t snapshots_made_ = 0;
  std::string trace_;
};

}  // namespace dfs::client::testing

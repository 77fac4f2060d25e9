// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/dfs/client/client_sim.h"

#include <algorithm>
#include <cstdlib>

#include "dfs/meta/fsck.h"

namespace dfs::client::testing {

using base::Error;
using base::Result;

namespace {

// Around the volume's inline limit, block and extent borders.
constexpr std::uint64_t kSizes[] = {1, 100, 4095, 4096, 4097, 8000, 20'000, 70'000, 1'100'000};
constexpr std::uint64_t kReadMax = 4 << 20;

}  // namespace

ClientSim::ClientSim(std::uint64_t seed, SimOptions options) : options_(options), rig_(seed) {
  rig_.stop();
  rig_.options.copies = 1;
  rig_.options.groups = 3;
  rig_.start();
  rig_.make_volume();
  storage_ = std::make_unique<dfs::testing::FakeStorage>(rig_.world, rig_.network, "store",
                                                         base::Endpoint{"meta", 7861});
  rig_.world.run_for(std::chrono::seconds(3));
  Options client;
  client.inodes_max = options_.inodes_max;
  for (std::size_t i = 0; i < options_.clients; ++i) {
    actors_.push_back(std::make_unique<Actor>(rig_.world, rig_.network, "c" + std::to_string(i),
                                              std::vector<base::Endpoint>{{"meta", 7861}}, client));
    actors_.back()->kernel.forgets = options_.kernels_forget;
  }
}

std::string ClientSim::say(const std::string& what, const Error& error) const {
  return what + ": " + base::to_string(error) + " errno " + std::to_string(error.os_errno);
}

template <class T>
std::string ClientSim::compare(const std::string& what, int expected, const Result<T>& got) {
  const int number = got ? 0 : got.error().os_errno != 0 ? got.error().os_errno : -1;
  if (number == expected) return {};
  return what + ": expected errno " + std::to_string(expected) + ", got " +
         (got ? "none" : base::to_string(got.error()) + " errno " + std::to_string(number));
}

std::string ClientSim::run() {
  for (const auto& actor : actors_) {
    const Result<Nothing> started = actor->start();
    if (!started) return say("start", started.error());
  }
  rig_.network.faults.link_break = options_.link_break;
  for (int i = 0; i < options_.operations; ++i) {
    std::string wrong = step();
    if (wrong.empty() && options_.snapshots && below(25) == 0) wrong = take_snapshot();
    if (options_.snapshots && !snapshots_.empty() && below(60) == 0) remove_snapshot();
    if (!storage_->complaint().empty()) wrong += storage_->complaint();
    if (!wrong.empty()) return wrong + "\n" + trace_;
  }
  for (const Open& open : opens_) {
    const std::string wrong =
        check_node(*open.actor, open.file.node, open.file.inode, "an open file");
    if (!wrong.empty()) return wrong + "\n" + trace_;
  }
  for (const auto& actor : actors_) {
    const std::string wrong = check_tree(*actor);
    if (!wrong.empty()) return wrong + "\n" + trace_;
  }
  rig_.network.faults.link_break = 0;
  // What the first one leaves behind is all there is.
  for (const auto& actor : actors_) {
    const Result<Nothing> stopped = actor->stop();
    if (!stopped) return say("stop", stopped.error()) + "\n" + trace_;
  }
  Actor last(rig_.world, rig_.network, "last", {{"meta", 7861}});
  if (const Result<Nothing> started = last.start(); !started) return say("start", started.error());
  std::string wrong = check_tree(last);
  if (wrong.empty()) wrong = check_snapshots();
  const meta::FsckReport report = meta::check_state(*rig_.state);
  if (wrong.empty() && report.wrong > 0) wrong = report.problems.front();
  return wrong.empty() ? wrong : "after all have gone: " + wrong + "\n" + trace_;
}

namespace {

// Names of one file stay names of one file.
Node copy_of(const Node& node, std::map<Node, Node>& copies) {
  Node& copy = copies[node];
  if (copy) return copy;
  copy = std::make_shared<Node::element_type>(*node);
  const Node made = copy;  // the map may move
  for (auto& [name, child] : made->names) child = copy_of(child, copies);
  return made;
}

}  // namespace

std::string ClientSim::take_snapshot() {
  const std::string name = "s" + std::to_string(snapshots_made_++);
  trace_ += "\n(snapshot " + name + ")";
  std::optional<Result<std::string>> answer;
  rig_.server->snapshot({"data", name, 1},
                        [&](Result<std::string> got) { answer.emplace(std::move(got)); });
  if (!rig_.world.run_until([&] { return answer.has_value(); }, std::chrono::minutes(1)))
    return "the snapshot does not end";
  if (!*answer) return say("snapshot", answer->error());
  const auto made = meta::decode_answer<meta::VolumeRecord>(**answer);
  if (!made) return say("snapshot", made.error());
  std::map<Node, Node> copies;
  Model& kept = snapshots_[name];
  kept = model_;
  kept.root = copy_of(model_.root, copies);
  return {};
}

void ClientSim::remove_snapshot() {
  auto gone = snapshots_.begin();
  std::advance(gone, static_cast<std::ptrdiff_t>(below(snapshots_.size())));
  trace_ += "\n(remove snapshot " + gone->first + ")";
  rig_.run(meta::RemoveVolumeCommand{"data@" + gone->first});
  snapshots_.erase(gone);
}

std::string ClientSim::check_snapshots() {
  for (const auto& [name, shows] : snapshots_) {
    Options options;
    options.volume = "data@" + name;
    Actor reader(rig_.world, rig_.network, "reader-" + name, {{"meta", 7861}}, options);
    if (const Result<Nothing> started = reader.start(); !started)
      return say("start " + name, started.error());
    model_ = shows;
    const std::string wrong = check_tree(reader);
    if (!wrong.empty()) return "snapshot " + name + ": " + wrong;
    if (const Result<Nothing> stopped = reader.stop(); !stopped)
      return say("stop " + name, stopped.error());
  }
  return {};
}

Node ClientSim::random_folder() {
  Node node = model_.root;
  for (int depth = 0; depth < 3; ++depth) {
    std::vector<Node> folders;
    for (const auto& [name, child] : node->names)
      if (child->is_folder) folders.push_back(child);
    if (folders.empty() || below(2) == 0) return node;
    node = folders[below(folders.size())];
  }
  return node;
}

std::string ClientSim::random_name() { return "n" + std::to_string(below(5)); }

Result<ClientSim::Place> ClientSim::walk(Actor& actor, const Node& to) {
  // The path by search: the model is small.
  std::vector<std::string> path;
  const std::function<bool(const Node&)> find = [&](const Node& node) {
    if (node == to) return true;
    for (const auto& [name, child] : node->names) {
      path.push_back(name);
      if (child->is_folder && find(child)) return true;
      path.pop_back();
    }
    return false;
  };
  CHECK_TRUE(find(model_.root));
  InodeNumber inode = actor.client->root();
  for (const std::string& name : path) inode = TRY(actor.lookup(inode, name));
  return Place{to, inode};
}

std::string ClientSim::step() {
  const std::size_t who = below(actors_.size());
  Actor& actor = *actors_[who];
  trace_ += "\n" + std::to_string(who) + ": ";
  if (below(6) == 0) return use_open(actor);
  const std::uint64_t what = below(100);
  if (options_.restarts && below(60) == 0) {
    trace_ += "(restart) ";
    rig_.stop();
    rig_.world.run_for(rig_.world.between({}, std::chrono::milliseconds(500)));
    rig_.start();
  }
  if (what < 45) return change_names(actor, what);
  if (what < 90) return write_file(actor, random_folder(), random_name());
  if (what < 93) {
    rig_.world.run_for(rig_.world.between({}, std::chrono::milliseconds(1500)));
    return {};
  }
  trace_ += "check";
  return check_tree(actor);
}

std::string ClientSim::change_names(Actor& actor, std::uint64_t what) {
  const Node folder = random_folder();
  const std::string name = random_name();
  const Result<Place> place = walk(actor, folder);
  if (!place) return say("walk", place.error());
  FakeKernel& kernel = actor.kernel;
  if (what < 20) {
    const bool is_folder = what < 6;
    trace_ += (is_folder ? "mkdir " : "create ") + std::to_string(place->inode) + "/" + name;
    NewInode made{name, is_folder ? FileKind::folder : FileKind::file, 0755, 0, {}};
    const auto found = actor.wait<Found>(
        [&](Done<Found> done) { actor.client->create(place->inode, made, {}, std::move(done)); });
    kernel.attributes.erase(place->inode);
    if (found && !actor.remember(place->inode, name, *found)) return "a new inode has no number";
    return compare("create", Model::create(folder, name, is_folder), found);
  }
  if (what < 30) {
    const bool is_folder = what < 24;
    trace_ += (is_folder ? "rmdir " : "unlink ") + std::to_string(place->inode) + "/" + name;
    // The kernel looks up first, and drops what it knows of the inode.
    if (const Result<InodeNumber> victim = actor.lookup(place->inode, name))
      kernel.attributes.erase(*victim);
    const auto removed = actor.wait<Nothing>([&](Done<Nothing> done) {
      actor.client->remove(place->inode, name, is_folder, std::move(done));
    });
    kernel.attributes.erase(place->inode);
    if (removed) kernel.names.erase({place->inode, name});
    return compare("remove", Model::remove(folder, name, is_folder), removed);
  }
  const Node other = random_folder();
  const std::string new_name = random_name();
  const Result<Place> target = walk(actor, other);
  if (!target) return say("walk", target.error());
  const Result<InodeNumber> inode = actor.lookup(place->inode, name);
  if (inode) kernel.attributes.erase(*inode);
  if (what < 40) {
    // The kernel refuses to move a folder into itself before it asks.
    const auto moved = folder->names.find(name);
    for (Node up = moved == folder->names.end() ? nullptr : moved->second; up != nullptr;) {
      const std::function<bool(const Node&)> has = [&](const Node& node) {
        if (node == other) return true;
        for (const auto& [n, child] : node->names)
          if (child->is_folder && has(child)) return true;
        return false;
      };
      if (has(up)) return {};
      break;
    }
    trace_ += "rename " + std::to_string(place->inode) + "/" + name + " " +
              std::to_string(target->inode) + "/" + new_name;
    if (const Result<InodeNumber> victim = actor.lookup(target->inode, new_name))
      kernel.attributes.erase(*victim);
    const auto renamed = actor.wait<Nothing>([&](Done<Nothing> done) {
      actor.client->rename(place->inode, name, target->inode, new_name, 0, std::move(done));
    });
    kernel.attributes.erase(place->inode);
    kernel.attributes.erase(target->inode);
    if (renamed) {
      kernel.names.erase({place->inode, name});
      kernel.names.erase({target->inode, new_name});
    }
    return compare("rename", Model::rename(folder, name, other, new_name), renamed);
  }
  const auto node = folder->names.find(name);
  if (!inode) return compare("lookup", node == folder->names.end() ? ENOENT : 0, inode);
  if (node == folder->names.end()) return "a name is there that should not be: " + name;
  trace_ += "link " + std::to_string(*inode) + " " + std::to_string(target->inode) + "/" + new_name;
  const auto linked = actor.wait<Found>([&](Done<Found> done) {
    actor.client->link(*inode, target->inode, new_name, std::move(done));
  });
  kernel.attributes.erase(target->inode);
  if (linked) kernel.names.erase({target->inode, new_name});
  return compare("link", Model::link(node->second, other, new_name), linked);
}

std::string ClientSim::write_file(Actor& actor, const Node& folder, const std::string& name) {
  const Result<Place> place = walk(actor, folder);
  if (!place) return say("walk", place.error());
  const Result<InodeNumber> inode = actor.lookup(place->inode, name);
  const auto found = folder->names.find(name);
  if (const std::string wrong = compare("lookup", found == folder->names.end() ? ENOENT : 0, inode);
      !wrong.empty())
    return wrong;
  if (!inode || found->second->is_folder) return {};
  return change_content(actor, *found->second, *inode);
}

std::string ClientSim::change_content(Actor& actor, ModelNode& node, InodeNumber number) {
  const std::uint64_t size = kSizes[below(std::size(kSizes))];
  const std::uint64_t offset = below(3) == 0 ? 0 : below(node.content.size() + 5000);
  const std::string text = std::to_string(number);
  switch (below(8)) {
    case 0: {
      trace_ += "truncate " + text + " to " + std::to_string(size);
      Change change;
      change.size = size;
      const auto changed = actor.wait<Found>(
          [&](Done<Found> done) { actor.client->change(number, change, std::move(done)); });
      actor.forget_own(number);
      if (changed) node.content.resize(size);
      return compare("truncate", 0, changed);
    }
    case 1: {
      trace_ += "chmod " + text;
      Change change;
      change.mode = static_cast<std::uint32_t>(below(01000));
      const auto changed = actor.wait<Found>(
          [&](Done<Found> done) { actor.client->change(number, change, std::move(done)); });
      actor.kernel.attributes.erase(number);
      node.mode = *change.mode;
      return compare("chmod", 0, changed);
    }
    case 2: {
      trace_ += "fsync " + text;
      return compare("fsync", 0, actor.wait<Nothing>([&](Done<Nothing> done) {
        actor.client->fsync(number, below(2) == 0 ? Sync::data : Sync::all, std::move(done));
      }));
    }
    case 3: {
      const std::uint64_t length = 1 + below(10'000);
      trace_ += "punch " + text + " " + std::to_string(offset) + "+" + std::to_string(length);
      const auto done_with = actor.wait<Nothing>([&](Done<Nothing> done) {
        actor.client->allocate(number, 3, {offset, length}, std::move(done));
      });
      actor.forget_own(number);
      for (std::uint64_t at = offset;
           at < std::min<std::uint64_t>(node.content.size(), offset + length); ++at)
        node.content[at] = 0;
      return compare("punch", 0, done_with);
    }
    case 4: return lock_file(actor, node, number);
    default: break;
  }
  trace_ += "write " + text + " " + std::to_string(offset) + "+" + std::to_string(size);
  std::string data(size, '\0');
  for (std::size_t i = 0; i < data.size(); ++i)
    data[i] = static_cast<char>('a' + (i * 7 + size + trace_.size()) % 26);
  const auto written = actor.wait<Nothing>([&](Done<Nothing> done) {
    actor.client->write(number, offset, data, false, std::move(done));
  });
  actor.forget_own(number);
  if (node.content.size() < offset + size) node.content.resize(offset + size);
  node.content.replace(offset, size, data);
  return compare("write", 0, written);
}

// Files stay open for a while, and lose their names meanwhile.
std::string ClientSim::use_open(Actor& actor) {
  std::vector<std::size_t> mine;
  for (std::size_t i = 0; i < opens_.size(); ++i)
    if (opens_[i].actor == &actor) mine.push_back(i);
  if (mine.size() < 3 && below(2) == 0) {
    const Result<Place> place = walk(actor, random_folder());
    if (!place) return say("walk", place.error());
    const std::string name = random_name();
    const auto found = place->node->names.find(name);
    if (found == place->node->names.end() || found->second->is_folder) return {};
    const Result<InodeNumber> inode = actor.lookup(place->inode, name);
    if (!inode) return say("lookup", inode.error());
    trace_ += "open " + std::to_string(*inode);
    opens_.push_back({&actor, {found->second, *inode}});
    return compare("open", 0, actor.wait<Opened>([&](Done<Opened> done) {
      actor.client->open(*inode, below(2) == 0 ? Client::Access::read : Client::Access::write,
                         false, std::move(done));
    }));
  }
  if (mine.empty()) return {};
  const std::size_t chosen = mine[below(mine.size())];
  const Place file = opens_[chosen].file;
  trace_ += (file.node->links == 0 ? "(nameless) " : "(open) ");
  switch (below(4)) {
    case 0:
      trace_ += "close " + std::to_string(file.inode);
      actor.client->release(file.inode);
      opens_.erase(opens_.begin() + static_cast<std::ptrdiff_t>(chosen));
      return {};
    case 1:
      trace_ += "check " + std::to_string(file.inode);
      return check_node(actor, file.node, file.inode, "an open file");
    default: return change_content(actor, *file.node, file.inode);
  }
}

std::string ClientSim::lock_file(Actor& actor, ModelNode& node, InodeNumber inode) {
  const auto who = static_cast<SessionNumber>(
      1 + std::distance(actors_.begin(),
                        std::find_if(actors_.begin(), actors_.end(),
                                     [&](const auto& each) { return each.get() == &actor; })));
  LockRange lock;
  lock.inode = inode;
  lock.flavour = below(3) == 0 ? LockFlavour::whole : LockFlavour::posix;
  lock.owner = 1 + below(2);
  if (lock.flavour == LockFlavour::posix) {
    lock.first = below(100);
    lock.last = lock.first + below(100);
  }
  constexpr LockKind kKinds[] = {LockKind::unlock, LockKind::shared, LockKind::exclusive};
  lock.kind = kKinds[below(std::size(kKinds))];
  trace_ += "lock " + std::to_string(inode) + " " + std::to_string(lock.first) + "-" +
            std::to_string(lock.last) + " kind " + std::to_string(static_cast<int>(lock.kind)) +
            " owner " + std::to_string(lock.owner);
  const LockEntry* conflict = find_conflict(node.locks, who, lock);
  if (below(4) == 0) {
    const auto held =
        actor.wait<std::optional<LockRange>>([&](Done<std::optional<LockRange>> done) {
          actor.client->test_lock(lock, std::move(done));
        });
    if (!held) return say("test a lock", held.error());
    return held->has_value() == (conflict != nullptr) ? "" : "the lock was tested wrongly";
  }
  const auto locked = actor.wait<Nothing>([&](Done<Nothing> done) {
    actor.client->set_lock(lock, false, trace_.size(), std::move(done));
  });
  if (conflict == nullptr) set_range(node.locks, who, lock);
  return compare("lock", conflict == nullptr ? 0 : EAGAIN, locked);
}

std::string ClientSim::check_tree(Actor& actor) {
  return check_node(actor, model_.root, actor.client->root(), "");
}

std::string ClientSim::check_node(Actor& actor, const Node& node, InodeNumber inode,
                                  const std::string& path) {
  const Result<Attributes> attributes = actor.stat(inode);
  if (!attributes) return say("stat " + path, attributes.error());
  if (attributes->links != node->links)
    return path + " has " + std::to_string(attributes->links) + " links, not " +
           std::to_string(node->links);
  if (!node->is_folder) {
    if (attributes->size != node->content.size())
      return path + " has the size " + std::to_string(attributes->size) + ", not " +
             std::to_string(node->content.size());
    const Result<std::string> content = actor.read(inode, kReadMax);
    if (!content) return say("read " + path, content.error());
    for (std::size_t at = 0; at < node->content.size(); ++at)
      if (at >= content->size() || (*content)[at] != node->content[at])
        return path + " (inode " + std::to_string(inode) + ") has other content at " +
               std::to_string(at) + ": " +
               std::to_string(static_cast<int>(at < content->size() ? (*content)[at] : -1)) +
               " not " + std::to_string(static_cast<int>(node->content[at]));
    if (node->mode != 0 && attributes->mode != node->mode) return path + " has another mode";
    return {};
  }
  const auto listed = actor.wait<std::vector<Listed>>(
      [&](Done<std::vector<Listed>> done) { actor.client->list(inode, std::move(done)); });
  if (!listed) return say("list " + path, listed.error());
  if (listed->size() != node->names.size())
    return path + "/ lists " + std::to_string(listed->size()) + " names, not " +
           std::to_string(node->names.size());
  auto at = listed->begin();
  for (const auto& [name, child] : node->names) {
    if (at->name != name) return path + "/ lists " + at->name + " instead of " + name;
    ++at;
    const Result<InodeNumber> number = actor.lookup(inode, name);
    if (!number) return say("lookup " + path + "/" + name, number.error());
    const std::string wrong = check_node(actor, child, *number, path + "/" + name);
    if (!wrong.empty()) return wrong;
  }
  return {};
}

}  // namespace dfs::client::testing

// SPDX-License-Identifier: Apache-2.0
// A mount in the simulator: a client, and a kernel that keeps whatever it is allowed to keep and
// answers from that, so that a lease that is given back too early is seen.
//
// Threads: the world's.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "dfs/api/introduction.h"
#include "dfs/client/client.h"
#include "tests/support/check_result.h"
#include "tests/support/sim/sim_net.h"

namespace dfs::client::testing {

class FakeKernel final : public Kernel {
 public:
  explicit FakeKernel(sim::World& world) : world_(world) {}
  void forget_inode(InodeNumber inode, bool pages) override {
    later([this, inode, pages] {
      attributes.erase(inode);
      if (pages) contents.erase(inode);
    });
  }
  void forget_name(InodeNumber folder, const std::string& name) override {
    later([this, folder, name] { names.erase({folder, name}); });
  }
  void when_done(std::function<void()> done) override { later(std::move(done)); }
  bool is_waiting(InodeNumber) const override { return false; }

  std::map<std::pair<InodeNumber, std::string>, InodeNumber> names;
  std::map<InodeNumber, Attributes> attributes;
  std::map<InodeNumber, std::string> contents;
  bool forgets = true;  // false: a planted mistake

 private:
  void later(std::function<void()> work) {
    // In order, as the notifier's thread does.
    due_ =
        std::max(due_, world_.clock().now() + world_.between({}, std::chrono::microseconds(300)));
    world_.schedule(due_, [work = std::move(work), alive = std::weak_ptr(alive_)] {
      if (!alive.expired()) work();
    });
    due_ = due_ + base::Duration(1);
  }
  sim::World& world_;
  base::Instant due_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

class Actor {
 public:
  Actor(sim::World& world, sim::SimNet& network, const std::string& name,
        std::vector<base::Endpoint> servers, Options options = {})
      : world_(world),
        net_(introduce_links(network.host(name), world.rng().below(UINT64_MAX) + 1)),
        kernel(world) {
    options.servers = std::move(servers);
    if (options.volume.empty()) options.volume = "data";
    options.host = name;
    options.wall = [&world] { return world.clock().now().since_boot.count(); };
    client = std::make_unique<Client>(*net_, world, world.rng(), kernel, std::move(options));
  }

  // Runs the world until the call has ended; nullopt: it has not within the time.
  template <class T, class Call>
  base::Result<T> wait(Call call) {
    auto got = std::make_shared<std::optional<base::Result<T>>>();
    call([got](base::Result<T> result) { got->emplace(std::move(result)); });
    if (!world_.run_until([got] { return got->has_value(); }, std::chrono::minutes(3)))
      return base::Error{base::Code::timed_out, "the call did not end", "call_timed_out", ETIME};
    return **got;
  }

  base::Result<Nothing> start() {
    return wait<Nothing>([this](Done<Nothing> done) { client->start(std::move(done)); });
  }
  base::Result<Nothing> stop() {
    return wait<Nothing>([this](Done<Nothing> done) { client->stop(std::move(done)); });
  }
  base::Result<InodeNumber> lookup(InodeNumber folder, const std::string& name) {
    const auto kept = kernel.names.find({folder, name});
    if (kept != kernel.names.end()) {
      if (kept->second == 0) return posix_error(ENOENT);
      return kept->second;
    }
    const auto found =
        wait<Found>([&](Done<Found> done) { client->lookup(folder, name, std::move(done)); });
    if (!found) return found.error();
    return remember(folder, name, *found);
  }
  base::Result<InodeNumber> remember(InodeNumber folder, const std::string& name,
                                     const Found& found) {
    const InodeNumber inode = found.attributes.inode;
    if (found.keep_name) kernel.names[{folder, name}] = inode;
    if (inode != 0 && found.keep_attributes) kernel.attributes[inode] = found.attributes;
    if (inode == 0) return posix_error(ENOENT);
    return inode;
  }
  base::Result<Attributes> stat(InodeNumber inode) {
    const auto kept = kernel.attributes.find(inode);
    if (kept != kernel.attributes.end()) return kept->second;
    const auto found = wait<Found>([&](Done<Found> done) { client->get(inode, std::move(done)); });
    if (!found) return found.error();
    if (found->keep_attributes) kernel.attributes[inode] = found->attributes;
    return found->attributes;
  }
  base::Result<std::string> read(InodeNumber inode, std::uint64_t size) {
    const auto kept = kernel.contents.find(inode);
    if (kept != kernel.contents.end()) return kept->second;
    auto content = wait<std::string>([&](Done<std::string> done) {
      client->read(inode, 0, size, [done](const base::Result<std::string_view>& got) {
        if (!got) return done(got.error());
        done(std::string(*got));
      });
    });
    if (content) kernel.contents[inode] = *content;
    return content;
  }
  // What the kernel changes in its own memory when an operation of its own has ended.
  void forget_own(InodeNumber inode) {
    kernel.attributes.erase(inode);
    kernel.contents.erase(inode);
  }

 private:
  sim::World& world_;
  std::unique_ptr<base::Net> net_;

 public:
  FakeKernel kernel;
  std::unique_ptr<Client> client;
};

}  // namespace dfs::client::testing

// SPDX-License-Identifier: Apache-2.0
#include "dfs/storage/mender.h"

#include <set>

#include "common/base/log.h"
#include "dfs/storage/peer_protocol.h"

namespace dfs::storage {
namespace {

using base::Result;
using namespace std::chrono_literals;

constexpr base::Duration kFetchTimeout = 500ms;
constexpr int kRounds = 3;  // members that are a little behind or ahead have met us by then
constexpr base::Duration kRoundPause = 30ms;

}  // namespace

void Peers::set(const std::vector<NodeAddress>& nodes) {
  std::set<std::string> named;
  for (const NodeAddress& node : nodes) {
    named.insert(node.node);
    std::unique_ptr<RpcClient>& link = links_[node.node];
    const base::Endpoint endpoint{node.host, node.port};
    if (!link || link->peer() != endpoint)
      link = std::make_unique<RpcClient>(net_, timers_, endpoint);
  }
  std::erase_if(links_, [&named](const auto& link) { return !named.contains(link.first); });
}

RpcClient* Peers::find(const std::string& node) {
  const auto found = links_.find(node);
  return found == links_.end() ? nullptr : found->second.get();
}

std::vector<std::string> Peers::names() const {
  std::vector<std::string> names;
  for (const auto& [name, link] : links_) names.push_back(name);
  return names;
}

struct Mender::Job {
  ObjectStore* store = nullptr;
  BlockName block;
  std::vector<std::string> members;
  std::size_t next = 0;
  int round = 0;
  std::vector<std::function<void(bool)>> done;
  base::TimerHandle pause;
};

void Mender::mend(ObjectStore& store, BlockName block, std::vector<std::string> members,
                  std::function<void(bool)> done) {
  std::shared_ptr<Job>& job = jobs_[{&store, block}];
  const bool is_new = !job;
  if (is_new) {
    job = std::make_shared<Job>();
    job->store = &store;
    job->block = block;
    job->members = std::move(members);
    ++counters_.found;
  }
  job->done.push_back(std::move(done));
  if (is_new) ask(std::shared_ptr<Job>(job));
}

void Mender::cancel(const ObjectStore& store) {
  std::erase_if(jobs_, [&store](const auto& job) {
    if (job.first.first != &store) return false;
    job.second->store = nullptr;
    job.second->pause.reset();
    return true;
  });
}

void Mender::finish(const std::shared_ptr<Job>& job, bool mended) {
  ++(mended ? counters_.mended : counters_.lost);
  const std::string block = std::to_string(job->block.block);
  const std::string object = std::to_string(job->block.object);
  if (mended) {
    base::log::notice("DFS_BLOCK_MENDED",
                      "a block did not match its checksum; it was put back from another member",
                      {{"object", object}, {"block", block}});
  } else {
    base::log::warning("DFS_BLOCK_LOST",
                       "a block does not match its checksum and no member has a good copy; reads "
                       "of it fail",
                       {{"object", object}, {"block", block}});
  }
  jobs_.erase({job->store, job->block});
  const auto done = std::move(job->done);
  for (const auto& call : done) call(mended);
}

void Mender::ask(const std::shared_ptr<Job>& job) {
  if (job->store == nullptr) return;
  if (job->next == job->members.size()) {
    job->next = 0;
    if (++job->round == kRounds || job->members.empty()) return finish(job, false);
    job->pause = peers_.timers().after(kRoundPause, [this, job] { ask(job); });
    return;
  }
  RpcClient* peer = peers_.find(job->members[job->next++]);
  if (peer == nullptr) return ask(job);
  FetchBlock request;
  request.group = job->store->group();
  request.object = job->block.object;
  request.block = job->block.block;
  peer->call<FetchBlock>(
      request, kFetchTimeout,
      [this, job, alive = alive_](const Result<FetchBlockReply>& reply, std::string_view data) {
        if (!*alive || job->store == nullptr) return;
        if (!reply || data.size() != kBlockBytes) return ask(job);
        const Result<bool> mended = job->store->mend(job->block, data, reply->changed);
        if (mended && *mended) return finish(job, true);
        ask(job);
      });
}

}  // namespace dfs::storage

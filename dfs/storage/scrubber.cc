// SPDX-License-Identifier: Apache-2.0
#include "dfs/storage/scrubber.h"

#include "common/base/log.h"

namespace dfs::storage {

using base::Result;

struct Scrubber::Page {
  std::uint64_t run = 0;
  GroupNumber group = 0;
  ReadPlan plan;
  std::size_t mending = 0;
};

Scrubber::Scrubber(StorageServer& server, base::Timers& timers, DiskExecutor readers,
                   Options options)
    : server_(server), timers_(timers), readers_(std::move(readers)), options_(options) {
  timer_ = timers_.after(options_.period, [this] { start(); });
}

Scrubber::~Scrubber() { *alive_ = false; }

void Scrubber::start() {
  if (status_.is_running) return;
  const std::uint64_t runs = status_.runs;
  status_ = {};
  status_.runs = runs;
  status_.is_running = true;
  groups_ = server_.groups();
  status_.groups = groups_.size();
  from_ = {};
  ++run_;
  base::log::info("DFS_SCRUB_STARTED", "reading everything that the device holds");
  timer_ = timers_.after({}, [this] { next(); });
}

void Scrubber::stop() {
  if (!status_.is_running) return;
  status_.is_running = false;
  ++run_;
  timer_ = timers_.after(options_.period, [this] { start(); });
}

void Scrubber::finish() {
  status_.is_running = false;
  ++status_.runs;
  base::log::info("DFS_SCRUB_ENDED", "everything that the device holds was read",
                  {{"bytes", std::to_string(status_.bytes)},
                   {"blocks_bad", std::to_string(status_.blocks_bad)},
                   {"blocks_lost", std::to_string(status_.blocks_lost)}});
  timer_ = timers_.after(options_.period, [this] { start(); });
}

void Scrubber::finish_page(std::uint64_t bytes) {
  status_.bytes += bytes;
  const double seconds =
      static_cast<double>(bytes) / static_cast<double>(options_.bytes_per_second);
  timer_ = timers_.after(
      std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(seconds)),
      [this] { next(); });
}

void Scrubber::next() {
  if (status_.groups_done == groups_.size()) return finish();
  const GroupNumber group = groups_[status_.groups_done];
  ChunkMachine* machine = server_.find_machine(group);
  const auto key = machine == nullptr ? Result<std::optional<PageKey>>(std::optional<PageKey>())
                                      : machine->store().page_at_or_after(from_);
  auto page = std::make_shared<Page>();
  if (key && *key) {
    from_ = {(*key)->object, (*key)->page + 1};
    Result<ReadPlan> plan = machine->store().plan_read(
        (*key)->object, (*key)->page * kPageBlocks * kBlockBytes, kPageBlocks * kBlockBytes);
    if (!plan) {
      base::log::warning("DFS_SCRUB_INDEX_DAMAGED",
                         "checksums of an object cannot be read, going on behind them",
                         {{"object", std::to_string((*key)->object)}}, plan.error());
      ++status_.blocks_lost;
      return finish_page(kBlockBytes);
    }
    page->plan = *std::move(plan);
  } else {
    ++status_.groups_done;
    from_ = {};
    return finish_page(0);
  }
  page->run = run_;
  page->group = group;
  readers_([page] { static_cast<void>(ObjectStore::fill(page->plan, ReadMode::may_wait)); },
           [this, alive = alive_, page] {
             if (*alive && page->run == run_) check(page);
           });
}

void Scrubber::check(const std::shared_ptr<Page>& page) {
  std::uint64_t bytes = 0;
  for (const ReadPlan::Run& run : page->plan.runs) bytes += run.size;
  ChunkMachine* machine = server_.find_machine(page->group);
  if (machine == nullptr) return finish_page(bytes);
  // A page that was changed meanwhile is left to the next run.
  const Result<ReadCheck> found = machine->store().check(page->plan);
  if (!found || found->bad.empty()) return finish_page(bytes);
  page->mending = found->bad.size();
  for (const BlockNumber block : found->bad) {
    ++status_.blocks_bad;
    server_.mender().mend(machine->store(), {page->plan.object, block}, server_.others(page->group),
                          [this, alive = alive_, page, bytes](bool mended) {
                            if (!*alive || page->run != run_) return;
                            if (!mended) ++status_.blocks_lost;
                            if (--page->mending == 0) finish_page(bytes);
                          });
  }
}

}  // namespace dfs::storage

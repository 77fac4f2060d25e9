// SPDX-License-Identifier: Apache-2.0
#include "node/agent/ledger.h"

#include "common/sys/files.h"

namespace node::agent {

namespace {

constexpr std::size_t kMapSize = std::size_t{256} << 20;
constexpr const char* kInstances = "instances";

}  // namespace

struct Ledger::Shared {
  sys::LmdbEnv env;
  sys::LmdbDb db;
};

base::Result<std::unique_ptr<Ledger>> Ledger::open(const std::filesystem::path& folder,
                                                   sys::EventLoop& loop, sys::WorkerPool& workers) {
  sys::LmdbEnv env = TRY(sys::LmdbEnv::open(folder, {.map_size_bytes = kMapSize}));
  const sys::LmdbDb db = TRY(env.database(kInstances));
  return std::unique_ptr<Ledger>(new Ledger(std::move(env), db, loop, workers));
}

Ledger::Ledger(sys::LmdbEnv env, sys::LmdbDb db, sys::EventLoop& loop, sys::WorkerPool& workers)
    : shared_(std::make_shared<Shared>(Shared{std::move(env), db})),
      loop_(loop),
      workers_(workers),
      self_(std::make_shared<Ledger*>(this)) {}

Ledger::~Ledger() { *self_ = nullptr; }

base::Result<Ledger::Loaded> Ledger::load() {
  Loaded out;
  auto txn = TRY(sys::LmdbReadTxn::begin(shared_->env));
  auto cursor = TRY(txn.cursor(shared_->db));
  auto entry = TRY(cursor.first());
  while (entry) {
    auto record = decode_record(entry->second);
    if (record) {
      out.records.push_back(*std::move(record));
    } else {
      out.unreadable.emplace_back(entry->first);
    }
    entry = TRY(cursor.next());
  }
  return out;
}

void Ledger::put(const Record& record, Done done) {
  enqueue(record.status.id.text(), encode(record), std::move(done));
}

void Ledger::erase(const api::InstanceId& id, Done done) {
  enqueue(id.text(), std::nullopt, std::move(done));
}

void Ledger::flush(std::function<void()> done) {
  if (!committing_ && waiting_.empty()) return done();
  flushers_.push_back(std::move(done));
}

void Ledger::enqueue(const std::string& key, std::optional<std::string> value, Done done) {
  Change& change = waiting_[key];
  change.value = std::move(value);
  if (done) change.done.push_back(std::move(done));
  if (!committing_) start_commit();
}

void Ledger::start_commit() {
  committing_ = true;
  auto batch = std::make_shared<Batch>(std::move(waiting_));
  waiting_.clear();
  auto work = [shared = shared_, batch, self = self_, &loop = loop_] {
    auto result = commit(*shared, *batch);
    loop.post([self, batch, result = std::move(result)] {
      if (*self != nullptr) (*self)->finish_commit(*batch, result);
    });
  };
  auto submitted = workers_.submit(std::move(work));
  if (submitted) return;
  // The queue is full: the callers learn that nothing was written and try again.
  loop_.post([self = self_, batch, error = submitted.error()] {
    if (*self != nullptr) (*self)->finish_commit(*batch, error);
  });
}

base::Result<void> Ledger::commit(Shared& shared, const Batch& batch) {
  auto txn = TRY(sys::LmdbWriteTxn::begin(shared.env));
  for (const auto& [key, change] : batch) {
    if (change.value) {
      TRY(txn.put(shared.db, key, *change.value));
    } else {
      TRY(txn.erase(shared.db, key));
    }
  }
  return std::move(txn).commit();
}

void Ledger::finish_commit(Batch& batch, const base::Result<void>& result) {
  committing_ = false;
  for (auto& [key, change] : batch) {
    for (Done& done : change.done) done(result);
  }
  if (!committing_ && !waiting_.empty()) start_commit();
  if (committing_) return;
  auto flushers = std::move(flushers_);
  flushers_.clear();
  for (auto& flusher : flushers) flusher();
}

}  // namespace node::agent

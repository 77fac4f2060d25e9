// SPDX-License-Identifier: Apache-2.0
#include "common/store/table_store.h"

#include <semaphore.h>

#include <cerrno>
#include <map>

#include "common/store/transaction.h"
#include "common/store/undo_tables.h"

namespace store {

using base::Code;
using base::Error;
using base::Result;

namespace {

// As many works share a commit at most, so that the first of them does not wait without end.
constexpr std::size_t kTogetherMax = 128;

// A semaphore that sleeps at once: the standard library's spins first, on the processors that the
// commit needs. See sem_overview(7).
class Wake {
 public:
  Wake() { CHECK_THAT(::sem_init(&semaphore_, 0, 0) == 0); }
  ~Wake() { ::sem_destroy(&semaphore_); }
  Wake(const Wake&) = delete;
  Wake& operator=(const Wake&) = delete;
  void release() { CHECK_THAT(::sem_post(&semaphore_) == 0); }
  void acquire() {
    while (::sem_wait(&semaphore_) != 0) CHECK_THAT(errno == EINTR);
  }

 private:
  sem_t semaphore_;
};

}  // namespace

// A writer in line. It is the owner's; others touch it until they release `woken` for the last
// time.
struct TableStore::Waiting {
  const Work* work;
  Result<void> outcome = {};
  bool done = false;  // else, when woken, it is the one who commits next
  Wake woken = {};
};

Result<void> TableStore::read(const std::function<Result<void>(Reader&)>& work) {
  return read_tables([&](const Tables& tables) {
    Transaction transaction(layout_, tables);
    return work(transaction);
  });
}

Result<TableStore::Outcome> TableStore::run_one(const Work& work, WritableTables& tables) {
  Transaction transaction(layout_, tables);
  TRY(work(transaction));
  const bool changed = TRY(transaction.finish());
  return changed ? Outcome::keep : Outcome::nothing_changed;
}

void TableStore::join_in(std::deque<Waiting*>& group) {
  const std::lock_guard lock(mutex_);
  while (!waiting_.empty() && group.size() < kTogetherMax) {
    group.push_back(waiting_.front());
    waiting_.pop_front();
  }
}

Result<TableStore::Outcome> TableStore::run_all(std::deque<Waiting*>& group,
                                                WritableTables& tables) {
  Outcome all = Outcome::nothing_changed;
  std::size_t done = 0;
  if (group.size() == 1) {
    // Alone it needs no way back: its failure ends the transaction.
    all = TRY(run_one(*group.front()->work, tables));
    join_in(group);
    done = 1;
  }
  for (std::size_t i = done; i < group.size(); ++i) {
    UndoTables undoable(tables);
    const Result<Outcome> one = run_one(*group[i]->work, undoable);
    group[i]->outcome = one ? Result<void>() : Result<void>(one.error());
    if (!one) {
      TRY(undoable.undo());
    } else if (*one == Outcome::keep) {
      all = Outcome::keep;
    }
    if (i + 1 == group.size()) join_in(group);
  }
  return all;
}

Result<void> TableStore::commit_together(std::deque<Waiting*>& group) {
  return write_tables([&](WritableTables& tables) { return run_all(group, tables); });
}

Result<void> TableStore::write(const Work& work) {
  Waiting mine{.work = &work};
  std::unique_lock lock(mutex_);
  waiting_.push_back(&mine);
  if (committing_) {
    lock.unlock();
    mine.woken.acquire();
    if (mine.done) return std::move(mine.outcome);
    lock.lock();
  }
  committing_ = true;
  lock.unlock();
  std::deque<Waiting*> group;
  join_in(group);
  const Result<void> all = commit_together(group);
  for (Waiting* each : group) {
    if (!all && each->outcome) each->outcome = all;
    each->done = true;
  }
  lock.lock();
  // Who came meanwhile: its first one does the next commit.
  Waiting* const next = waiting_.empty() ? nullptr : waiting_.front();
  committing_ = next != nullptr;
  lock.unlock();
  if (next != nullptr) next->woken.release();
  for (Waiting* each : group) {
    if (each != &mine) each->woken.release();  // it may be gone after this
  }
  return std::move(mine.outcome);
}

Result<void> TableStore::refresh() {
  return write_tables([this](WritableTables& tables) -> Result<Outcome> {
    const bool changed = TRY(refresh_indexes(layout_, tables));
    return changed ? Outcome::keep : Outcome::nothing_changed;
  });
}

Result<void> TableStore::dump(const Entry& visit) {
  return read_tables([&](const Tables& tables) -> Result<void> {
    for (TableNumber table = 0; table < layout_.tables.size(); ++table) {
      const std::string& name = layout_.tables[table];
      if (is_index(name)) continue;
      const Tables::Visit pass = [&](std::string_view key, std::string_view value) -> Result<bool> {
        const bool is_marker = table == Layout::kState && is_index(key);
        if (!is_marker) TRY(visit(name, key, value));
        return true;
      };
      TRY(tables.scan(table, "", pass));
    }
    return {};
  });
}

Result<void> TableStore::load(const Fill& fill, Last last) {
  std::map<std::string_view, TableNumber> numbers;
  for (TableNumber table = 0; table < layout_.tables.size(); ++table) {
    if (!is_index(layout_.tables[table])) numbers[layout_.tables[table]] = table;
  }
  return write_tables([&](WritableTables& tables) -> Result<Outcome> {
    const Entry put = [&](std::string_view table, std::string_view key,
                          std::string_view value) -> Result<void> {
      const auto found = numbers.find(table);
      if (found != numbers.end()) return tables.put(found->second, key, value);
      return Error{Code::failed_precondition,
                   "this program does not know '" + std::string(table) +
                       "': the copy is of a program that hosts more, or newer, services",
                   "store_layout_differs"};
    };
    TRY(forget_indexes(tables));
    TRY(fill(put));
    if (last == Last::yes) TRY(refresh_indexes(layout_, tables));
    return Outcome::keep;
  });
}

Result<bool> TableStore::is_empty() {
  bool empty = true;
  const ReadWork look = [&](const Tables& tables) -> Result<void> {
    const Tables::Visit note = [&](std::string_view, std::string_view) -> Result<bool> {
      empty = false;
      return false;
    };
    for (const CollectionLayout& collection : layout_.collections) {
      TRY(tables.scan(collection.records, "", note));
    }
    return tables.scan(Layout::kChanges, "", note);
  };
  TRY(read_tables(look));
  return empty;
}

Result<void> TableStore::replace_with(Store& source) {
  auto* tables_of_source = dynamic_cast<TableStore*>(&source);
  CHECK_THAT(tables_of_source != nullptr && tables_of_source != this);
  if (layout_.tables != tables_of_source->layout_.tables)
    return Error{Code::failed_precondition,
                 "the two stores do not have the same collections and indexes",
                 "store_layout_differs"};
  return write_tables([&](WritableTables& tables) { return take_all(*tables_of_source, tables); });
}

Result<TableStore::Outcome> TableStore::take_all(TableStore& source, WritableTables& tables) {
  TableNumber table = 0;
  const Tables::Visit copy = [&](std::string_view key, std::string_view value) -> Result<bool> {
    TRY(tables.put(table, key, value));
    return true;
  };
  const ReadWork copy_all = [&](const Tables& from) -> Result<void> {
    for (; table < layout_.tables.size(); ++table) {
      TRY(tables.clear(table));
      TRY(from.scan(table, "", copy));
    }
    return {};
  };
  TRY(source.read_tables(copy_all));
  return Outcome::keep;
}

}  // namespace store

// SPDX-License-Identifier: Apache-2.0
// A Store over tables: what all engines share, committing for several writers at once, and copying
// from one engine to another.
//
// Writers that come while another commit is under way share the next one: the first of them runs
// the works of all, one after the other, in one transaction of the engine, and commits once. A work
// that fails is undone alone; when the commit fails, all of them fail. A writer without company
// pays nothing for this. Threads: as Store.
#pragma once

#include <deque>
#include <mutex>

#include "common/store/tables.h"

namespace store {

class TableStore : public Store {
 public:
  explicit TableStore(const Options& options) : layout_(options) {}

  base::Result<void> read(const std::function<base::Result<void>(Reader&)>& work) final;
  base::Result<void> write(const std::function<base::Result<void>(Writer&)>& work) final;
  base::Result<void> replace_with(Store& source) final;
  // Fills the indexes that are new. Called once, when the store has been opened.
  base::Result<void> refresh();

  // What is stored, as it is, in one snapshot and table by table; without the indexes.
  using Entry = std::function<base::Result<void>(std::string_view table, std::string_view key,
                                                 std::string_view value)>;
  base::Result<void> dump(const Entry& visit);
  // Puts back what dump() gave, in one transaction: `fill` calls what it is given for each entry.
  // With `yes` the indexes are made. Errors: failed_precondition store_layout_differs.
  using Fill = std::function<base::Result<void>(const Entry& put)>;
  enum class Last { no, yes };
  base::Result<void> load(const Fill& fill, Last last);
  base::Result<bool> is_empty();  // no records

 protected:
  enum class Outcome { keep, nothing_changed };
  using ReadWork = std::function<base::Result<void>(const Tables&)>;
  using WriteWork = std::function<base::Result<Outcome>(WritableTables&)>;
  // Runs `work` in one snapshot.
  virtual base::Result<void> read_tables(const ReadWork& work) = 0;
  // Runs `work` in one transaction, alone among writers, and commits unless it fails or changed
  // nothing.
  virtual base::Result<void> write_tables(const WriteWork& work) = 0;
  const Layout& layout() const { return layout_; }

 private:
  using Work = std::function<base::Result<void>(Writer&)>;
  struct Waiting;
  // Adds those who wait to the group that commits next.
  void join_in(std::deque<Waiting*>& group);
  base::Result<void> commit_together(std::deque<Waiting*>& group);
  base::Result<Outcome> run_one(const Work& work, WritableTables& tables);
  // The works of the group and of those who join in meanwhile.
  base::Result<Outcome> run_all(std::deque<Waiting*>& group, WritableTables& tables);
  base::Result<Outcome> take_all(TableStore& source, WritableTables& tables);
  const Layout layout_;
  std::mutex mutex_;  // of the two below
  std::deque<Waiting*> waiting_;
  bool committing_ = false;
};

}  // namespace store

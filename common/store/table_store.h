// SPDX-License-Identifier: Apache-2.0
// A Store over tables: what all engines share, and copying from one engine to another.
//
// Threads: as Store.
#pragma once

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
  base::Result<Outcome> take_all(TableStore& source, WritableTables& tables);
  const Layout layout_;
};

}  // namespace store

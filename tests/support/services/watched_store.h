// SPDX-License-Identifier: Apache-2.0
// A store that tells what a thread's own transactions have changed, whatever others write
// meanwhile: how a test knows that a dry run left everything as it was.
//
// Threads: as Store. A Watch stays on its thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/store/store.h"

namespace services::test {

class WatchedStore final : public store::Store {
 public:
  explicit WatchedStore(std::unique_ptr<store::Store> inner) : inner_(std::move(inner)) {}

  // The records that a transaction changed, as "collection key".
  using Changed = std::vector<std::string>;
  // From its beginning to its end, on this thread.
  class Watch {
   public:
    Watch();
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    const std::vector<Changed>& transactions() const { return transactions_; }

   private:
    friend class WatchedStore;
    std::vector<Changed> transactions_;  // those that changed something, committed
    Watch* outer_;
  };

  base::Result<void> read(const std::function<base::Result<void>(store::Reader&)>& work) override;
  base::Result<void> write(const std::function<base::Result<void>(store::Writer&)>& work) override;
  base::Result<void> backup(const std::string& folder) override { return inner_->backup(folder); }
  base::Result<void> replace_with(Store& source) override;

 private:
  std::unique_ptr<store::Store> inner_;
};

}  // namespace services::test

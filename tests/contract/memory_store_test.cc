// SPDX-License-Identifier: Apache-2.0
// The memory engine against the contract.
#include "tests/contract/store_suite.h"

namespace {

class MemoryEngine : public contract::StoreEngine {
 public:
  std::unique_ptr<store::Store> open(store::Options options) override {
    return store::make_memory(std::move(options));
  }
};

}  // namespace

TEST_GROUP(MemoryStore) { MemoryEngine engine; };

STORE_CONTRACT_TESTS(MemoryStore, CONTRACT_TEST)

TEST(MemoryStore, has_no_backup) {
  CHECK_ERROR(base::Code::unsupported, "backup_unsupported",
              engine.open({})->backup("/nonexistent"));
}

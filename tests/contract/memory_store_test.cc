// SPDX-License-Identifier: Apache-2.0
// The memory engine against the contract.
#include "common/store/table_store.h"
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

TEST(MemoryStore, takes_the_place_of_another_one_whole_or_not_at_all) {
  const auto from = engine.open(contract::word_options());
  const auto to = engine.open(contract::word_options());
  const auto put = [](store::Store& store, const char* key) {
    CHECK_OK(store.write([&](store::Writer& writer) -> base::Result<void> {
      TRY(writer.put("words", key, "x"));
      return {};
    }));
  };
  const auto keys = [](store::Store& store) {
    std::string text;
    CHECK_OK(store.read([&](store::Reader& reader) -> base::Result<void> {
      for (const store::Record& record : TRY(reader.find_by("words", "initial", "x", {})))
        text += record.key;
      return {};
    }));
    return text;
  };
  put(*from, "a");
  put(*to, "b");
  CHECK_ERROR(base::Code::failed_precondition, "store_layout_differs",
              to->replace_with(*engine.open({})));
  STRCMP_EQUAL("b", keys(*to).c_str());
  CHECK_OK(to->replace_with(*from));
  STRCMP_EQUAL("a", keys(*to).c_str());
}

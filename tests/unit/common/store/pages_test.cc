// SPDX-License-Identifier: Apache-2.0
#include "common/store/pages.h"

#include <string>
#include <vector>

#include "tests/support/check_result.h"

using base::Result;
using namespace store;

namespace {

constexpr int kRecords = 2500;  // two pages and a half

std::string number(int i) { return std::to_string(10'000 + i); }

Visit take(std::vector<std::string>& keys) {
  return [&keys](Record& record) -> Result<void> {
    keys.push_back(std::move(record.key));
    return {};
  };
}

}  // namespace

TEST_GROUP(StorePages) {
  std::unique_ptr<Store> db = make_memory(
      {.collections = {{"words", {{"parity", [](std::string_view, std::string_view value) {
                                     return std::vector<std::string>{std::string(value)};
                                   }}}}}});

  void setup() override {
    CHECK_OK(db->write([](Writer& writer) -> Result<void> {
      for (int i = 0; i < kRecords; ++i) {
        TRY(writer.put("words", number(i), i % 2 == 0 ? "even" : "odd"));
      }
      TRY(writer.put("words", "other", "even"));
      return {};
    }));
  }
};

TEST(StorePages, visits_each_record_of_a_prefix_once_in_order) {
  std::vector<std::string> keys;
  CHECK_OK(db->read([&](Reader& reader) { return visit(reader, "words", "1", take(keys)); }));
  LONGS_EQUAL(kRecords, keys.size());
  for (int i = 0; i < kRecords; ++i) STRCMP_EQUAL(number(i).c_str(), keys[i].c_str());
}

TEST(StorePages, visits_each_record_of_a_term_once) {
  std::vector<std::string> keys;
  CHECK_OK(db->read(
      [&](Reader& reader) { return visit_by(reader, "words", "parity", "odd", take(keys)); }));
  LONGS_EQUAL(kRecords / 2, keys.size());
  STRCMP_EQUAL(number(1).c_str(), keys.front().c_str());
  STRCMP_EQUAL(number(kRecords - 1).c_str(), keys.back().c_str());
}

TEST(StorePages, an_error_of_the_visitor_ends_it_and_is_returned) {
  int seen = 0;
  CHECK_ERROR(base::Code::throttled, "enough", db->read([&](Reader& reader) {
    return visit(reader, "words", "", [&](Record&) -> Result<void> {
      if (++seen < 1500) return {};
      return base::Error{base::Code::throttled, "enough of them", "enough"};
    });
  }));
  LONGS_EQUAL(1500, seen);
}

TEST(StorePages, what_was_visited_can_be_removed_by_the_visitor) {
  CHECK_OK(db->write([](Writer& writer) {
    return visit(writer, "words", "1",
                 [&](Record& record) { return writer.remove("words", record.key); });
  }));
  std::vector<std::string> left;
  CHECK_OK(db->read([&](Reader& reader) { return visit(reader, "words", "", take(left)); }));
  LONGS_EQUAL(1, left.size());
}

TEST(StorePages, an_unknown_index_is_refused) {
  std::vector<std::string> keys;
  CHECK_ERROR(base::Code::invalid_argument, "index_unknown", db->read([&](Reader& reader) {
    return visit_by(reader, "words", "none", "odd", take(keys));
  }));
}

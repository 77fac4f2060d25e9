// SPDX-License-Identifier: Apache-2.0
// The LMDB engine against the contract, and what only it promises: it outlives its process.
#include <fcntl.h>
#include <unistd.h>

#include "common/sys/handle.h"
#include "tests/contract/store_suite.h"
#include "tests/support/temp_folder.h"

using base::Code;
using base::Result;
using store::Reader;
using store::Store;
using store::Writer;

namespace {

class LmdbEngine : public contract::StoreEngine {
 public:
  std::unique_ptr<Store> open(store::Options options) override {
    return UNWRAP(store::open_lmdb(path("store"), std::move(options)));
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

 private:
  TempFolder folder_;
};

void put(Store& store, const std::string& key, const std::string& value) {
  CHECK_OK(store.write([&](Writer& writer) -> Result<void> {
    TRY(writer.put("words", key, value));
    return {};
  }));
}

std::string find_by_initial(Store& store, const std::string& term) {
  std::string keys;
  CHECK_OK(store.read([&](Reader& reader) -> Result<void> {
    for (const store::Record& record : TRY(reader.find_by("words", "initial", term, {})))
      keys += record.key + " ";
    return {};
  }));
  return keys;
}

// Changes one byte of every copy of `text` in a file.
int damage(const std::string& file, const std::string& text) {
  const sys::Fd fd(::open(file.c_str(), O_RDWR | O_CLOEXEC));
  std::string content(static_cast<std::size_t>(lseek(fd.get(), 0, SEEK_END)), '\0');
  CHECK_THAT(pread(fd.get(), content.data(), content.size(), 0) ==
             static_cast<ssize_t>(content.size()));
  int count = 0;
  for (std::size_t at = content.find(text); at != std::string::npos;
       at = content.find(text, at + 1)) {
    const char flipped = static_cast<char>(text[0] ^ 1);
    CHECK_THAT(pwrite(fd.get(), &flipped, 1, static_cast<off_t>(at)) == 1);
    ++count;
  }
  return count;
}

}  // namespace

TEST_GROUP(LmdbStore) { LmdbEngine engine; };

STORE_CONTRACT_TESTS(LmdbStore, CONTRACT_TEST)

TEST(LmdbStore, records_indexes_and_feed_are_there_after_a_new_open) {
  put(*engine.open(contract::word_options()), "1", "apple");
  const auto store = engine.open(contract::word_options());
  STRCMP_EQUAL("1 ", find_by_initial(*store, "a").c_str());
  put(*store, "2", "avocado");
  std::uint64_t last = 0;
  CHECK_OK(store->read([&](Reader& reader) -> Result<void> {
    last = TRY(reader.last_change());
    return {};
  }));
  LONGS_EQUAL(2, last);
}

TEST(LmdbStore, a_second_user_is_refused_until_the_first_is_gone) {
  auto store = engine.open({});
  CHECK_ERROR(Code::failed_precondition, "store_locked",
              store::open_lmdb(engine.path("store"), {}));
  store.reset();
  CHECK_OK(store::open_lmdb(engine.path("store"), {}));
}

TEST(LmdbStore, an_index_that_is_declared_later_is_filled) {
  put(*engine.open({.collections = {{"words"}}}), "1", "apple");
  STRCMP_EQUAL("1 ", find_by_initial(*engine.open(contract::word_options()), "a").c_str());
}

TEST(LmdbStore, an_index_that_was_left_out_for_a_while_is_filled_anew) {
  put(*engine.open(contract::word_options()), "1", "apple");
  put(*engine.open({.collections = {{"words"}}}), "1", "banana");
  const auto store = engine.open(contract::word_options());
  STRCMP_EQUAL("", find_by_initial(*store, "a").c_str());
  STRCMP_EQUAL("1 ", find_by_initial(*store, "b").c_str());
}

TEST(LmdbStore, a_backup_is_a_whole_store_and_later_writes_are_not_in_it) {
  const auto store = engine.open(contract::word_options());
  put(*store, "1", "apple");
  CHECK_OK(store->backup(engine.path("copy")));
  put(*store, "2", "avocado");
  const auto copy = UNWRAP(store::open_lmdb(engine.path("copy"), contract::word_options()));
  STRCMP_EQUAL("1 ", find_by_initial(*copy, "a").c_str());
  CHECK_ERROR(Code::failed_precondition, "folder_not_empty", store->backup(engine.path("copy")));
}

TEST(LmdbStore, a_full_map_refuses_the_write_and_serves_on) {
  store::Options options = contract::word_options();
  options.map_size_bytes = 1 << 20;
  const auto store = engine.open(options);
  put(*store, "1", "apple");
  const Result<void> full = store->write([](Writer& writer) -> Result<void> {
    TRY(writer.put("plain", "big", std::string(2 << 20, 'x')));
    return {};
  });
  CHECK_ERROR(Code::no_space, "database_full", full);
  put(*store, "2", "avocado");
  STRCMP_EQUAL("1 2 ", find_by_initial(*store, "a").c_str());
}

TEST(LmdbStore, a_flipped_bit_in_a_record_is_never_served) {
  const std::string text = "a rather special value";
  put(*engine.open({.collections = {{"words"}}}), "1", text);
  CHECK_TRUE(damage(engine.path("store") + "/data.mdb", text) > 0);
  const auto store = engine.open({.collections = {{"words"}}});
  CHECK_ERROR(Code::corrupt, "record_corrupt", store->read([](Reader& reader) -> Result<void> {
    TRY(reader.find("words", "1"));
    return {};
  }));
}

TEST(LmdbStore, a_file_that_is_no_database_is_refused) {
  std::filesystem::create_directory(engine.path("store"));
  const sys::Fd fd(::open((engine.path("store") + "/data.mdb").c_str(), O_CREAT | O_WRONLY, 0600));
  const std::string garbage(16384, 'x');
  LONGS_EQUAL(garbage.size(), write(fd.get(), garbage.data(), garbage.size()));
  CHECK_ERROR(Code::corrupt, "store_corrupt", store::open_lmdb(engine.path("store"), {}));
}

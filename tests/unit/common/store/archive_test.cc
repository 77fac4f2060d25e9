// SPDX-License-Identifier: Apache-2.0
#include "common/store/archive.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/support/check_result.h"
#include "tests/support/temp_folder.h"

using base::Code;
using base::Result;
using store::Store;
using store::Writer;

namespace {

store::Options options() { return {.collections = {{"words"}, {"more"}}}; }

TEST_GROUP(Archive) {
  TempFolder folder;
  const std::string path = (folder / "copy").string();

  std::unique_ptr<Store> filled(int count) {
    auto made = store::make_memory(options());
    CHECK_OK(made->write([&](Writer& writer) -> Result<void> {
      for (int i = 0; i < count; ++i)
        TRY(writer.put("words", "key" + std::to_string(i), "value " + std::to_string(i)));
      return {};
    }));
    return made;
  }
  std::string bytes() {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void overwrite(const std::string& content) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
  }
};

TEST(Archive, is_for_its_owner_and_replaces_nothing) {
  const auto full = filled(3);
  const auto written = UNWRAP(store::write_archive(*full, path, "x"));
  CHECK_EQUAL(bytes().size(), written.bytes);
  struct stat about {};
  CHECK_EQUAL(0, ::stat(path.c_str(), &about));
  CHECK_EQUAL(0600u, about.st_mode & 0777u);
  CHECK_ERROR(Code::already_exists, "file_exists", store::write_archive(*full, path, "x"));
  std::size_t files = 0;
  for (const auto& each : std::filesystem::directory_iterator(folder.path())) {
    ++files;
    STRCMP_EQUAL("copy", each.path().filename().c_str());
  }
  CHECK_EQUAL(1u, files);
}

TEST(Archive, what_a_process_that_died_has_left_is_no_hindrance) {
  std::ofstream(path + ".partial") << "half of something";
  CHECK_OK(store::write_archive(*filled(3), path, ""));
  CHECK_OK(store::check_archive(path));
  CHECK_FALSE(std::filesystem::exists(path + ".partial"));
}

TEST(Archive, each_byte_that_is_changed_and_each_that_is_missing_is_found) {
  CHECK_OK(store::write_archive(*filled(10), path, "about"));
  const std::string whole = bytes();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string broken = whole;
    broken[at] = static_cast<char>(broken[at] ^ 0x20);
    overwrite(broken);
    if (store::check_archive(path)) FAIL(("changed at " + std::to_string(at)).c_str());
    overwrite(whole.substr(0, at));
    if (store::check_archive(path)) FAIL(("cut at " + std::to_string(at)).c_str());
  }
  overwrite(whole + "x");
  CHECK_ERROR(Code::corrupt, "archive_corrupt", store::check_archive(path));
  overwrite(whole);
  CHECK_OK(store::check_archive(path));
}

TEST(Archive, frames_that_changed_places_are_found) {
  // Two frames of entries, each larger than what is sent at once.
  auto full = store::make_memory(options());
  CHECK_OK(full->write([&](Writer& writer) -> Result<void> {
    for (const char* key : {"a", "b"})
      TRY(writer.put("words", key, std::string(300 << 10, key[0])));
    return {};
  }));
  CHECK_OK(store::write_archive(*full, path, ""));
  const std::string whole = bytes();
  // A frame: kind, number, length, entry (key, value), checksum.
  const std::size_t first = whole.find(std::string("\0\0\0\1a", 5)) - 9;
  const std::size_t second = whole.find(std::string("\0\0\0\1b", 5)) - 9;
  CHECK(first < second);
  const std::size_t size = second - first;
  overwrite(whole.substr(0, first) + whole.substr(second, size) + whole.substr(first, size) +
            whole.substr(second + size));
  CHECK_ERROR(Code::corrupt, "archive_corrupt", store::check_archive(path));
  overwrite(whole.substr(0, first) + whole.substr(second));
  CHECK_ERROR(Code::corrupt, "archive_corrupt", store::check_archive(path));
}

TEST(Archive, of_a_newer_format_and_of_something_else_is_refused_with_the_reason) {
  overwrite("GESTALT STORE 2\n");
  CHECK_ERROR(Code::unsupported, "archive_format", store::check_archive(path));
  overwrite("PGDMP and so on, long enough");
  CHECK_ERROR(Code::corrupt, "archive_corrupt", store::check_archive(path));
  CHECK_FALSE(store::check_archive((folder / "absent").string()).has_value());
}

TEST(Archive, with_a_collection_that_nobody_knows_is_not_loaded_even_in_part) {
  CHECK_OK(store::write_archive(*filled(3), path, ""));
  const auto other = store::make_memory({.collections = {{"more"}}});
  CHECK_ERROR(Code::failed_precondition, "store_layout_differs",
              store::load_archive(path, *other, store::Commits::one));
  CHECK_OK(other->read([](store::Reader& reader) -> Result<void> {
    CHECK_EQUAL(0u, TRY(reader.last_change()));
    return {};
  }));
}

TEST(Archive, of_an_lmdb_store_is_written_by_another_process_of_it) {
  const std::string place = (folder / "store").string();
  CHECK_ERROR(Code::not_found, "store_absent", store::open_lmdb_to_read(place, options()));
  const auto writer = UNWRAP(store::open_lmdb(place, {.collections = {{"words"}}}));
  CHECK_OK(writer->write([](Writer& each) -> Result<void> {
    TRY(each.put("words", "k", "v"));
    return {};
  }));
  // LMDB wants one environment for each process.
  const pid_t child = ::fork();
  if (child == 0) {
    auto beside = store::open_lmdb_to_read(place, options());  // it knows a collection more
    const bool good = beside && store::write_archive(**beside, path, "").has_value() &&
                      !(*beside)->write([](Writer&) { return Result<void>(); }).has_value();
    ::_exit(good ? 0 : 1);
  }
  int status = 1;
  CHECK_EQUAL(child, ::waitpid(child, &status, 0));
  CHECK_EQUAL(0, status);
  const auto other = store::make_memory(options());
  CHECK_OK(store::load_archive(path, *other, store::Commits::many));
  CHECK_OK(other->read([](store::Reader& reader) -> Result<void> {
    const auto record = TRY(reader.find("words", "k"));
    CHECK(record && record->value == "v");
    return {};
  }));
}

}  // namespace

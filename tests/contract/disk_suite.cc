// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/disk_suite.h"

using base::Code;
using base::Disk;
using base::DiskFile;
using base::OpenMode;

namespace contract {

std::string content_of(DiskFile& file) {
  std::string content(UNWRAP(file.size()), '?');
  LONGS_EQUAL(content.size(), UNWRAP(file.read(0, content)));
  return content;
}

namespace {

std::unique_ptr<DiskFile> make(Disk& disk, const std::string& path, const std::string& content) {
  std::unique_ptr<DiskFile> file = UNWRAP(disk.open(path, OpenMode::create_new));
  CHECK_OK(file->write(0, content));
  return file;
}

std::string content_at(Disk& disk, const std::string& path) {
  return content_of(*UNWRAP(disk.open(path, OpenMode::existing)));
}

std::string list(Disk& disk, const std::string& folder) {
  std::string names;
  for (const std::string& name : UNWRAP(disk.list(folder))) names += name + " ";
  return names;
}

}  // namespace

void what_was_written_is_read(DiskEngine& engine) {
  const auto file = make(engine.disk(), "f", "hello");
  CHECK_OK(file->write(3, "p!"));
  STRCMP_EQUAL("help!", content_of(*file).c_str());
  const std::string large(100'000, 'x');
  CHECK_OK(file->write(511, large));
  LONGS_EQUAL(511 + large.size(), UNWRAP(file->size()));
  std::string back(large.size(), '?');
  LONGS_EQUAL(large.size(), UNWRAP(file->read(511, back)));
  CHECK_TRUE(back == large);
}

void reads_end_at_the_end_of_the_file(DiskEngine& engine) {
  const auto file = make(engine.disk(), "f", "abc");
  std::string out(10, '?');
  LONGS_EQUAL(2, UNWRAP(file->read(1, out)));
  STRCMP_EQUAL("bc", out.substr(0, 2).c_str());
  LONGS_EQUAL(0, UNWRAP(file->read(3, out)));
  LONGS_EQUAL(0, UNWRAP(file->read(1000, out)));
}

void gaps_and_allocations_read_as_zeros(DiskEngine& engine) {
  const auto file = make(engine.disk(), "f", "a");
  CHECK_OK(file->write(1000, "b"));
  CHECK_TRUE(content_of(*file) == "a" + std::string(999, '\0') + "b");
  CHECK_OK(file->allocate(1500, 500));
  LONGS_EQUAL(2000, UNWRAP(file->size()));
  CHECK_OK(file->allocate(0, 100));
  CHECK_TRUE(content_of(*file) == "a" + std::string(999, '\0') + "b" + std::string(999, '\0'));
}

void a_truncated_file_grows_again_with_zeros(DiskEngine& engine) {
  const auto file = make(engine.disk(), "f", std::string(1000, 'x'));
  CHECK_OK(file->truncate(10));
  CHECK_OK(file->truncate(600));
  CHECK_TRUE(content_of(*file) == std::string(10, 'x') + std::string(590, '\0'));
}

void a_punched_hole_reads_as_zeros(DiskEngine& engine) {
  const auto file = make(engine.disk(), "f", std::string(12'000, 'x'));
  CHECK_OK(file->punch(4096, 4096));
  CHECK_OK(file->punch(11'999, 100));
  CHECK_OK(file->punch(1 << 20, 4096));
  CHECK_TRUE(content_of(*file) == std::string(4096, 'x') + std::string(4096, '\0') +
                                      std::string(12'000 - 8193, 'x') + std::string(1, '\0'));
}

void what_is_in_memory_is_read_at_once(DiskEngine& engine) {
  const auto file = make(engine.disk(), "f", "hello");
  std::string out(5, '?');
  // An engine may always say that it would have to wait.
  const std::optional<std::size_t> read = UNWRAP(file->read_cached(0, out));
  if (read) STRCMP_EQUAL("hello", out.c_str());
}

void open_modes_say_what_must_exist(DiskEngine& engine) {
  Disk& disk = engine.disk();
  CHECK_ERROR(Code::not_found, "", disk.open("f", OpenMode::existing));
  CHECK_ERROR(Code::not_found, "", disk.open("missing/f", OpenMode::create));
  make(disk, "f", "x");
  CHECK_ERROR(Code::already_exists, "", disk.open("f", OpenMode::create_new));
  STRCMP_EQUAL("x", content_of(*UNWRAP(disk.open("f", OpenMode::create))).c_str());
  CHECK_ERROR(Code::already_exists, "", disk.make_folder("f"));
  CHECK_OK(disk.make_folder("d"));
  CHECK_FALSE(disk.open("d", OpenMode::existing).has_value());
  CHECK_OK(disk.open("d/f", OpenMode::create));
}

void names_are_listed_sorted(DiskEngine& engine) {
  Disk& disk = engine.disk();
  STRCMP_EQUAL("", list(disk, "").c_str());
  for (const char* name : {"b", "a", ".c"}) make(disk, name, "");
  CHECK_OK(disk.make_folder("d"));
  make(disk, "d/e", "");
  STRCMP_EQUAL(".c a b d ", list(disk, "").c_str());
  STRCMP_EQUAL("e ", list(disk, "d").c_str());
  CHECK_ERROR(Code::not_found, "", disk.list("nope"));
}

void a_rename_replaces_its_target(DiskEngine& engine) {
  Disk& disk = engine.disk();
  CHECK_OK(disk.make_folder("d"));
  make(disk, "d/new", "new");
  make(disk, "d/old", "old");
  CHECK_OK(disk.rename("d/new", "d/old"));
  STRCMP_EQUAL("old ", list(disk, "d").c_str());
  STRCMP_EQUAL("new", content_at(disk, "d/old").c_str());
  CHECK_ERROR(Code::not_found, "", disk.rename("d/none", "d/x"));
  CHECK_ERROR(Code::invalid_argument, "rename_across_folders", disk.rename("d/old", "old"));
}

void an_open_file_outlives_its_name(DiskEngine& engine) {
  const auto file = make(engine.disk(), "f", "x");
  CHECK_OK(engine.disk().remove("f"));
  CHECK_ERROR(Code::not_found, "", engine.disk().remove("f"));
  CHECK_OK(file->write(1, "y"));
  STRCMP_EQUAL("xy", content_of(*file).c_str());
  STRCMP_EQUAL("", list(engine.disk(), "").c_str());
}

void folders_are_removed_only_when_empty(DiskEngine& engine) {
  Disk& disk = engine.disk();
  CHECK_OK(disk.make_folder("d"));
  make(disk, "d/f", "");
  CHECK_FALSE(disk.remove_folder("d").has_value());
  CHECK_FALSE(disk.remove("d").has_value());
  CHECK_FALSE(disk.remove_folder("d/f").has_value());
  CHECK_OK(disk.remove("d/f"));
  CHECK_OK(disk.remove_folder("d"));
  CHECK_ERROR(Code::not_found, "", disk.remove_folder("d"));
}

void paths_cannot_leave_the_disk(DiskEngine& engine) {
  for (const std::string& path :
       {std::string(), std::string("/etc/passwd"), std::string("../f"), std::string("a/../../f"),
        std::string("."), std::string("a//b"), std::string("a/"), std::string("a\0b", 3)}) {
    CHECK_ERROR(Code::invalid_argument, "disk_path_invalid",
                engine.disk().open(path, OpenMode::create));
    CHECK_ERROR(Code::invalid_argument, "disk_path_invalid", engine.disk().make_folder(path));
    CHECK_ERROR(Code::invalid_argument, "disk_path_invalid", engine.disk().remove(path));
    CHECK_ERROR(Code::invalid_argument, "disk_path_invalid", engine.disk().rename(path, "x"));
  }
}

void synced_files_and_folders_are_still_there(DiskEngine& engine) {
  const auto file = make(engine.disk(), "f", "x");
  CHECK_OK(file->sync());
  CHECK_OK(engine.disk().sync_folder(""));
  STRCMP_EQUAL("x", content_at(engine.disk(), "f").c_str());
  CHECK_ERROR(Code::not_found, "", engine.disk().sync_folder("nope"));
}

void free_space_is_known(DiskEngine& engine) { CHECK_TRUE(UNWRAP(engine.disk().free_bytes()) > 0); }

}  // namespace contract

// SPDX-License-Identifier: Apache-2.0
#include "common/sys/lmdb.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/check_result.h"
#include "tests/support/temp_folder.h"

using base::Code;
using sys::LmdbCursor;
using sys::LmdbDb;
using sys::LmdbEnv;
using sys::LmdbOptions;
using sys::LmdbReadTxn;
using sys::LmdbWriteTxn;

TEST_GROUP(Lmdb) {
  TempFolder folder;

  LmdbEnv open(LmdbOptions options = {}) { return UNWRAP(LmdbEnv::open(folder / "db", options)); }

  static void put(LmdbEnv & env, LmdbDb db, std::string_view key, std::string_view value) {
    LmdbWriteTxn txn = UNWRAP(LmdbWriteTxn::begin(env));
    CHECK_OK(txn.put(db, key, value));
    CHECK_OK(std::move(txn).commit());
  }

  static std::string get(LmdbEnv & env, LmdbDb db, std::string_view key) {
    LmdbReadTxn txn = UNWRAP(LmdbReadTxn::begin(env));
    return std::string(UNWRAP(txn.get(db, key)));
  }
};

TEST(Lmdb, committed_values_are_there_after_a_new_open) {
  {
    LmdbEnv env = open();
    const LmdbDb db = UNWRAP(env.database("things"));
    put(env, db, "a", "1");
    STRCMP_EQUAL("1", get(env, db, "a").c_str());
  }
  LmdbEnv env = open();
  const LmdbDb db = UNWRAP(env.database("things"));
  STRCMP_EQUAL("1", get(env, db, "a").c_str());
  LmdbReadTxn txn = UNWRAP(LmdbReadTxn::begin(env));
  LONGS_EQUAL(1, UNWRAP(txn.count(db)));
  CHECK_ERROR(Code::not_found, "key_absent", txn.get(db, "b"));
  CHECK_FALSE(UNWRAP(txn.find(db, "b")).has_value());
}

TEST(Lmdb, a_transaction_that_goes_out_of_scope_leaves_nothing) {
  LmdbEnv env = open();
  const LmdbDb db = UNWRAP(env.database("things"));
  {
    LmdbWriteTxn txn = UNWRAP(LmdbWriteTxn::begin(env));
    CHECK_OK(txn.put(db, "a", "1"));
  }
  LmdbReadTxn txn = UNWRAP(LmdbReadTxn::begin(env));
  LONGS_EQUAL(0, UNWRAP(txn.count(db)));
}

TEST(Lmdb, a_reader_keeps_its_snapshot_while_a_writer_commits) {
  LmdbEnv env = open();
  const LmdbDb db = UNWRAP(env.database("things"));
  put(env, db, "a", "1");
  LmdbReadTxn before = UNWRAP(LmdbReadTxn::begin(env));
  put(env, db, "a", "2");
  STRCMP_EQUAL("1", std::string(UNWRAP(before.get(db, "a"))).c_str());
  STRCMP_EQUAL("2", get(env, db, "a").c_str());
}

TEST(Lmdb, a_cursor_walks_keys_in_byte_order) {
  LmdbEnv env = open();
  const LmdbDb db = UNWRAP(env.database("things"));
  for (const char* key : {"b", "a/1", "a", "a/2", "\xff"}) put(env, db, key, "x");
  LmdbReadTxn txn = UNWRAP(LmdbReadTxn::begin(env));
  LmdbCursor cursor = UNWRAP(txn.cursor(db));
  std::string seen;
  for (auto entry = UNWRAP(cursor.seek("")); entry; entry = UNWRAP(cursor.next()))
    seen += std::string(entry->first) + " ";
  STRCMP_EQUAL("a a/1 a/2 b \xff ", seen.c_str());
  STRCMP_EQUAL("b", std::string(UNWRAP(cursor.seek("a/3"))->first).c_str());
  STRCMP_EQUAL("a/2", std::string(UNWRAP(cursor.previous())->first).c_str());
  STRCMP_EQUAL("\xff", std::string(UNWRAP(cursor.last())->first).c_str());
  STRCMP_EQUAL("a", std::string(UNWRAP(cursor.first())->first).c_str());
}

TEST(Lmdb, erase_says_whether_the_key_was_there_and_clear_empties) {
  LmdbEnv env = open();
  const LmdbDb db = UNWRAP(env.database("things"));
  put(env, db, "a", "1");
  put(env, db, "b", "2");
  LmdbWriteTxn txn = UNWRAP(LmdbWriteTxn::begin(env));
  CHECK_TRUE(UNWRAP(txn.erase(db, "a")));
  CHECK_FALSE(UNWRAP(txn.erase(db, "a")));
  CHECK_OK(txn.clear(db));
  LONGS_EQUAL(0, UNWRAP(txn.count(db)));
}

TEST(Lmdb, keys_that_are_empty_or_over_511_bytes_are_refused) {
  LmdbEnv env = open();
  const LmdbDb db = UNWRAP(env.database("things"));
  for (const std::string& key : {std::string(), std::string(512, 'k')}) {
    LmdbWriteTxn txn = UNWRAP(LmdbWriteTxn::begin(env));
    CHECK_ERROR(Code::invalid_argument, "key_invalid", txn.put(db, key, "1"));
  }
  put(env, db, std::string(511, 'k'), "1");
}

TEST(Lmdb, a_full_map_is_no_space_and_the_database_stays_usable) {
  LmdbEnv env = open({.map_size_bytes = 256 << 10});
  const LmdbDb db = UNWRAP(env.database("things"));
  put(env, db, "a", "1");
  {
    LmdbWriteTxn txn = UNWRAP(LmdbWriteTxn::begin(env));
    CHECK_ERROR(Code::no_space, "database_full", txn.put(db, "big", std::string(1 << 20, 'x')));
    CHECK_FALSE(std::move(txn).commit().has_value());
  }
  put(env, db, "b", "2");
  STRCMP_EQUAL("1", get(env, db, "a").c_str());
  STRCMP_EQUAL("2", get(env, db, "b").c_str());
}

TEST(Lmdb, a_copy_is_a_whole_database) {
  LmdbEnv env = open();
  const LmdbDb db = UNWRAP(env.database("things"));
  put(env, db, "a", "1");
  CHECK_ERROR(Code::failed_precondition, "folder_not_empty", env.copy_to(folder / "absent"));
  CHECK_ERROR(Code::failed_precondition, "folder_not_empty", env.copy_to(folder / "db"));
  std::filesystem::create_directory(folder / "copy");
  CHECK_OK(env.copy_to(folder / "copy"));
  LmdbEnv copy = UNWRAP(LmdbEnv::open(folder / "copy"));
  const LmdbDb copied = UNWRAP(copy.database("things"));
  STRCMP_EQUAL("1", get(copy, copied, "a").c_str());
}

TEST(Lmdb, files_get_their_mode_whatever_the_umask) {
  const mode_t before = umask(0077);
  LmdbEnv env = open({.mode = 0660});
  umask(before);
  for (const char* name : {"data.mdb", "lock.mdb"}) {
    struct stat status {};
    LONGS_EQUAL(0, stat((folder / "db" / name).c_str(), &status));
    LONGS_EQUAL(0660, status.st_mode & 07777);
  }
  LONGS_EQUAL(2, std::distance(std::filesystem::directory_iterator(folder / "db"),
                               std::filesystem::directory_iterator()));
}

TEST(Lmdb, no_descriptor_is_left_open_to_programs_that_are_started) {
  LmdbEnv env = open();
  int found = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;  // the iterator's own descriptor
    const auto target = std::filesystem::read_symlink(entry.path(), gone);
    if (gone || !target.string().starts_with(folder.path().string())) continue;
    ++found;
    LONGS_EQUAL(FD_CLOEXEC, fcntl(std::stoi(entry.path().filename()), F_GETFD));
  }
  CHECK_TRUE(found >= 2);
}

TEST(Lmdb, a_file_that_is_no_database_is_corrupt) {
  std::filesystem::create_directory(folder / "db");
  std::FILE* file = std::fopen((folder / "db" / "data.mdb").c_str(), "w");
  std::fputs(std::string(8192, 'x').c_str(), file);
  std::fclose(file);
  CHECK_ERROR(Code::corrupt, "database_corrupt", LmdbEnv::open(folder / "db"));
}

// Runs in a process of its own that was forked before the parent opened the environment.
static int fill_two_mebibytes(const std::filesystem::path& path) {
  auto env = LmdbEnv::open(path, {.map_size_bytes = 16 << 20});
  if (!env) return 1;
  auto db = env->database("things");
  if (!db) return 2;
  auto txn = LmdbWriteTxn::begin(*env);
  if (!txn) return 3;
  if (!txn->put(*db, "big", std::string(2 << 20, 'x'))) return 4;
  return std::move(*txn).commit() ? 0 : 5;
}

TEST(Lmdb, a_map_that_another_process_grew_is_adopted) {
  int go[2];
  LONGS_EQUAL(0, pipe(go));
  const pid_t child = fork();
  if (child == 0) {
    char byte = 0;
    _exit(read(go[0], &byte, 1) == 1 ? fill_two_mebibytes(folder / "db") : 6);
  }
  LmdbEnv env = open({.map_size_bytes = 256 << 10});
  const LmdbDb db = UNWRAP(env.database("things"));
  put(env, db, "a", "1");
  LONGS_EQUAL(1, write(go[1], "g", 1));
  int status = 0;
  LONGS_EQUAL(child, waitpid(child, &status, 0));
  LONGS_EQUAL(0, WIFEXITED(status) ? WEXITSTATUS(status) : 99);
  STRCMP_EQUAL("1", get(env, db, "a").c_str());
  put(env, db, "b", "2");
  LONGS_EQUAL(2 << 20, get(env, db, "big").size());
  CHECK_TRUE(env.usage().map_size_bytes > 2 << 20);
  close(go[0]);
  close(go[1]);
}

// SPDX-License-Identifier: Apache-2.0
// Each command runs in a process of its own, as an operator's does, beside a store that is open
// here.
#include "services/store_tool.h"

#include <CppUTest/TestHarness.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "services/daemon.h"
#include "tests/support/check_result.h"
#include "tests/support/temp_folder.h"

namespace {

using base::Json;
using base::Result;

TEST_GROUP(StoreTool) {
  TempFolder folder;
  const std::string copy = (folder / "copy").string();

  std::string config(const std::string& name) {
    const std::string file = (folder / (name + ".json")).string();
    std::ofstream(file) << Json{{"state", (folder / name).string()}};
    return file;
  }
  services::StoreSettings settings(const std::string& name) {
    return UNWRAP(services::store_settings({{"state", (folder / name).string()}}, ""));
  }
  std::unique_ptr<store::Store> filled(const std::string& name, int count) {
    std::filesystem::create_directories(folder / name / "security");
    std::ofstream(folder / name / "security/seal.key") << "the key of " << name;
    auto made = UNWRAP(services::open_store(settings(name)));
    CHECK_OK(made->write([&](store::Writer& writer) -> Result<void> {
      for (int i = 0; i < count; ++i)
        TRY(writer.put("event.channels", "c" + std::to_string(i), std::string(100, 'x')));
      return {};
    }));
    return made;
  }
  std::size_t count(const std::string& name) {
    const auto opened = UNWRAP(services::open_store(settings(name)));
    std::size_t found = 0;
    CHECK_OK(opened->read([&](store::Reader& reader) -> Result<void> {
      found = TRY(reader.list("event.channels", {.limit = 1'000'000})).size();
      return {};
    }));
    return found;
  }
  pid_t begin(const std::vector<std::string>& arguments) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    const int out = ::open((folder / "said").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    const int status = services::run_store_tool(arguments);
    std::fflush(nullptr);
    ::_exit(status);
  }
  int tool(const std::vector<std::string>& arguments) {
    int status = -1;
    ::waitpid(begin(arguments), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string said() {
    std::ifstream in(folder / "said");
    return {std::istreambuf_iterator<char>(in), {}};
  }
  bool says(const char* text) { return said().find(text) != std::string::npos; }
};

TEST(StoreTool, copies_a_store_that_is_open_and_loads_it_where_none_is) {
  const auto open = filled("one", 50);
  CHECK_EQUAL(0, tool({"backup", "--config", config("one"), copy}));
  CHECK(says("50") || says("entries"));
  CHECK(says("not in it: the keys"));
  CHECK_EQUAL(1, tool({"backup", "--config", config("one"), copy}));
  CHECK(says("file_exists"));
  CHECK_EQUAL(0, tool({"verify", copy}));
  CHECK_EQUAL(0, tool({"info", "--config", config("one")}));
  CHECK(says("event.channels"));

  CHECK_EQUAL(1, tool({"restore", "--config", config("two"), copy}));
  CHECK(says("keys_differ") && says("seal.key is missing"));
  std::filesystem::create_directories(folder / "two/security");
  std::ofstream(folder / "two/security/seal.key") << "another";
  CHECK_EQUAL(1, tool({"restore", "--config", config("two"), copy}));
  CHECK(says("seal.key is another key"));
  std::filesystem::copy_file(folder / "one/security/seal.key", folder / "two/security/seal.key",
                             std::filesystem::copy_options::overwrite_existing);
  CHECK_EQUAL(0, tool({"restore", "--config", config("two"), copy}));
  CHECK_EQUAL(50u, count("two"));
  CHECK_EQUAL(1, tool({"restore", "--config", config("two"), copy}));
  CHECK(says("store_not_empty"));
  CHECK_EQUAL(0, tool({"restore", "--other-keys", "--config", config("three"), copy}));
  CHECK_EQUAL(50u, count("three"));
}

TEST(StoreTool, a_copy_that_is_broken_is_refused_before_anything_is_made) {
  filled("one", 5).reset();
  CHECK_EQUAL(0, tool({"backup", "--config", config("one"), copy}));
  std::filesystem::resize_file(copy, std::filesystem::file_size(copy) - 1);
  CHECK_EQUAL(1, tool({"verify", copy}));
  CHECK(says("archive_corrupt"));
  CHECK_EQUAL(1, tool({"restore", "--other-keys", "--config", config("two"), copy}));
  CHECK_FALSE(std::filesystem::exists(folder / "two"));
}

TEST(StoreTool, a_restore_that_is_killed_leaves_no_store_and_can_be_done_again) {
  filled("one", 60'000).reset();
  CHECK_EQUAL(0, tool({"backup", "--config", config("one"), copy}));
  for (int i = 0; i < 8; ++i) {
    const pid_t child = begin({"restore", "--other-keys", "--config", config("two"), copy});
    ::usleep(static_cast<useconds_t>(10'000 * (i + 1)));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (!WIFSIGNALED(status)) break;  // it was faster
    CHECK_FALSE(std::filesystem::exists(folder / "two/store"));
  }
  if (!std::filesystem::exists(folder / "two/store"))
    CHECK_EQUAL(0, tool({"restore", "--other-keys", "--config", config("two"), copy}));
  CHECK_EQUAL(60'000u, count("two"));
  CHECK_FALSE(std::filesystem::exists(folder / "two/store.restoring"));
}

TEST(StoreTool, copies_from_one_store_to_another_that_is_empty) {
  const auto open = filled("one", 7);
  const std::vector<std::string> line = {"copy", "--config", config("one"), "--to", config("two")};
  std::filesystem::create_directories(folder / "two");
  CHECK_EQUAL(0, tool(line));
  CHECK_EQUAL(7u, count("two"));
  CHECK_EQUAL(1, tool(line));
  CHECK(says("store_not_empty"));
}

TEST(StoreTool, says_how_it_is_used) {
  CHECK_EQUAL(0, tool({"--help"}));
  CHECK(says("backup") && says("restore") && says("verify"));
  CHECK_EQUAL(2, tool({}));
  CHECK_EQUAL(2, tool({"backup"}));
  CHECK_EQUAL(2, tool({"shrink"}));
  CHECK_EQUAL(1, tool({"backup", "--config", (folder / "absent.json").string(), copy}));
}

}  // namespace

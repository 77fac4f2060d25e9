// SPDX-License-Identifier: Apache-2.0
#include "cli/node_init.h"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "common/base/config.h"
#include "common/base/text.h"
#include "common/rest/auth.h"
#include "tests/support/check_result.h"
#include "tests/support/temp_folder.h"

namespace {

using base::Code;
namespace fs = std::filesystem;

mode_t mode_of(const fs::path& path) {
  struct stat facts {};
  CHECK_EQUAL(0, ::stat(path.c_str(), &facts));
  return facts.st_mode & 07777;
}

gid_t group_of(const fs::path& path) {
  struct stat facts {};
  CHECK_EQUAL(0, ::stat(path.c_str(), &facts));
  return facts.st_gid;
}

}  // namespace

// "daemon" stands for the group gestalt, which need not exist on a build machine.
TEST_GROUP(NodeInit) {
  TempFolder folder;
  cli::NodeInitOptions options{.state = folder / "state", .group = "daemon"};

  std::string text(const char* file) { return base::read_file(options.state / file).value_or(""); }
  cli::NodeInitOutcome init() {
    const auto outcome = cli::init_node(options, base::system_rng());
    CHECK_OK(outcome);
    return *outcome;
  }
};

TEST(NodeInit, a_first_boot_makes_everything_with_the_right_modes) {
  const auto outcome = init();
  LONGS_EQUAL(36, outcome.node_id.size());
  LONGS_EQUAL(0755, mode_of(options.state));
  LONGS_EQUAL(02770, mode_of(options.state / "coordination"));
  LONGS_EQUAL(0750, mode_of(options.state / "credentials"));
  LONGS_EQUAL(0640, mode_of(options.state / "credentials/tokens.json"));
  LONGS_EQUAL(0600, mode_of(options.state / "credentials/admin.token"));
  CHECK_FALSE(fs::exists(options.state / "credentials/.staging"));
  LONGS_EQUAL(6, outcome.made.size());
}

TEST(NodeInit, root_gives_the_hashes_to_the_group_and_keeps_the_token) {
  if (::geteuid() != 0) return;
  init();
  const gid_t wanted = ::getgrnam("daemon")->gr_gid;
  LONGS_EQUAL(wanted, group_of(options.state / "credentials"));
  LONGS_EQUAL(wanted, group_of(options.state / "credentials/tokens.json"));
  LONGS_EQUAL(wanted, group_of(options.state / "coordination"));
  LONGS_EQUAL(0, group_of(options.state / "credentials/admin.token"));
}

TEST(NodeInit, the_token_opens_every_scope_and_is_not_in_the_file_of_hashes) {
  init();
  const std::string token(base::trim(text("credentials/admin.token")));
  rest::TokenFile tokens({.file = options.state / "credentials/tokens.json"});
  const auto principal = tokens.authenticate({.peer = {}, .authorization = "Bearer " + token});
  CHECK_OK(principal);
  STRCMP_EQUAL("token:admin", principal->name.c_str());
  CHECK(principal->has("node:admin"));
  CHECK(text("credentials/tokens.json").find(token) == std::string::npos);
}

TEST(NodeInit, a_second_run_changes_nothing) {
  const auto first = init();
  const std::string token = text("credentials/admin.token");
  const auto second = init();
  STRCMP_EQUAL(first.node_id.c_str(), second.node_id.c_str());
  LONGS_EQUAL(0, second.made.size());
  STRCMP_EQUAL(token.c_str(), text("credentials/admin.token").c_str());
}

TEST(NodeInit, two_nodes_share_neither_id_nor_token) {
  const auto first = init();
  const std::string token = text("credentials/admin.token");
  options.state = folder / "other";
  CHECK(first.node_id != init().node_id);
  CHECK(token != text("credentials/admin.token"));
}

TEST(NodeInit, a_crash_before_the_hashes_are_published_starts_over) {
  init();
  const std::string old_token = text("credentials/admin.token");
  // As a crash between writing admin.token and tokens.json leaves it.
  fs::remove(options.state / "credentials/tokens.json");
  fs::create_directories(options.state / "credentials/.staging");
  std::ofstream(options.state / "credentials/.staging/tokens.json") << "{\"tokens\": [";
  init();
  const std::string token(base::trim(text("credentials/admin.token")));
  CHECK(old_token != token);
  rest::TokenFile tokens({.file = options.state / "credentials/tokens.json"});
  CHECK_OK(tokens.authenticate({.peer = {}, .authorization = "Bearer " + token}));
}

TEST(NodeInit, a_deleted_admin_token_stays_deleted) {
  init();
  fs::remove(options.state / "credentials/admin.token");
  LONGS_EQUAL(0, init().made.size());
  CHECK_FALSE(fs::exists(options.state / "credentials/admin.token"));
}

TEST(NodeInit, wrong_modes_are_put_right) {
  init();
  CHECK_EQUAL(0, ::chmod((options.state / "credentials/admin.token").c_str(), 0644));
  CHECK_EQUAL(0, ::chmod((options.state / "credentials/tokens.json").c_str(), 0666));
  init();
  LONGS_EQUAL(0600, mode_of(options.state / "credentials/admin.token"));
  LONGS_EQUAL(0640, mode_of(options.state / "credentials/tokens.json"));
}

TEST(NodeInit, a_missing_group_or_a_damaged_identity_is_an_error) {
  options.group = "no-such-group";
  CHECK_ERROR(Code::failed_precondition, "group_missing",
              cli::init_node(options, base::system_rng()));
  CHECK_FALSE(fs::exists(options.state));
  options.group = "daemon";
  init();
  std::ofstream(options.state / "node_id") << "x\n";
  CHECK_ERROR(Code::corrupt, "node_id_invalid", cli::init_node(options, base::system_rng()));
}

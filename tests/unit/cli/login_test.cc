// SPDX-License-Identifier: Apache-2.0
#include "cli/login.h"

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/check_result.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/cli/fake_daemon.h"

using cli::Daemon;
using cli::Session;
using cli::Status;

TEST_GROUP(Login) {
  TempFolder folder;
  std::ostringstream out, err;
  Session session{.out = out, .err = err};
  FakeDaemon services{folder / "services.sock"};
  std::string file = (folder / "home" / "login.json").string();

  void setup() override {
    session.run_folder = folder.path();
    ::setenv("GESTALT_LOGIN_FILE", file.c_str(), 1);
    std::ofstream(folder / "password") << "ada-secret\n";
    services.answer("POST /security/acme/oauth/issue",
                    R"({"access_token":"gsta_x","refresh_token":"gstr_x","token_type":"bearer",
                        "gestalt_access_token_href":"/accessTokens/7"})");
    services.answer("GET /security/accounts/self", R"({"id":"a","username":"ada"})");
    services.answer("GET /security/orgs/current", R"({"id":"o","fqon":"acme"})");
    services.answer("DELETE /security/accessTokens/7", R"({"wasDeleted":true})");
  }
  void teardown() override { ::unsetenv("GESTALT_LOGIN_FILE"); }
  Status log_in() {
    return cli::login(
        session,
        {.org = "acme", .username = "ada", .password_file = (folder / "password").string()});
  }
};

TEST(Login, keeps_the_token_where_its_owner_alone_reads_it) {
  CHECK_TRUE(log_in() == Status::ok);
  STRCMP_EQUAL("logged in as ada in acme\n", out.str().c_str());
  STRCMP_EQUAL(
      R"(POST /security/acme/oauth/issue {"grant_type":"password","password":"ada-secret","username":"ada"})",
      services.asked()[0].c_str());
  struct stat status {};
  CHECK_TRUE(::stat(file.c_str(), &status) == 0);
  LONGS_EQUAL(0600, status.st_mode & 0777);
  CHECK_TRUE(out.str().find("gsta_x") == std::string::npos);
}

TEST(Login, the_token_goes_to_its_own_address_alone) {
  CHECK_TRUE(log_in() == Status::ok);
  CHECK_TRUE(UNWRAP(session.endpoint(Daemon::services)).token.reveal() == "gsta_x");
  CHECK_TRUE(UNWRAP(session.endpoint(Daemon::master)).token.empty());
  session.url = "http://elsewhere:9000";
  CHECK_TRUE(UNWRAP(session.endpoint(Daemon::services)).token.empty());
}

TEST(Login, says_who_it_is_and_forgets_it) {
  CHECK_TRUE(log_in() == Status::ok);
  out.str("");
  CHECK_TRUE(cli::whoami(session) == Status::ok);
  STRCMP_EQUAL("ada in acme\n", out.str().c_str());
  CHECK_TRUE(cli::logout(session) == Status::ok);
  STRCMP_EQUAL("DELETE /security/accessTokens/7", services.asked().back().c_str());
  CHECK_FALSE(std::filesystem::exists(file));
  CHECK_TRUE(cli::logout(session) == Status::ok);
}

TEST(Login, tells_what_the_service_said) {
  services.answer("POST /security/root/oauth/issue",
                  R"({"error":"invalid_grant","error_description":"Rate limit exceeded"})", 400);
  const Status status =
      cli::login(session, {.username = "ada", .password_file = (folder / "password").string()});
  CHECK_TRUE(status == Status::refused);
  CHECK_TRUE(err.str().find("Rate limit exceeded") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(file));
  CHECK_TRUE(cli::login(session, {}) == Status::failed);
}

TEST(Login, takes_the_key_of_the_first_boot) {
  std::ofstream(folder / "key") << R"({"apiKey":"k","apiSecret":"s"})";
  CHECK_TRUE(cli::login(session, {.org = "acme", .key_file = (folder / "key").string()}) ==
             Status::ok);
  STRCMP_EQUAL(R"(POST /security/acme/oauth/issue {"grant_type":"client_credentials"})",
               services.asked()[0].c_str());
}

TEST(Login, a_damaged_file_is_told_of) {
  std::filesystem::create_directories(folder / "home");
  std::ofstream(file) << "{}";
  CHECK_ERROR(base::Code::invalid_argument, "login_file_invalid",
              session.endpoint(Daemon::services));
  CHECK_OK(session.endpoint(Daemon::master));
}

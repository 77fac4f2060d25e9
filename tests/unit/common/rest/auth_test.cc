// SPDX-License-Identifier: Apache-2.0
#include "common/rest/auth.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/base/config.h"
#include "common/base/text.h"
#include "tests/support/check_result.h"

using base::Code;

TEST_GROUP(TokenFile) {
  std::filesystem::path folder;
  std::filesystem::path file;

  void setup() override {
    char name[] = "/tmp/rest-auth-XXXXXX";
    CHECK_TRUE(::mkdtemp(name) != nullptr);
    folder = name;
    file = folder / "tokens.json";
  }
  void teardown() override { std::filesystem::remove_all(folder); }

  std::string mint(const char* id, const std::vector<std::string>& scopes) {
    return std::string(
        UNWRAP(rest::TokenFile::mint(file, id, scopes, base::system_rng())).reveal());
  }
  static base::Result<rest::Principal> ask(rest::TokenFile & tokens, const std::string& header) {
    return tokens.authenticate({std::nullopt, header});
  }
};

TEST(TokenFile, the_authorization_header_has_three_forms) {
  const auto read = [](const char* header) { return UNWRAP(rest::parse_authorization(header)); };
  for (const char* header : {"Bearer abc", "bearer  abc ", "token=abc", "TOKEN=abc"}) {
    STRCMP_EQUAL("abc", std::string(read(header).token.reveal()).c_str());
    STRCMP_EQUAL("", read(header).id.c_str());
  }
  const rest::PresentedToken basic = read("Basic YWRtaW46YTpi");  // admin:a:b
  STRCMP_EQUAL("admin", basic.id.c_str());
  STRCMP_EQUAL("a:b", std::string(basic.token.reveal()).c_str());
}

TEST(TokenFile, other_headers_are_not_credentials) {
  const std::string long_one = "Bearer " + std::string(5000, 'a');
  for (const char* header :
       {"", " ", "Bearer", "Bearer ", "Bearer=abc", "token abc", "token=", "Basic", "Basic !",
        "Basic YWRtaW4=", "Basic OnNlY3JldA==", "Digest a=b", "Bearer a b", "Bearer a\x01",
        "Basic YQpiOmM=", long_one.c_str()}) {
    CHECK_ERROR(Code::unauthenticated, "credentials_invalid", rest::parse_authorization(header));
  }
}

TEST(TokenFile, a_minted_token_is_accepted_in_every_form_and_stored_as_a_hash_only) {
  const std::string token = mint("admin", {"app:read", "app:write"});
  rest::TokenFile tokens({.file = file});
  for (const std::string& header :
       {"Bearer " + token, "token=" + token, "Basic " + base::to_base64url("admin:" + token)}) {
    const rest::Principal principal = UNWRAP(ask(tokens, header));
    STRCMP_EQUAL("token:admin", principal.name.c_str());
    CHECK_TRUE(principal.has("app:write"));
    CHECK_FALSE(principal.has("node:admin"));
  }
  CHECK_TRUE(UNWRAP(base::read_file(file)).find(token) == std::string::npos);
  struct stat status {};
  LONGS_EQUAL(0, ::stat(file.c_str(), &status));
  LONGS_EQUAL(0640, status.st_mode & 07777);
}

TEST(TokenFile, wrong_tokens_and_wrong_ids_get_the_same_answer) {
  const std::string token = mint("admin", {"*"});
  mint("other", {"*"});
  rest::TokenFile tokens({.file = file});
  for (const std::string& header :
       {std::string("Bearer wrong"), "Bearer " + token + "x", "Bearer " + token.substr(1),
        "Basic " + base::to_base64url("other:" + token),
        "Basic " + base::to_base64url("nobody:" + token)}) {
    const auto answer = ask(tokens, header);
    CHECK_ERROR(Code::unauthenticated, "credentials_invalid", answer);
    STRCMP_EQUAL("the credentials are not valid", answer.error().detail.c_str());
  }
  CHECK_ERROR(Code::unauthenticated, "credentials_missing", ask(tokens, ""));
}

TEST(TokenFile, a_changed_file_counts_at_once) {
  rest::TokenFile tokens({.file = file});
  CHECK_ERROR(Code::unauthenticated, "credentials_invalid", ask(tokens, "Bearer x"));
  const std::string first = mint("first", {"*"});
  CHECK_OK(ask(tokens, "Bearer " + first));
  const std::string second = mint("second", {"*"});
  CHECK_OK(ask(tokens, "Bearer " + first));
  CHECK_OK(ask(tokens, "Bearer " + second));
  std::filesystem::remove(file);
  CHECK_ERROR(Code::unauthenticated, "credentials_invalid", ask(tokens, "Bearer " + first));
}

TEST(TokenFile, a_file_that_is_wrong_lets_nobody_in) {
  const std::string token = mint("admin", {"*"});
  rest::TokenFile tokens({.file = file});
  CHECK_OK(ask(tokens, "Bearer " + token));
  for (const char* text :
       {"", "{", "[]", R"({"tokens":{}})", R"({"tokens":[{"id":"a"}]})",
        R"({"tokens":[{"id":"a","sha256":"00","scopes":["*"]}]})", R"({"tokens":[],"more":1})"}) {
    std::ofstream(file, std::ios::trunc) << text;
    CHECK_ERROR(Code::unauthenticated, "credentials_invalid", ask(tokens, "Bearer " + token));
  }
}

TEST(TokenFile, an_id_names_one_token) {
  mint("admin", {});
  CHECK_ERROR(Code::already_exists, "token_exists",
              rest::TokenFile::mint(file, "admin", {}, base::system_rng()));
  for (const char* id : {"", "a b", "a/b", "a\n", "\xc3\xbc"}) {
    CHECK_ERROR(Code::invalid_argument, "field_invalid",
                rest::TokenFile::mint(file, id, {}, base::system_rng()));
  }
}

TEST(TokenFile, a_file_that_cannot_be_read_is_not_written_over) {
  std::ofstream(file) << "{";
  CHECK_ERROR(Code::invalid_argument, "json_invalid",
              rest::TokenFile::mint(file, "admin", {}, base::system_rng()));
  STRCMP_EQUAL("{", UNWRAP(base::read_file(file)).c_str());
}

TEST(TokenFile, the_files_group_is_kept) {
  mint("first", {});
  LONGS_EQUAL(0, ::chown(file.c_str(), static_cast<uid_t>(-1), 12345));
  mint("second", {});
  struct stat status {};
  LONGS_EQUAL(0, ::stat(file.c_str(), &status));
  LONGS_EQUAL(12345, status.st_gid);
}

TEST(TokenFile, a_unix_peer_counts_by_its_uid) {
  const std::string token = mint("narrow", {"app:read"});
  rest::TokenFile tokens({.file = file, .peer_scopes = {{1000, {"app:read"}}}});
  const auto peer = [&](uid_t uid, const std::string& header = "") {
    return tokens.authenticate({rest::PeerCredentials{1, uid, 0}, header});
  };
  CHECK_TRUE(UNWRAP(peer(0)).has("node:admin"));
  CHECK_TRUE(UNWRAP(peer(::geteuid())).has("node:admin"));
  CHECK_TRUE(UNWRAP(peer(1000)).has("app:read"));
  CHECK_FALSE(UNWRAP(peer(1000)).has("app:write"));
  CHECK_ERROR(Code::unauthenticated, "credentials_missing", peer(1001));
  // A token that is presented decides alone, for more or for less.
  STRCMP_EQUAL("token:narrow", UNWRAP(peer(1001, "Bearer " + token)).name.c_str());
  CHECK_FALSE(UNWRAP(peer(0, "Bearer " + token)).has("app:write"));
  CHECK_ERROR(Code::unauthenticated, "credentials_invalid", peer(0, "Bearer wrong"));
}

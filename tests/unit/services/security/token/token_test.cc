// SPDX-License-Identifier: Apache-2.0
#include "services/security/token/limits.h"
#include "services/security/token/password.h"
#include "services/security/token/secret_token.h"
#include "tests/support/check_result.h"

using base::Code;
using security::AttemptRecord;
using security::LoginVerdict;
using security::TokenKind;

TEST_GROUP(SecretToken){};

TEST(SecretToken, a_made_token_is_recognised_and_a_changed_one_is_not) {
  for (const TokenKind kind : {TokenKind::access, TokenKind::refresh, TokenKind::code,
                               TokenKind::api_secret, TokenKind::client_secret, TokenKind::form}) {
    const base::Secret token = security::make_token(kind, base::system_rng());
    const std::string text(token.reveal());
    CHECK_TRUE(security::token_kind(text) == kind);
    for (std::size_t i = 0; i < text.size(); ++i) {
      std::string changed = text;
      changed[i] = changed[i] == 'A' ? 'B' : 'A';
      CHECK_FALSE(security::token_kind(changed).has_value());
    }
    CHECK_FALSE(security::token_kind(text + "0").has_value());
    CHECK_FALSE(security::token_kind(text.substr(1)).has_value());
  }
  CHECK_FALSE(security::token_kind("").has_value());
}

TEST(SecretToken, two_tokens_differ_and_their_hash_is_not_the_token) {
  const base::Secret a = security::make_token(TokenKind::access, base::system_rng());
  const base::Secret b = security::make_token(TokenKind::access, base::system_rng());
  CHECK_FALSE(a.reveal() == b.reveal());
  LONGS_EQUAL(64, security::token_hash(a.reveal()).size());
  CHECK_FALSE(security::token_hash(a.reveal()) == security::token_hash(b.reveal()));
}

TEST_GROUP(Password){};

TEST(Password, a_hash_matches_its_password_alone_and_says_nothing_of_it) {
  const std::string hash = UNWRAP(security::hash_password("correct horse", base::system_rng()));
  CHECK_TRUE(hash.starts_with("$scrypt$ln=15,r=8,p=3$"));
  CHECK_TRUE(UNWRAP(security::verify_password("correct horse", hash)).matches);
  CHECK_FALSE(UNWRAP(security::verify_password("correct horse", hash)).outdated);
  CHECK_FALSE(UNWRAP(security::verify_password("correct horsf", hash)).matches);
  CHECK_FALSE(UNWRAP(security::verify_password("", hash)).matches);
  CHECK_FALSE(hash == UNWRAP(security::hash_password("correct horse", base::system_rng())));
}

TEST(Password, a_weaker_hash_of_old_still_matches_and_is_outdated) {
  // scrypt of "password" with N=2^10, r=8, p=1 and the salt "saltsalt".
  const std::string weak =
      "$scrypt$ln=10,r=8,p=1$c2FsdHNhbHQ$AOLXEESCcPmf2DxU3D47ZJxp5ZTcHC0S2Mb2eFXc4tI";
  const auto check = UNWRAP(security::verify_password("password", weak));
  CHECK_TRUE(check.matches);
  CHECK_TRUE(check.outdated);
  CHECK_FALSE(UNWRAP(security::verify_password("passwore", weak)).matches);
}

TEST(Password, text_in_clear_and_damaged_or_costly_hashes_match_nothing) {
  for (const char* bad :
       {"", "password", "$plain$password", "$scrypt$ln=15,r=8,p=3$c2FsdHNhbHQ$",
        "$scrypt$ln=30,r=8,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=15,r=8$c2FsdHNhbHQ$AAAA", "shadowed"}) {
    CHECK_FALSE(UNWRAP(security::verify_password("password", bad)).matches);
    CHECK_FALSE(UNWRAP(security::verify_password("", bad)).matches);
  }
}

TEST(Password, its_length_has_bounds) {
  CHECK_OK(security::check_password("eight888"));
  for (const std::string& bad : {std::string("seven77"), std::string(1025, 'a'), std::string(),
                                 std::string("\xff\xff\xff\xff\xff\xff\xff\xff")}) {
    CHECK_ERROR(Code::invalid_argument, "password_invalid", security::check_password(bad));
  }
}

TEST_GROUP(LoginLimits) {
  const security::LoginLimits limits = {
      .window_s = 60, .attempts_max = 100, .failures_max = 5, .lock_s = 30, .lock_max_s = 100};
  AttemptRecord record;
};

TEST(LoginLimits, a_window_takes_so_many_attempts_whatever_their_outcome) {
  for (int i = 0; i < 100; ++i) {
    CHECK_TRUE(security::begin_attempt(record, limits, 1000) == LoginVerdict::allowed);
    security::forgive_attempt(record);
  }
  CHECK_TRUE(security::begin_attempt(record, limits, 1059) == LoginVerdict::limited);
  CHECK_TRUE(security::begin_attempt(record, limits, 1060) == LoginVerdict::allowed);
}

TEST(LoginLimits, failures_in_a_row_lock_for_longer_and_longer_and_a_success_forgets_them) {
  std::int64_t now = 1000;
  for (int i = 0; i < 5; ++i) {
    CHECK_TRUE(security::begin_attempt(record, limits, now) == LoginVerdict::allowed);
  }
  CHECK_TRUE(security::begin_attempt(record, limits, now) == LoginVerdict::locked);
  CHECK_TRUE(security::begin_attempt(record, limits, now + 29) == LoginVerdict::locked);
  CHECK_TRUE(security::begin_attempt(record, limits, now + 30) == LoginVerdict::allowed);
  CHECK_TRUE(security::begin_attempt(record, limits, now + 89) == LoginVerdict::locked);
  CHECK_TRUE(security::begin_attempt(record, limits, now + 90) == LoginVerdict::allowed);
  LONGS_EQUAL(now + 190, record.locked_until);  // lock_max
  security::forgive_attempt(record);
  CHECK_TRUE(security::begin_attempt(record, limits, now + 91) == LoginVerdict::allowed);
}

TEST(LoginLimits, a_clock_that_was_set_back_does_not_lock_for_good) {
  for (int i = 0; i < 5; ++i) (void)security::begin_attempt(record, limits, 1'000'000);
  CHECK_TRUE(security::begin_attempt(record, limits, 10) == LoginVerdict::allowed);
}

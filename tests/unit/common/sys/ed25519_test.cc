// SPDX-License-Identifier: Apache-2.0
#include "common/sys/ed25519.h"

#include <CppUTest/TestHarness.h>

#include "common/base/text.h"
#include "tests/support/check_result.h"

namespace {

using sys::Ed25519Key;

TEST_GROUP(Ed25519){};

TEST(Ed25519, a_signature_fits_its_text_and_key_only) {
  const auto key = Ed25519Key::generate();
  const auto other = Ed25519Key::generate();
  CHECK_OK(key);
  CHECK_OK(other);
  const auto signature = key->sign("text");
  CHECK_OK(signature);
  CHECK(key->verify("text", *signature));
  CHECK(!key->verify("Text", *signature));
  CHECK(!other->verify("text", *signature));
  const auto only_public = Ed25519Key::from_public(*key->public_raw());
  CHECK_OK(only_public);
  CHECK(only_public->verify("text", *signature));
}

TEST(Ed25519, the_first_example_of_rfc_8032_verifies) {
  const auto raw =
      base::from_hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  const auto signature = base::from_hex(
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9"
      "b4"
      "6bd25bf5f0595bbe24655141438e7a100b");
  const auto key = Ed25519Key::from_public(*raw);
  CHECK_OK(key);
  CHECK(key->verify("", *signature));
}

TEST(Ed25519, a_key_is_read_back_and_what_is_no_key_is_refused) {
  const auto key = Ed25519Key::generate();
  CHECK_OK(key);
  const auto pem = key->private_pem();
  CHECK_OK(pem);
  const auto again = Ed25519Key::from_private_pem(pem->reveal());
  CHECK_OK(again);
  CHECK(*again->public_raw() == *key->public_raw());
  CHECK_ERROR(base::Code::invalid_argument, "signing_key_invalid",
              Ed25519Key::from_private_pem("-----BEGIN"));
  CHECK_ERROR(base::Code::invalid_argument, "signing_key_invalid", Ed25519Key::from_public("x"));
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
#include "common/sys/crypto.h"

#include "common/base/text.h"
#include "tests/support/check_result.h"

using base::Code;

TEST_GROUP(Crypto){};

TEST(Crypto, scrypt_gives_the_vectors_of_rfc_7914) {
  STRCMP_EQUAL(
      "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
      "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906",
      base::to_hex(UNWRAP(sys::scrypt("", "", {.n = 16, .r = 1, .p = 1}, 64))).c_str());
  STRCMP_EQUAL(
      "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
      "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640",
      base::to_hex(UNWRAP(sys::scrypt("password", "NaCl", {.n = 1024, .r = 8, .p = 16}, 64)))
          .c_str());
}

TEST(Crypto, scrypt_refuses_costs_that_are_none_or_too_much) {
  for (const sys::ScryptCost cost :
       {sys::ScryptCost{0, 8, 1}, sys::ScryptCost{15, 8, 1}, sys::ScryptCost{1 << 20, 8, 1},
        sys::ScryptCost{16, 0, 1}, sys::ScryptCost{16, 8, 0}, sys::ScryptCost{1 << 20, 64, 1}}) {
    CHECK_ERROR(Code::invalid_argument, "password_cost_invalid", sys::scrypt("a", "b", cost, 32));
  }
}

TEST(Crypto, hmac_gives_the_vector_of_rfc_4231) {
  STRCMP_EQUAL("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
               base::to_hex(sys::hmac_sha256("Jefe", "what do ya want for nothing?")).c_str());
}

TEST(Crypto, a_signature_holds_for_its_text_and_key_alone) {
  const sys::EcKey key = UNWRAP(sys::EcKey::generate());
  const sys::EcKey other = UNWRAP(sys::EcKey::generate());
  std::string signature = UNWRAP(key.sign("text"));
  LONGS_EQUAL(64, signature.size());
  CHECK_TRUE(key.verify("text", signature));
  CHECK_FALSE(key.verify("texu", signature));
  CHECK_FALSE(other.verify("text", signature));
  CHECK_FALSE(key.verify("text", signature + "x"));
  CHECK_FALSE(key.verify("text", ""));
  signature[10] = static_cast<char>(signature[10] ^ 1);
  CHECK_FALSE(key.verify("text", signature));
}

TEST(Crypto, what_was_sealed_opens_with_its_key_and_context_alone) {
  const std::string key(32, 'k'), other(32, 'o'), nonce(12, 'n');
  const std::string sealed = UNWRAP(sys::seal(key, nonce, "directory/1", "secret"));
  CHECK_TRUE(sealed.find("secret") == sealed.npos);
  CHECK_TRUE(UNWRAP(sys::unseal(key, "directory/1", sealed)).reveal() == "secret");
  CHECK_ERROR(Code::corrupt, "seal_broken", sys::unseal(other, "directory/1", sealed));
  CHECK_ERROR(Code::corrupt, "seal_broken", sys::unseal(key, "directory/2", sealed));
  CHECK_ERROR(Code::corrupt, "seal_broken", sys::unseal(key, "directory/1", sealed.substr(1)));
  CHECK_ERROR(Code::corrupt, "seal_broken", sys::unseal(key, "directory/1", ""));
  const std::string nothing = UNWRAP(sys::seal(key, nonce, "", ""));
  CHECK_TRUE(UNWRAP(sys::unseal(key, "", nothing)).empty());
}

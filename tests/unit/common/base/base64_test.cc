// SPDX-License-Identifier: Apache-2.0
#include "common/base/base64.h"

#include "common/base/text.h"
#include "tests/support/check_result.h"

TEST_GROUP(Base64){};

// RFC 4648 section 10.
TEST(Base64, the_vectors_of_the_standard) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : vectors) STRCMP_EQUAL(text, base::to_base64(bytes).c_str());
  STRCMP_EQUAL("+/8=", base::to_base64("\xfb\xff").c_str());
  STRCMP_EQUAL("\xfb\xff", UNWRAP(base::from_base64("+/8=")).c_str());
}

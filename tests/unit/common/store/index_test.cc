// SPDX-License-Identifier: Apache-2.0
#include "common/store/index.h"

#include "tests/support/check_result.h"

using base::Code;
using namespace store;

TEST_GROUP(StoreIndex){static Index with(std::vector<std::string> terms){
    return {"test", [terms](std::string_view, std::string_view) { return terms; }};
}
}
;

TEST(StoreIndex, each_term_counts_once) {
  LONGS_EQUAL(2, UNWRAP(terms_of(with({"b", "a", "b"}), "k", "v")).size());
  LONGS_EQUAL(0, UNWRAP(terms_of(with({}), "k", "v")).size());
}

TEST(StoreIndex, terms_that_would_blur_the_index_are_refused) {
  for (const std::string& term : {std::string(), std::string(256, 'x'), std::string("a\0b", 3)})
    CHECK_ERROR(Code::invalid_argument, "term_invalid", terms_of(with({term}), "k", "v"));
  CHECK_OK(terms_of(with({std::string(255, 'x')}), "k", "v"));
  CHECK_ERROR(Code::invalid_argument, "too_many_terms",
              terms_of(with(std::vector<std::string>(kTermsMax + 1, "x")), "k", "v"));
}

TEST(StoreIndex, the_longest_term_and_key_fit_into_lmdb) {
  LONGS_EQUAL(511, index_key(std::string(255, 't'), std::string(255, 'k')).size());
}

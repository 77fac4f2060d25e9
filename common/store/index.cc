// SPDX-License-Identifier: Apache-2.0
#include "common/store/index.h"

namespace store {

using base::Code;
using base::Error;
using base::Result;

Result<void> check_term(std::string_view term) {
  if (term.empty() || term.size() > kTermBytesMax || term.find('\0') != std::string_view::npos)
    return Error{Code::invalid_argument, "an index term has 1 to 255 bytes and no zero byte",
                 "term_invalid"};
  return {};
}

Result<std::set<std::string>> terms_of(const Index& index, std::string_view key,
                                       std::string_view value) {
  std::vector<std::string> given = index.terms(key, value);
  if (given.size() > kTermsMax)
    return Error{Code::invalid_argument, "the record has more than 1,000 terms in " + index.name,
                 "too_many_terms"};
  for (const std::string& term : given) TRY(check_term(term));
  return std::set<std::string>(std::make_move_iterator(given.begin()),
                               std::make_move_iterator(given.end()));
}

std::string index_key(std::string_view term, std::string_view key) {
  return std::string(term) + '\0' + std::string(key);
}

}  // namespace store

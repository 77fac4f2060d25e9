// SPDX-License-Identifier: Apache-2.0
#include "dfs/meta/command.h"

namespace dfs::meta {

base::Result<std::string_view> open_answer(std::string_view answer) {
  if (answer.empty() || answer.front() > 1)
    return base::Error{base::Code::corrupt, "an answer of the metadata state is none",
                       "wire_value_invalid"};
  if (answer.front() == 1) return decode_error(answer.substr(1));
  return answer.substr(1);
}

}  // namespace dfs::meta

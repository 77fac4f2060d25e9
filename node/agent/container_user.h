// SPDX-License-Identifier: Apache-2.0
// Turns "app", "1000", "app:staff" or "1000:1000" into numbers with an image's own passwd and
// group. Threads: any.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace node::agent {

struct ContainerUser {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;
  std::string home = "/";
  friend bool operator==(const ContainerUser&, const ContainerUser&) = default;
};

// An empty text is root. Numbers need no entry. Errors: not_found user_unknown.
base::Result<ContainerUser> find_user(std::string_view text, std::string_view passwd,
                                      std::string_view group);
// With the files below `tree`; a file that is not there counts as empty.
base::Result<ContainerUser> find_user_in(const std::filesystem::path& tree, std::string_view text);

}  // namespace node::agent

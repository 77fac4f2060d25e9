// SPDX-License-Identifier: Apache-2.0
// /etc/passwd and /etc/group of foreign images, and the user that an application or an image names:
// whoever is found is one that the container's user namespace maps.
#include "node/agent/container_user.h"

#include <algorithm>
#include <cstdint>

#include "common/base/check.h"

namespace {

constexpr std::uint32_t kIdMax = 65'535;

// Up to the first '|', which is taken out of `text`.
std::string_view take_part(std::string_view& text) {
  const std::string_view part = text.substr(0, text.find('|'));
  text.remove_prefix(std::min(part.size() + 1, text.size()));
  return part;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view own = take_part(text);
  const std::string_view passwd = take_part(text);
  for (const std::string_view user :
       {own, std::string_view("root"), std::string_view("app:staff")}) {
    const auto found = node::agent::find_user(user, passwd, text);
    if (!found) continue;
    CHECK_THAT(found->uid <= kIdMax && found->gid <= kIdMax);
    for (const std::uint32_t group : found->groups) CHECK_THAT(group <= kIdMax);
    CHECK_THAT(found->home.starts_with('/'));
  }
  return 0;
}

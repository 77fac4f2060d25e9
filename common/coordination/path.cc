// SPDX-License-Identifier: Apache-2.0
#include "common/coordination/path.h"

#include <cstdio>

#include "common/base/text.h"
#include "common/coordination/coordination.h"

namespace coordination {

base::Result<void> check_path(std::string_view path) {
  const auto refuse = [](std::string_view why) {
    return base::Error{base::Code::invalid_argument, "the path " + std::string(why),
                       "path_invalid"};
  };
  if (path.empty() || path.front() != '/') return refuse("does not begin with '/'");
  if (path.size() > kPathMax) return refuse("is longer than 511 bytes");
  if (!base::is_utf8(path)) return refuse("is not UTF-8");
  for (const char c : path) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return refuse("has a control character");
  }
  if (path == "/") return {};
  for (const std::string_view segment : base::split(path.substr(1), '/')) {
    if (segment.empty()) return refuse("has an empty segment");
    if (segment == "." || segment == "..") return refuse("has a '.' or '..' segment");
  }
  return {};
}

std::string_view parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 ? path.substr(0, 1) : path.substr(0, slash);
}

std::string_view name_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

std::string with_sequence(std::string_view path, std::uint64_t sequence) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%010llu", static_cast<unsigned long long>(sequence));
  return std::string(path) + digits;
}

}  // namespace coordination

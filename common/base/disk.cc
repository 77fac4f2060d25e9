// SPDX-License-Identifier: Apache-2.0
#include "common/base/disk.h"

#include "common/base/text.h"

namespace base {

Result<void> check_disk_path(std::string_view path) {
  const Error refused{Code::invalid_argument,
                      "a path on a disk is relative and has no empty, '.' or '..' segment",
                      "disk_path_invalid"};
  if (path.find('\0') != std::string_view::npos) return refused;
  for (const std::string_view segment : split(path, '/')) {
    if (segment.empty() || segment == "." || segment == "..") return refused;
  }
  return {};
}

std::string_view folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

}  // namespace base

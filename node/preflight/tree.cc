// SPDX-License-Identifier: Apache-2.0
#include "node/preflight/tree.h"

#include <fcntl.h>

#include <algorithm>

#include "common/base/config.h"
#include "common/base/text.h"
#include "common/sys/handle.h"

namespace node::preflight {

namespace fs = std::filesystem;

namespace {
constexpr std::size_t kFileMax = 8 << 20;
constexpr std::size_t kNamesMax = 100000;
}  // namespace

fs::path Tree::at(std::string_view path) const {
  while (path.starts_with('/')) path.remove_prefix(1);
  return root_ / path;
}

bool Tree::exists(std::string_view path) const {
  std::error_code ignored;
  return fs::exists(at(path), ignored);
}

std::optional<std::string> Tree::text(std::string_view path) const {
  const auto content = base::read_file(at(path), kFileMax);
  if (!content) return std::nullopt;
  return std::string(base::trim(*content));
}

std::optional<std::uint64_t> Tree::number(std::string_view path) const {
  const auto content = text(path);
  if (!content) return std::nullopt;
  const auto value = base::parse_int(*content, 0, INT64_MAX);
  if (!value) return std::nullopt;
  return static_cast<std::uint64_t>(*value);
}

std::vector<std::string> Tree::names(std::string_view path) const {
  std::vector<std::string> found;
  std::error_code failure;
  for (fs::directory_iterator entry(at(path), failure), end; !failure && entry != end;
       entry.increment(failure)) {
    if (found.size() == kNamesMax) break;
    found.push_back(entry->path().filename().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::optional<std::string> Tree::link(std::string_view path) const {
  std::error_code failure;
  const fs::path target = fs::read_symlink(at(path), failure);
  if (failure) return std::nullopt;
  return target.string();
}

std::optional<std::string> Tree::head(std::string_view path, std::size_t bytes_max) const {
  const sys::Fd file(::open(at(path).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.is_open()) return std::nullopt;
  std::string bytes(bytes_max, '\0');
  std::size_t have = 0;
  while (have < bytes_max) {
    const ssize_t count =
        ::pread(file.get(), bytes.data() + have, bytes_max - have, static_cast<off_t>(have));
    if (count < 0) return std::nullopt;
    if (count == 0) break;
    have += static_cast<std::size_t>(count);
  }
  bytes.resize(have);
  return bytes;
}

}  // namespace node::preflight

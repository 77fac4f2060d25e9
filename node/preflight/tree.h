// SPDX-License-Identifier: Apache-2.0
// Read-only view of /proc, /sys, /etc and /dev, or of a fake tree with the same paths for tests.
//
// 1. Every read is bounded. What cannot be read counts as absent: a check then says what it missed.
// 2. Symbolic links are reported, never followed out of the tree by this class itself.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace node::preflight {

class Tree {
 public:
  explicit Tree(std::filesystem::path root = "/") : root_(std::move(root)) {}
  bool is_real() const { return root_ == "/"; }
  std::filesystem::path at(std::string_view path) const;
  bool exists(std::string_view path) const;
  // The file's text, trimmed at both ends.
  std::optional<std::string> text(std::string_view path) const;
  std::optional<std::uint64_t> number(std::string_view path) const;
  // Sorted names in a folder; empty when there is none.
  std::vector<std::string> names(std::string_view path) const;
  std::optional<std::string> link(std::string_view path) const;
  // The first `bytes_max` bytes of a file or device.
  std::optional<std::string> head(std::string_view path, std::size_t bytes_max) const;

 private:
  std::filesystem::path root_;
};

}  // namespace node::preflight

// SPDX-License-Identifier: Apache-2.0
// The entries of the guestbook: one line each in a file on the instance's volume.
//
// 1. An entry is on the disk before its request is answered.
// 2. Several instances may share the file: each entry is one append.
// Threads: one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace guestbook {

inline constexpr std::size_t kEntryMax = 500;
inline constexpr std::size_t kEntriesShown = 50;

class Book {
 public:
  explicit Book(std::string file) : file_(std::move(file)) {}
  // Control characters become blanks, and what is longer than kEntryMax bytes is cut. False when
  // the disk refused it; errno says why.
  bool add(std::string_view entry);
  // The latest entries, newest first.
  std::vector<std::string> latest() const;

 private:
  std::string file_;
};

}  // namespace guestbook

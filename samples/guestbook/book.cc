// SPDX-License-Identifier: Apache-2.0
#include "samples/guestbook/book.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace guestbook {

namespace {

class File {
 public:
  File(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

bool Book::add(std::string_view entry) {
  std::string line(entry.substr(0, kEntryMax));
  std::replace_if(
      line.begin(), line.end(), [](unsigned char byte) { return byte < 0x20 || byte == 0x7f; },
      ' ');
  line += '\n';
  const File file(file_, O_WRONLY | O_APPEND | O_CREAT);
  if (file.fd() < 0) return false;
  const ssize_t written = ::write(file.fd(), line.data(), line.size());
  if (written >= 0 && written != static_cast<ssize_t>(line.size())) errno = ENOSPC;
  return written == static_cast<ssize_t>(line.size()) && ::fdatasync(file.fd()) == 0;
}

std::vector<std::string> Book::latest() const {
  std::vector<std::string> entries;
  const File file(file_, O_RDONLY);
  struct stat status {};
  if (file.fd() < 0 || ::fstat(file.fd(), &status) != 0) return entries;
  // The last entries lie in the last bytes, however long the book is.
  const off_t window = static_cast<off_t>(kEntriesShown * (kEntryMax + 1));
  const off_t begin = std::max<off_t>(0, status.st_size - window);
  std::string text(static_cast<std::size_t>(status.st_size - begin), '\0');
  const ssize_t got = ::pread(file.fd(), text.data(), text.size(), begin);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  std::size_t end = text.rfind('\n');
  while (end != std::string::npos && entries.size() < kEntriesShown) {
    const std::size_t before = end == 0 ? std::string::npos : text.rfind('\n', end - 1);
    const std::size_t first = before == std::string::npos ? 0 : before + 1;
    // The first line of the window may be the end of a longer one.
    if (first == 0 && begin > 0) break;
    entries.push_back(text.substr(first, end - first));
    end = before;
  }
  return entries;
}

}  // namespace guestbook

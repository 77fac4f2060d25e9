// SPDX-License-Identifier: Apache-2.0
#include "common/sys/posix_disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>

#include "common/sys/handle.h"

namespace sys {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr mode_t kFileMode = 0600;
constexpr mode_t kFolderMode = 0700;

// The rest of a call that was done in part, or interrupted by a signal.
template <class Call>
Result<std::size_t> repeat(std::size_t size, std::string_view what, const Call& call) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t part = call(done);
    if (part < 0 && errno == EINTR) continue;
    if (part < 0) return base::os_error(errno, what);
    if (part == 0) break;
    done += static_cast<std::size_t>(part);
  }
  return done;
}

class PosixFile final : public base::DiskFile {
 public:
  explicit PosixFile(Fd fd) : fd_(std::move(fd)) {}

  Result<std::size_t> read(std::uint64_t offset, std::span<char> out) override {
    return repeat(out.size(), "read", [&](std::size_t done) {
      return ::pread(fd_.get(), out.data() + done, out.size() - done,
                     static_cast<off_t>(offset + done));
    });
  }

  Result<void> write(std::uint64_t offset, std::string_view bytes) override {
    TRY(repeat(bytes.size(), "write", [&](std::size_t done) {
      return ::pwrite(fd_.get(), bytes.data() + done, bytes.size() - done,
                      static_cast<off_t>(offset + done));
    }));
    return {};
  }

  Result<void> allocate(std::uint64_t offset, std::uint64_t size) override {
    int status = 0;
    do {
      status = ::fallocate(fd_.get(), 0, static_cast<off_t>(offset), static_cast<off_t>(size));
    } while (status != 0 && errno == EINTR);
    if (status != 0) return base::os_error(errno, "allocate");
    return {};
  }

  Result<std::optional<std::size_t>> read_cached(std::uint64_t offset,
                                                 std::span<char> out) override {
    const iovec part{out.data(), out.size()};
    const ssize_t done = ::preadv2(fd_.get(), &part, 1, static_cast<off_t>(offset), RWF_NOWAIT);
    if (done == static_cast<ssize_t>(out.size())) return static_cast<std::size_t>(done);
    // A part may be all there is, or all that is in memory: read() finds out.
    if (done >= 0 || errno == EAGAIN || errno == EINTR || errno == EOPNOTSUPP)
      return std::optional<std::size_t>();
    return base::os_error(errno, "read");
  }

  Result<void> punch(std::uint64_t offset, std::uint64_t size) override {
    if (::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                    static_cast<off_t>(offset), static_cast<off_t>(size)) != 0)
      return base::os_error(errno, "punch a hole");
    return {};
  }

  Result<void> truncate(std::uint64_t size) override {
    if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0)
      return base::os_error(errno, "truncate");
    return {};
  }

  Result<std::uint64_t> size() override {
    struct stat status {};
    if (::fstat(fd_.get(), &status) != 0) return base::os_error(errno, "stat");
    return static_cast<std::uint64_t>(status.st_size);
  }

  Result<void> sync() override {
    if (::fdatasync(fd_.get()) != 0) return base::os_error(errno, "sync");
    return {};
  }

 private:
  const Fd fd_;
};

class PosixDisk final : public base::Disk {
 public:
  explicit PosixDisk(Fd root) : root_(std::move(root)) {}

  Result<std::unique_ptr<base::DiskFile>> open(const std::string& path,
                                               base::OpenMode mode) override {
    std::uint64_t flags = O_RDWR;
    if (mode != base::OpenMode::existing) flags |= O_CREAT;
    if (mode == base::OpenMode::create_new) flags |= O_EXCL;
    Fd fd = TRY(open_path(path, flags));
    return std::unique_ptr<base::DiskFile>(std::make_unique<PosixFile>(std::move(fd)));
  }

  Result<void> make_folder(const std::string& path) override {
    const Fd folder = TRY(open_parent(path));
    if (::mkdirat(folder.get(), name_of(path), kFolderMode) != 0)
      return base::os_error(errno, "make the folder " + path);
    return {};
  }

  Result<void> rename(const std::string& from, const std::string& to) override {
    TRY(base::check_disk_path(from));
    TRY(base::check_disk_path(to));
    if (base::folder_of(from) != base::folder_of(to))
      return Error{Code::invalid_argument, from + " and " + to + " are in different folders",
                   "rename_across_folders"};
    const Fd folder = TRY(open_parent(from));
    if (::renameat(folder.get(), name_of(from), folder.get(), name_of(to)) != 0)
      return base::os_error(errno, "rename " + from);
    return {};
  }

  Result<void> remove(const std::string& path) override { return unlink(path, 0); }
  Result<void> remove_folder(const std::string& path) override {
    return unlink(path, AT_REMOVEDIR);
  }

  Result<std::vector<std::string>> list(const std::string& folder) override {
    Fd fd = TRY(open_folder(folder));
    const Handle<DIR, closedir> entries(::fdopendir(fd.get()));
    if (!entries) return base::os_error(errno, "list " + folder);
    static_cast<void>(fd.release());  // closedir closes it
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(entries.get())) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return base::os_error(errno, "list " + folder);
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<void> sync_folder(const std::string& folder) override {
    const Fd fd = TRY(open_folder(folder));
    if (::fsync(fd.get()) != 0) return base::os_error(errno, "sync the folder " + folder);
    return {};
  }

  Result<std::uint64_t> free_bytes() override {
    struct statvfs status {};
    if (::fstatvfs(root_.get(), &status) != 0) return base::os_error(errno, "measure free space");
    return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
  }

 private:
  static const char* name_of(const std::string& path) {
    return path.c_str() + (path.rfind('/') + 1);  // npos + 1 is 0
  }

  Result<Fd> open_path(const std::string& path, std::uint64_t flags) const {
    TRY(base::check_disk_path(path));
    open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.mode = (flags & O_CREAT) != 0 ? kFileMode : 0;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    Fd fd(static_cast<int>(::syscall(SYS_openat2, root_.get(), path.c_str(), &how, sizeof how)));
    if (!fd.is_open()) return base::os_error(errno, "open " + path);
    return fd;
  }

  Result<Fd> open_folder(const std::string& folder) const {
    if (!folder.empty()) return open_path(folder, O_RDONLY | O_DIRECTORY);
    Fd fd(::openat(root_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.is_open()) return base::os_error(errno, "open the root folder");
    return fd;
  }

  Result<Fd> open_parent(const std::string& path) const {
    TRY(base::check_disk_path(path));
    return open_folder(std::string(base::folder_of(path)));
  }

  Result<void> unlink(const std::string& path, int flags) const {
    const Fd folder = TRY(open_parent(path));
    if (::unlinkat(folder.get(), name_of(path), flags) != 0)
      return base::os_error(errno, "remove " + path);
    return {};
  }

  const Fd root_;
};

}  // namespace

Result<std::unique_ptr<base::Disk>> open_posix_disk(const std::filesystem::path& root) {
  Fd fd(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd.is_open()) return base::os_error(errno, "open " + root.string());
  return std::unique_ptr<base::Disk>(std::make_unique<PosixDisk>(std::move(fd)));
}

}  // namespace sys

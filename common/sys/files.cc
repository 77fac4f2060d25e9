// SPDX-License-Identifier: Apache-2.0
#include "common/sys/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "common/base/clock.h"

namespace sys {

namespace {

namespace fs = std::filesystem;

base::Error failed(std::string_view what, const fs::path& path) {
  const int saved = errno;
  return base::os_error(saved, std::string(what) + " " + path.string());
}

base::Result<void> write_all(int fd, std::string_view content, const fs::path& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed("write", path);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

base::Result<void> sync_folder(const fs::path& folder) {
  const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.is_open()) return failed("open", folder);
  if (::fsync(fd.get()) != 0) return failed("sync", folder);
  return {};
}

base::Result<void> write_and_sync(const fs::path& path, std::string_view content, unsigned mode) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.is_open()) return failed("create", path);
  TRY(write_all(fd.get(), content, path));
  if (::fchmod(fd.get(), mode) != 0) return failed("set the mode of", path);
  if (::fsync(fd.get()) != 0) return failed("sync", path);
  return {};
}

base::Result<void> make_one_folder(const fs::path& path, unsigned mode) {
  if (::mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return {};
  return failed("create the folder", path);
}

}  // namespace

base::Result<void> write_file_durably(const fs::path& path, std::string_view content,
                                      unsigned mode) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const fs::path temporary =
      folder / ("." + path.filename().string() + "." + base::system_rng().token(9));
  base::Result<void> done = write_and_sync(temporary, content, mode);
  if (done && ::rename(temporary.c_str(), path.c_str()) != 0) done = failed("replace", path);
  if (!done) {
    ::unlink(temporary.c_str());  // it may not exist, and the first error is the one to report
    return done;
  }
  return sync_folder(folder);
}

base::Result<void> make_folder(const fs::path& path, unsigned mode) {
  fs::path built;
  const fs::path whole = path.has_filename() ? path : path.parent_path();
  for (const fs::path& piece : whole.parent_path()) {
    built /= piece;
    TRY(make_one_folder(built, 0755));
  }
  TRY(make_one_folder(whole, mode));
  const Fd fd(::open(whole.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.is_open()) return failed("open the folder", whole);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return failed("look at", whole);
  const bool is_ours = status.st_uid == ::geteuid();
  if (is_ours && (status.st_mode & 07777) != mode && ::fchmod(fd.get(), mode) != 0) {
    return failed("set the mode of", whole);
  }
  return {};
}

base::Result<Fd> lock_file(const fs::path& path) {
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.is_open()) return failed("open the lock", path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno == EWOULDBLOCK) {
    return base::Error{base::Code::failed_precondition, "another process holds " + path.string(),
                       "already_locked"};
  }
  return failed("lock", path);
}

base::Result<void> remove_tree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) return base::os_error(error.value(), "remove " + path.string());
  return {};
}

}  // namespace sys

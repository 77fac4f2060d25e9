// SPDX-License-Identifier: Apache-2.0
#include "common/sys/shared_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cerrno>

#include "common/sys/handle.h"

namespace sys {

base::Result<void> make_shared_file(const std::filesystem::path& path, unsigned mode,
                                    base::Result<void> (*fill)(const std::string& temporary)) {
  if (::access(path.c_str(), F_OK) == 0) return {};
  std::string temporary = path.string() + ".XXXXXX";
  const Fd file(mkostemp(temporary.data(), O_CLOEXEC));
  if (!file.is_open()) return base::os_error(errno, "create " + temporary);
  const base::Result<void> filled = fill == nullptr ? base::Result<void>() : fill(temporary);
  int status = 0;
  if (::fchmod(file.get(), mode) != 0 || ::fsync(file.get()) != 0) status = errno;
  // EEXIST: another process was faster, and its file is as good.
  if (filled && status == 0 && ::link(temporary.c_str(), path.c_str()) != 0 && errno != EEXIST)
    status = errno;
  ::unlink(temporary.c_str());
  if (status != 0) return base::os_error(status, "create " + path.string());
  return filled;
}

base::Result<void> make_synced_folder(const std::filesystem::path& path, unsigned mode) {
  if (::mkdir(path.c_str(), mode) == 0)
    return sync_path(path.has_parent_path() ? path.parent_path() : ".");
  if (errno == EEXIST) return {};
  return base::os_error(errno, "create " + path.string());
}

base::Result<void> sync_path(const std::filesystem::path& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.is_open()) return base::os_error(errno, "open " + path.string());
  if (::fsync(fd.get()) != 0) return base::os_error(errno, "sync " + path.string());
  return {};
}

}  // namespace sys

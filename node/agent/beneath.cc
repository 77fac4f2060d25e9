// SPDX-License-Identifier: Apache-2.0
#include "node/agent/beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace node::agent {

base::Result<sys::Fd> open_inside(const std::filesystem::path& folder, const std::string& relative,
                                  int flags, Inside inside) {
  sys::Fd root(open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.is_open()) return base::os_error(errno, "open " + folder.string());
  const std::size_t start = relative.find_first_not_of('/');
  const std::string path = start == std::string::npos ? "." : relative.substr(start);
  open_how how = {};
  how.flags = static_cast<__u64>(flags | O_CLOEXEC);
  how.resolve =
      RESOLVE_NO_MAGICLINKS | (inside == Inside::beneath ? RESOLVE_BENEATH : RESOLVE_IN_ROOT);
  const long fd = syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof how);
  if (fd >= 0) return sys::Fd(static_cast<int>(fd));
  if (errno == EXDEV) {
    return base::Error{base::Code::permission_denied, "the path leads out of its folder",
                       "path_escapes", EXDEV};
  }
  return base::os_error(errno, "open " + relative);
}

base::Result<std::string> read_inside(const std::filesystem::path& folder,
                                      const std::string& relative, std::size_t bytes_max,
                                      Inside inside) {
  const sys::Fd fd = TRY(open_inside(folder, relative, O_RDONLY | O_NOCTTY | O_NONBLOCK, inside));
  std::string out;
  char piece[4096];
  for (;;) {
    const ssize_t count = read(fd.get(), piece, sizeof piece);
    if (count < 0) return base::os_error(errno, "read " + relative);
    if (count == 0) return out;
    out.append(piece, static_cast<std::size_t>(count));
    if (out.size() > bytes_max) {
      return base::Error{base::Code::too_large, relative + " is too large", "file_too_large"};
    }
  }
}

}  // namespace node::agent

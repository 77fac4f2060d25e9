// SPDX-License-Identifier: Apache-2.0
// power-loss-disk IMAGE SEED FOLDER CUT_AT
//
// Shows IMAGE as FOLDER/disk, a disk with a volatile cache: what is not flushed with fsync is lost,
// or partly lost, when the power fails. It fails during write number CUT_AT (0: never), or at
// SIGUSR1; from then on every operation gives EIO, and IMAGE is what a machine would find at its
// next start. Prints "ready", and at the cut "cut WRITES UNFLUSHED SURVIVED" in numbers. Ends when
// FOLDER is unmounted or at SIGTERM.
//
// A loop device on FOLDER/disk turns the flushes of a file system into fsync.
// Source: fuse.h and fuse_lowlevel.h of libfuse 3.14.
#define FUSE_USE_VERSION 35
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "common/base/check.h"
#include "common/sys/handle.h"
#include "tests/support/power_loss/volatile_sectors.h"

namespace {

constexpr std::string_view kName = "/disk";

class Disk {
 public:
  Disk(std::span<char> image, std::uint64_t seed, std::uint64_t cut_at)
      : sectors_(image), random_(seed), cut_at_(cut_at) {}

  std::size_t size() const { return sectors_.size(); }

  int read(std::size_t offset, std::span<char> out) {
    if (dead_) return -EIO;
    if (offset >= size()) return 0;
    out = out.first(std::min(out.size(), size() - offset));
    sectors_.read(offset, out);
    return static_cast<int>(out.size());
  }

  int write(std::size_t offset, std::string_view bytes) {
    if (dead_) return -EIO;
    if (offset > size() || bytes.size() > size() - offset) return -ENOSPC;
    ++writes_;
    if (writes_ == cut_at_) {
      report(sectors_.cut_during(offset, bytes, random_));
      return -EIO;
    }
    sectors_.write(offset, bytes);
    return static_cast<int>(bytes.size());
  }

  int flush() {
    if (dead_) return -EIO;
    sectors_.flush();
    return 0;
  }

  void cut() {
    if (!dead_) report(sectors_.cut(random_));
  }

 private:
  void report(const power_loss::CutReport& cut) {
    dead_ = true;
    std::printf("cut %llu %zu %zu\n", static_cast<unsigned long long>(writes_), cut.unflushed,
                cut.survived);
    std::fflush(stdout);
  }

  power_loss::VolatileSectors sectors_;
  std::mt19937_64 random_;
  const std::uint64_t cut_at_;
  std::uint64_t writes_ = 0;
  bool dead_ = false;
};

Disk& disk() { return *static_cast<Disk*>(fuse_get_context()->private_data); }

int get_attributes(const char* path, struct stat* out, fuse_file_info*) noexcept {
  *out = {};
  if (std::string_view(path) == "/") {
    out->st_mode = S_IFDIR | 0700;
    out->st_nlink = 2;
    return 0;
  }
  if (path != kName) return -ENOENT;
  out->st_mode = S_IFREG | 0600;
  out->st_nlink = 1;
  out->st_size = static_cast<off_t>(disk().size());
  return 0;
}

int open_file(const char* path, fuse_file_info* info) noexcept {
  if (path != kName) return -ENOENT;
  info->direct_io = 1;  // nothing may be kept on the way to us
  return 0;
}

int read_file(const char*, char* out, std::size_t size, off_t offset, fuse_file_info*) noexcept {
  return disk().read(static_cast<std::size_t>(offset), {out, size});
}

int write_file(const char*, const char* bytes, std::size_t size, off_t offset,
               fuse_file_info*) noexcept {
  return disk().write(static_cast<std::size_t>(offset), {bytes, size});
}

int sync_file(const char*, int, fuse_file_info*) noexcept { return disk().flush(); }

fuse_operations operations() {
  fuse_operations table{};
  table.getattr = get_attributes;
  table.open = open_file;
  table.read = read_file;
  table.write = write_file;
  table.fsync = sync_file;
  return table;
}

std::span<char> map_image(const char* path) {
  const sys::Fd image(::open(path, O_RDWR | O_CLOEXEC));
  struct stat status {};
  CHECK_THAT(image.is_open() && fstat(image.get(), &status) == 0);
  const auto size = static_cast<std::size_t>(status.st_size);
  CHECK_THAT(size > 0 && size % power_loss::kSectorBytes == 0);
  void* bytes = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, image.get(), 0);
  CHECK_THAT(bytes != MAP_FAILED);
  return {static_cast<char*>(bytes), size};
}

sys::Fd block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  sigaddset(&signals, SIGTERM);
  CHECK_THAT(sigprocmask(SIG_BLOCK, &signals, nullptr) == 0);
  sys::Fd fd(signalfd(-1, &signals, SFD_CLOEXEC));
  CHECK_THAT(fd.is_open());
  return fd;
}

// Serves requests and signals one after the other, until the file system is unmounted.
void serve(fuse_session* session, const sys::Fd& signals, Disk& served) {
  fuse_buf buffer{};
  pollfd ready[] = {{fuse_session_fd(session), POLLIN, 0}, {signals.get(), POLLIN, 0}};
  while (fuse_session_exited(session) == 0 && poll(ready, 2, -1) > 0) {
    if ((ready[1].revents & POLLIN) != 0) {
      signalfd_siginfo info{};
      CHECK_THAT(read(signals.get(), &info, sizeof info) == sizeof info);
      if (info.ssi_signo == SIGTERM) break;
      served.cut();
    }
    if (ready[0].revents == 0) continue;
    const int size = fuse_session_receive_buf(session, &buffer);
    if (size == -EINTR || size == -EAGAIN) continue;
    if (size <= 0) break;
    fuse_session_process_buf(session, &buffer);
  }
  std::free(buffer.mem);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: power-loss-disk IMAGE SEED FOLDER CUT_AT\n");
    return 2;
  }
  Disk served(map_image(argv[1]), std::stoull(argv[2]), std::stoull(argv[4]));
  const sys::Fd signals = block_signals();
  const fuse_operations table = operations();
  char name[] = "power-loss-disk";
  char* arguments[] = {name, nullptr};
  fuse_args args = FUSE_ARGS_INIT(1, arguments);
  fuse* instance = fuse_new(&args, &table, sizeof table, &served);
  CHECK_THAT(instance != nullptr);
  CHECK_THAT(fuse_mount(instance, argv[3]) == 0);
  // The last process of a mount namespace unmounts what is in it while it ends. Were that the file
  // system on this disk, we would wait for our own answers for ever, and every sync(2) of the
  // machine with us.
  // Requires: the caller's mounts are private, or it would lose this one too.
  CHECK_THAT(unshare(CLONE_NEWNS) == 0 && umount2(argv[3], MNT_DETACH) == 0);
  std::printf("ready\n");
  std::fflush(stdout);
  serve(fuse_get_session(instance), signals, served);
  fuse_unmount(instance);
  fuse_destroy(instance);
  fuse_opt_free_args(&args);
  return 0;
}

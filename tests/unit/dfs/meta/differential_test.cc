// SPDX-License-Identifier: Apache-2.0
// The metadata state beside a real file system: the same random operations by system calls and as
// MetaOps must give the same errors and leave the same tree. Every inode is kept open on both
// sides, so that also what has no name any more is compared.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <cerrno>
#include <cstdlib>
#include <random>
#include <set>

#include "common/sys/handle.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/dfs/meta/state_rig.h"

using namespace dfs;        // NOLINT: the subject
using namespace dfs::meta;  // NOLINT: the subject
using dfs::meta::testing::StateRig;

namespace {

constexpr TimeNs kOld = 1'000'000'000;  // the time that is set before an operation

class Pair {
 public:
  explicit Pair(std::uint64_t seed) : random_(seed) {
    root_ = rig_.make_volume("data", kInlineMax).root;
    session_ = rig_.open("client");
    CHECK_EQUAL(0, ::chmod(folder_.path().c_str(), 0755));
    open_both(root_, AT_FDCWD, folder_.path().string());
    ::umask(0);
  }

  void step() {
    const InodeNumber folder = any_folder();
    const InodeNumber other = any_folder();
    const std::string name = any_name();
    const std::string to = any_name();
    set_old({folder, other});
    what_ = "";
    switch (pick(14)) {
      case 0:
      case 1: return create(folder, name, FileKind::file);
      case 2:
      case 3: return create(folder, name, FileKind::folder);
      case 4: return create(folder, name, pick(2) == 0 ? FileKind::symlink : FileKind::fifo);
      case 5: return link(any_inode(), folder, name);
      case 6:
      case 7: return remove(folder, name, pick(3) == 0);
      case 8:
      case 9:
      case 10: return rename(folder, name, other, to);
      case 11: return change_file(any_inode());
      case 12: return change_attributes(any_inode());
      default: return change_xattr(any_inode());
    }
  }

  void compare_tree() {
    for (const auto& [inode, fd] : fds_) compare(inode);
    for (const auto& [inode, fd] : fds_) {
      if (rig_.attributes(inode).kind != FileKind::folder) continue;
      std::vector<std::string> names;
      std::string after;
      while (true) {
        const auto part = rig_.state->read_folder(1, inode, after, 3);
        CHECK_OK(part);
        for (const FolderEntry& entry : part->entries) names.push_back(entry.name);
        if (part->complete) break;
        after = names.back();
      }
      CHECK_TRUE(names == list(inode));
    }
  }

  StateRig& rig() { return rig_; }
  // Which operations ended how.
  const std::set<std::pair<std::string, int>>& seen() const { return seen_; }
  std::uint64_t pick(std::uint64_t bound) { return random_() % bound; }

 private:
  // ---- choices ----
  std::string any_name() { return std::string(1, static_cast<char>('a' + pick(6))); }
  InodeNumber any_inode() {
    auto at = fds_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(pick(fds_.size())));
    return at->first;
  }
  InodeNumber any_folder() {
    for (int i = 0; i < 20; ++i) {
      const InodeNumber inode = any_inode();
      if (rig_.attributes(inode).kind == FileKind::folder) return inode;
    }
    return root_;
  }

  // ---- both sides ----
  int fd(InodeNumber inode) const { return fds_.at(inode).get(); }
  std::string path(InodeNumber inode) const { return "/proc/self/fd/" + std::to_string(fd(inode)); }
  static int result_of(int status) { return status == 0 ? 0 : errno; }

  void open_both(InodeNumber inode, int at, const std::string& name) {
    const int opened = ::openat(at, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC);
    CHECK_TRUE(opened >= 0);
    fds_.emplace(inode, sys::Fd(opened));
    LONGS_EQUAL(0, rig_.apply(session_, HoldOp{inode}).os_errno);
    if (fds_.size() > 60) close_one();
  }
  // Of those without a name, which come to be many; others are closed and stay.
  void close_one() {
    for (const auto& [inode, handle] : fds_) {
      if (inode == root_ || rig_.attributes(inode).links > 0) continue;
      LONGS_EQUAL(0, rig_.apply(session_, DropOp{inode}).os_errno);
      CHECK_FALSE(rig_.exists(inode));
      fds_.erase(inode);
      return;
    }
  }
  void set_old(std::initializer_list<InodeNumber> folders) {
    const timespec old[2] = {{1, 0}, {1, 0}};
    for (const InodeNumber folder : folders) {
      CHECK_EQUAL(0, ::utimensat(AT_FDCWD, path(folder).c_str(), old, 0));
      SetAttributesOp set;
      set.inode = folder;
      set.accessed = set.modified = kOld;
      LONGS_EQUAL(0, rig_.apply(session_, set).os_errno);
    }
  }

  void expect(int real, const OpResult& model) {
    seen_.emplace(what_.substr(0, what_.find(' ')), real);
    if (real == static_cast<int>(model.os_errno)) return;
    FAIL((what_ + ": the kernel says " + std::to_string(real) + ", we say " +
          std::to_string(model.os_errno))
             .c_str());
  }

  void compare(InodeNumber inode) {
    struct stat real {};
    CHECK_EQUAL(0, ::fstatat(fd(inode), "", &real, AT_EMPTY_PATH));
    const Attributes model = rig_.attributes(inode);
    const std::string where = what_ + " inode " + std::to_string(inode) + " ";
    const auto same = [&](const char* field, std::uint64_t one, std::uint64_t other) {
      if (one != other)
        FAIL(
            (where + field + ": " + std::to_string(one) + " and " + std::to_string(other)).c_str());
    };
    same("links", real.st_nlink, model.links);
    same("mode", real.st_mode & 07777, model.mode);
    same("uid", real.st_uid, model.uid);
    same("gid", real.st_gid, model.gid);
    const bool is_folder = S_ISDIR(real.st_mode);
    same("kind", is_folder, model.kind == FileKind::folder);
    if (!is_folder) same("size", static_cast<std::uint64_t>(real.st_size), model.size);
    same("is modified", real.st_mtim.tv_sec != 1, model.modified != kOld);
  }

  std::vector<std::string> list(InodeNumber folder) {
    std::vector<std::string> names;
    DIR* opened = ::opendir(path(folder).c_str());
    CHECK_TRUE(opened != nullptr);
    while (const dirent* entry = ::readdir(opened)) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(name);
    }
    ::closedir(opened);
    std::sort(names.begin(), names.end());
    return names;
  }

  // ---- operations ----
  void create(InodeNumber folder, const std::string& name, FileKind kind) {
    // The kernel takes no set-group-id bit for a new folder.
    const std::uint32_t mode = pick(4) == 0 && kind != FileKind::folder ? 02755 : 0751;
    what_ = "create " + name;
    CreateOp op;
    op.folder = folder;
    op.name = name;
    op.inode = rig_.new_inode();
    op.kind = kind;
    op.mode = kind == FileKind::symlink ? 0777 : mode;
    op.time = ++time_;
    int real = 0;
    if (kind == FileKind::file) {
      real = result_of(::mknodat(fd(folder), name.c_str(), S_IFREG | mode, 0));
    } else if (kind == FileKind::folder) {
      real = result_of(::mkdirat(fd(folder), name.c_str(), mode));
    } else if (kind == FileKind::fifo) {
      real = result_of(::mknodat(fd(folder), name.c_str(), S_IFIFO | mode, 0));
    } else {
      op.target = "target";
      real = result_of(::symlinkat("target", fd(folder), name.c_str()));
    }
    expect(real, rig_.apply(session_, op));
    if (real == 0) open_both(op.inode, fd(folder), name);
    compare(folder);
    if (real == 0 && fds_.contains(op.inode)) compare(op.inode);
  }

  void link(InodeNumber inode, InodeNumber folder, const std::string& name) {
    what_ = "link " + name;
    const int real = result_of(
        ::linkat(AT_FDCWD, path(inode).c_str(), fd(folder), name.c_str(), AT_SYMLINK_FOLLOW));
    expect(real, rig_.apply(session_, LinkOp{inode, folder, name, ++time_}));
    compare(folder);
    compare(inode);
  }

  void remove(InodeNumber folder, const std::string& name, bool is_folder) {
    what_ = "remove " + name;
    const int real = result_of(::unlinkat(fd(folder), name.c_str(), is_folder ? AT_REMOVEDIR : 0));
    const OpResult model = rig_.apply(session_, RemoveOp{folder, name, is_folder, ++time_});
    expect(real, model);
    compare(folder);
    if (real == 0) compare(model.inode.inode);
  }

  void rename(InodeNumber from_folder, const std::string& from, InodeNumber to_folder,
              const std::string& to) {
    const std::uint32_t flags[] = {0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE,
                                   RENAME_NOREPLACE | RENAME_EXCHANGE};
    const std::uint32_t flag = flags[pick(std::size(flags))];
    what_ = "rename " + from + " to " + to + " flags " + std::to_string(flag);
    const int real =
        result_of(::renameat2(fd(from_folder), from.c_str(), fd(to_folder), to.c_str(), flag));
    const OpResult model =
        rig_.apply(session_, RenameOp{from_folder, from, to_folder, to, flag, ++time_});
    expect(real, model);
    compare(from_folder);
    compare(to_folder);
    if (real == 0) compare(model.inode.inode);
  }

  void change_file(InodeNumber inode) {
    if (rig_.attributes(inode).kind == FileKind::fifo) return;
    if (rig_.attributes(inode).kind == FileKind::symlink) return;  // the kernel would follow it
    if (pick(2) == 0) {
      const std::uint64_t size = pick(6000);
      what_ = "truncate";
      const int real = result_of(::truncate(path(inode).c_str(), static_cast<off_t>(size)));
      SetAttributesOp op;
      op.inode = inode;
      op.size = size;
      op.modified = op.changed = ++time_;
      expect(real, rig_.apply(session_, op));
    } else if (rig_.attributes(inode).kind == FileKind::file) {
      const std::uint64_t offset = pick(6000);
      const std::string data(pick(3000) + 1, static_cast<char>('a' + pick(26)));
      what_ = "write";
      const sys::Fd file(::open(path(inode).c_str(), O_RDWR | O_CLOEXEC));
      CHECK_TRUE(file.is_open());
      CHECK_EQUAL(static_cast<ssize_t>(data.size()),
                  ::pwrite(file.get(), data.data(), data.size(), static_cast<off_t>(offset)));
      WriteInlineOp op;
      op.inode = inode;
      op.offset = offset;
      op.data = data;
      op.time = ++time_;
      expect(0, rig_.apply(session_, op));
    }
    compare(inode);
    if (rig_.attributes(inode).kind == FileKind::file) compare_content(inode);
  }

  void compare_content(InodeNumber inode) {
    const InodeRecord record = UNWRAP(rig_.state->get_inode(1, inode));
    std::string model = record.content;
    CHECK_TRUE(model.size() <= record.attributes.size);
    model.resize(record.attributes.size);
    std::string real(kInlineMax + 1, '\0');
    const sys::Fd file(::open(path(inode).c_str(), O_RDONLY | O_CLOEXEC));
    const ssize_t got = ::pread(file.get(), real.data(), real.size(), 0);
    CHECK_TRUE(got >= 0);
    real.resize(static_cast<std::size_t>(got));
    CHECK_TRUE(real == model);
  }

  void change_attributes(InodeNumber inode) {
    if (rig_.attributes(inode).kind == FileKind::symlink) return;
    SetAttributesOp op;
    op.inode = inode;
    op.changed = ++time_;
    if (pick(2) == 0) {
      op.mode = pick(010000);
      CHECK_EQUAL(0, ::fchmodat(AT_FDCWD, path(inode).c_str(), *op.mode, 0));
    } else {
      // A folder keeps its set-user-id and set-group-id bits, a file may lose them: by its client.
      if (rig_.attributes(inode).kind != FileKind::folder) return;
      op.uid = static_cast<std::uint32_t>(pick(100));
      op.gid = static_cast<std::uint32_t>(pick(100));
      CHECK_EQUAL(0, ::chown(path(inode).c_str(), *op.uid, *op.gid));
    }
    what_ = "attributes";
    expect(0, rig_.apply(session_, op));
    compare(inode);
  }

  void change_xattr(InodeNumber inode) {
    const FileKind kind = rig_.attributes(inode).kind;
    if (kind != FileKind::file && kind != FileKind::folder) return;
    const std::string name = "user." + any_name();
    if (pick(3) == 0) {
      what_ = "removexattr";
      const int real = result_of(::removexattr(path(inode).c_str(), name.c_str()));
      if (real == EOPNOTSUPP) return;  // not every file system has these
      expect(real, rig_.apply(session_, RemoveXattrOp{inode, name, ++time_}));
    } else {
      const std::string value(pick(50), 'v');
      const std::uint32_t flags = static_cast<std::uint32_t>(pick(4));
      what_ = "setxattr " + std::to_string(flags);
      const int real = result_of(::setxattr(path(inode).c_str(), name.c_str(), value.data(),
                                            value.size(), static_cast<int>(flags)));
      if (real == EOPNOTSUPP) return;
      expect(real, rig_.apply(session_, SetXattrOp{inode, name, value, flags, ++time_}));
    }
    const InodeRecord record = UNWRAP(rig_.state->get_inode(1, inode));
    for (const Xattr& xattr : record.xattrs) {
      std::string value(100, '\0');
      const ssize_t size =
          ::getxattr(path(inode).c_str(), xattr.name.c_str(), value.data(), value.size());
      CHECK_TRUE(size == static_cast<ssize_t>(xattr.value.size()));
      CHECK_TRUE(value.substr(0, xattr.value.size()) == xattr.value);
    }
  }

  std::mt19937_64 random_;
  TempFolder folder_;
  StateRig rig_;
  InodeNumber root_ = 0;
  SessionNumber session_ = 0;
  std::map<InodeNumber, sys::Fd> fds_;
  TimeNs time_ = 2'000'000'000;
  std::string what_;
  std::set<std::pair<std::string, int>> seen_;
};

std::set<std::pair<std::string, int>> run_pair(std::uint64_t seed, int steps) {
  Pair pair(seed);
  for (int i = 0; i < steps; ++i) {
    pair.step();
    if (pair.pick(50) == 0) pair.rig().checkpoint();
    if (pair.pick(200) == 0) {
      pair.rig().queue.at_once = false;  // the crash comes before the checkpoint is durable
      pair.rig().checkpoint();
      pair.rig().restart();
      pair.rig().queue.at_once = true;
    }
  }
  pair.compare_tree();
  pair.rig().fsck();
  return pair.seen();
}

}  // namespace

TEST_GROUP(MetaDifferential){};

TEST(MetaDifferential, the_same_operations_have_the_same_results_as_in_the_kernel) {
  const char* slow = std::getenv("GESTALT_SIM_SEEDS");
  const std::uint64_t seeds = slow == nullptr ? 10 : std::strtoull(slow, nullptr, 10) / 10 + 1;
  std::set<std::pair<std::string, int>> seen;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) seen.merge(run_pair(seed, 2000));
  using Seen = std::pair<std::string, int>;
  for (const Seen& rule :
       {Seen{"create", EEXIST}, Seen{"create", ENOENT}, Seen{"link", EPERM}, Seen{"link", EEXIST},
        Seen{"link", ENOENT}, Seen{"remove", ENOENT}, Seen{"remove", EISDIR},
        Seen{"remove", ENOTDIR}, Seen{"remove", ENOTEMPTY}, Seen{"rename", EINVAL},
        Seen{"rename", ENOENT}, Seen{"rename", EEXIST}, Seen{"rename", ENOTDIR},
        Seen{"rename", EISDIR}, Seen{"rename", ENOTEMPTY}, Seen{"truncate", EISDIR},
        Seen{"setxattr", EEXIST}, Seen{"setxattr", ENODATA}, Seen{"removexattr", ENODATA}}) {
    if (!seen.contains(rule))
      FAIL((rule.first + " never ended with " + std::to_string(rule.second)).c_str());
  }
}

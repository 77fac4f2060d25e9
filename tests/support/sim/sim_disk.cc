// SPDX-License-Identifier: Apache-2.0
#include "tests/support/sim/sim_disk.h"

#include <algorithm>
#include <cerrno>

#include "common/base/text.h"
#include "tests/support/power_loss/volatile_sectors.h"

namespace sim {

using base::Code;
using base::Error;
using base::Result;
using power_loss::kSectorBytes;

// A file's content and size, volatile and durable.
class SimDisk::Inode {
 public:
  explicit Inode(std::shared_ptr<std::uint64_t> used) : used_(std::move(used)) {}
  Inode(const Inode&) = delete;
  Inode& operator=(const Inode&) = delete;
  ~Inode() { *used_ -= size_; }

  std::uint64_t size() const { return size_; }

  std::size_t read(std::uint64_t offset, std::span<char> out) const {
    if (offset >= size_) return 0;
    out = out.first(std::min<std::uint64_t>(out.size(), size_ - offset));
    sectors_.read(offset, out);
    return out.size();
  }

  void write(std::uint64_t offset, std::string_view bytes) {
    resize(std::max(size_, offset + bytes.size()));
    sectors_.write(offset, bytes);
  }

  void resize(std::uint64_t size) {
    if (size < size_) {
      // What lies beyond the end reads as zeros when the file grows again.
      sectors_.write(size, std::string(size_ - size, '\0'));
    } else if (size > durable_.size()) {
      durable_.resize((size + kSectorBytes - 1) / kSectorBytes * kSectorBytes);
      sectors_.rebind(durable_);
    }
    if (size == size_) return;
    *used_ += size - size_;
    size_ = size;
    sizes_.push_back(size);
  }

  void sync() {
    if (lies_) return;
    sectors_.flush();
    sizes_ = {size_};
  }

  void lie_from_now_on() { lies_ = true; }

  void cut(std::mt19937_64& random) {
    sectors_.cut(random);
    const std::uint64_t size = sizes_[random() % sizes_.size()];
    std::fill(durable_.begin() + static_cast<std::ptrdiff_t>(size), durable_.end(), '\0');
    *used_ += size - size_;
    size_ = size;
    sizes_ = {size};
    lies_ = false;
  }

  void flip_bit(std::uint64_t bit) {
    CHECK_THAT(bit / 8 < size_);
    durable_[bit / 8] = static_cast<char>(durable_[bit / 8] ^ (1 << bit % 8));
  }

 private:
  const std::shared_ptr<std::uint64_t> used_;
  std::string durable_;  // whole sectors
  power_loss::VolatileSectors sectors_{durable_};
  std::uint64_t size_ = 0;
  std::vector<std::uint64_t> sizes_ = {0};  // the durable one, then those since
  bool lies_ = false;
};

struct SimDisk::Entry {
  std::shared_ptr<Inode> file;     // shared with open files
  std::shared_ptr<Folder> folder;  // shared with older states of the parent
};

struct SimDisk::Folder {
  std::vector<Entries> states = {{}};  // the durable one, then one per change
  const Entries& now() const { return states.back(); }
  Entries& begin_state() {
    Entries copy = states.back();
    return states.emplace_back(std::move(copy));
  }
};

class SimFile final : public base::DiskFile {
 public:
  SimFile(SimDisk& disk, std::shared_ptr<SimDisk::Inode> inode)
      : disk_(disk), inode_(std::move(inode)), opened_at_cut_(disk.power_cuts_) {}

  Result<std::size_t> read(std::uint64_t offset, std::span<char> out) override {
    TRY(check_alive());
    if (disk_.world_.happens(disk_.faults.read_error)) return base::os_error(EIO, "read");
    return inode_->read(offset, out);
  }

  Result<void> write(std::uint64_t offset, std::string_view bytes) override {
    TRY(check_room(offset + bytes.size()));
    // The write that is under way when the power fails may be on the disk, whole or torn.
    const Result<void> begun = disk_.begin_write([&] { inode_->write(offset, bytes); });
    if (!begun) return begun;
    if (disk_.world_.happens(disk_.faults.write_error)) {
      inode_->write(offset, bytes.substr(0, disk_.world_.random()() % (bytes.size() + 1)));
      return base::os_error(EIO, "write");
    }
    inode_->write(offset, bytes);
    return {};
  }

  Result<void> allocate(std::uint64_t offset, std::uint64_t size) override {
    TRY(check_room(offset + size));
    TRY(disk_.begin_change());
    inode_->resize(std::max(inode_->size(), offset + size));
    return {};
  }

  Result<std::optional<std::size_t>> read_cached(std::uint64_t offset,
                                                 std::span<char> out) override {
    TRY(check_alive());
    if (disk_.world_.happens(disk_.faults.cold)) return std::optional<std::size_t>();
    return std::optional<std::size_t>(TRY(read(offset, out)));
  }

  Result<void> punch(std::uint64_t offset, std::uint64_t size) override {
    TRY(check_alive());
    TRY(disk_.begin_change());
    if (offset >= inode_->size()) return {};
    inode_->write(offset, std::string(std::min(size, inode_->size() - offset), '\0'));
    return {};
  }

  Result<void> truncate(std::uint64_t size) override {
    TRY(check_room(size));
    TRY(disk_.begin_change());
    inode_->resize(size);
    return {};
  }

  Result<std::uint64_t> size() override {
    TRY(check_alive());
    return inode_->size();
  }

  Result<void> sync() override {
    TRY(check_alive());
    TRY(disk_.begin_change());
    if (disk_.world_.happens(disk_.faults.sync_error)) {
      inode_->lie_from_now_on();
      return base::os_error(EIO, "sync");
    }
    if (disk_.faults.sync_lie > 0 && disk_.world_.happens(disk_.faults.sync_lie))
      inode_->lie_from_now_on();
    inode_->sync();
    return {};
  }

 private:
  Result<void> check_alive() const {
    TRY(disk_.check_power());
    if (opened_at_cut_ != disk_.power_cuts_) return base::os_error(EIO, "use a file of before");
    return {};
  }

  Result<void> check_room(std::uint64_t end) const {
    TRY(check_alive());
    const std::uint64_t growth = end > inode_->size() ? end - inode_->size() : 0;
    if (growth > disk_.capacity_ - *disk_.used_) return base::os_error(ENOSPC, "grow a file");
    return {};
  }

  SimDisk& disk_;
  const std::shared_ptr<SimDisk::Inode> inode_;
  const std::uint64_t opened_at_cut_;
};

SimDisk::SimDisk(World& world, std::uint64_t capacity_bytes)
    : world_(world),
      root_(std::make_unique<Folder>()),
      capacity_(capacity_bytes),
      used_(std::make_shared<std::uint64_t>(0)) {}

SimDisk::~SimDisk() = default;

Result<void> SimDisk::check_power() const {
  if (!has_power_) return base::os_error(EIO, "use a disk without power");
  return {};
}

Result<void> SimDisk::begin_change() {
  return begin_write([] {});
}

Result<void> SimDisk::begin_write(const std::function<void()>& write) {
  TRY(check_power());
  if (cut_in_ == 0 || --cut_in_ > 0) return {};
  write();
  cut_power();
  return base::os_error(EIO, "the power failed");
}

Result<SimDisk::Folder*> SimDisk::find_folder(std::string_view path) const {
  TRY(check_power());
  Folder* folder = root_.get();
  if (path.empty()) return folder;
  TRY(base::check_disk_path(path));
  for (const std::string_view segment : base::split(path, '/')) {
    const auto found = folder->now().find(std::string(segment));
    if (found == folder->now().end() || !found->second.folder)
      return base::os_error(ENOENT, "find the folder " + std::string(path));
    folder = found->second.folder.get();
  }
  return folder;
}

Result<std::unique_ptr<base::DiskFile>> SimDisk::open(const std::string& path,
                                                      base::OpenMode mode) {
  TRY(base::check_disk_path(path));
  Folder* folder = TRY(find_folder(base::folder_of(path)));
  const std::string name(path.substr(path.rfind('/') + 1));
  const auto found = folder->now().find(name);
  const bool exists = found != folder->now().end();
  if (exists && found->second.folder) return base::os_error(EISDIR, "open " + path);
  if (exists && mode == base::OpenMode::create_new) return base::os_error(EEXIST, "open " + path);
  if (!exists && mode == base::OpenMode::existing) return base::os_error(ENOENT, "open " + path);
  std::shared_ptr<Inode> inode;
  if (exists) {
    inode = found->second.file;
  } else {
    TRY(begin_change());
    inode = std::make_shared<Inode>(used_);
    folder->begin_state()[name] = {inode, nullptr};
  }
  return std::unique_ptr<base::DiskFile>(std::make_unique<SimFile>(*this, std::move(inode)));
}

Result<void> SimDisk::make_folder(const std::string& path) {
  TRY(base::check_disk_path(path));
  Folder* folder = TRY(find_folder(base::folder_of(path)));
  const std::string name(path.substr(path.rfind('/') + 1));
  if (folder->now().contains(name)) return base::os_error(EEXIST, "make the folder " + path);
  TRY(begin_change());
  folder->begin_state()[name] = {nullptr, std::make_shared<Folder>()};
  return {};
}

Result<void> SimDisk::rename(const std::string& from, const std::string& to) {
  TRY(base::check_disk_path(from));
  TRY(base::check_disk_path(to));
  if (base::folder_of(from) != base::folder_of(to))
    return Error{Code::invalid_argument, from + " and " + to + " are in different folders",
                 "rename_across_folders"};
  Folder* folder = TRY(find_folder(base::folder_of(from)));
  const std::string old_name(from.substr(from.rfind('/') + 1));
  const std::string new_name(to.substr(to.rfind('/') + 1));
  if (!folder->now().contains(old_name)) return base::os_error(ENOENT, "rename " + from);
  TRY(begin_change());
  Entries& entries = folder->begin_state();
  Entry entry = std::move(entries.extract(old_name).mapped());
  entries.insert_or_assign(new_name, std::move(entry));
  return {};
}

Result<void> SimDisk::unlink(const std::string& path, bool is_folder) {
  TRY(base::check_disk_path(path));
  Folder* folder = TRY(find_folder(base::folder_of(path)));
  const std::string name(path.substr(path.rfind('/') + 1));
  const auto found = folder->now().find(name);
  if (found == folder->now().end()) return base::os_error(ENOENT, "remove " + path);
  if (is_folder && found->second.file) return base::os_error(ENOTDIR, "remove " + path);
  if (!is_folder && found->second.folder) return base::os_error(EISDIR, "remove " + path);
  if (is_folder && !found->second.folder->now().empty())
    return base::os_error(ENOTEMPTY, "remove " + path);
  TRY(begin_change());
  folder->begin_state().erase(name);
  return {};
}

Result<void> SimDisk::remove(const std::string& path) { return unlink(path, false); }
Result<void> SimDisk::remove_folder(const std::string& path) { return unlink(path, true); }

Result<std::vector<std::string>> SimDisk::list(const std::string& path) {
  const Folder* folder = TRY(find_folder(path));
  std::vector<std::string> names;
  for (const auto& [name, entry] : folder->now()) names.push_back(name);
  return names;
}

Result<void> SimDisk::sync_folder(const std::string& path) {
  Folder* folder = TRY(find_folder(path));
  TRY(begin_change());
  if (world_.happens(faults.sync_error)) return base::os_error(EIO, "sync the folder " + path);
  folder->states = {folder->now()};
  return {};
}

Result<std::uint64_t> SimDisk::free_bytes() {
  TRY(check_power());
  return capacity_ - *used_;
}

void SimDisk::cut_power() {
  has_power_ = false;
  cut_in_ = 0;
  ++power_cuts_;
  cut_folder(*root_, world_.random());
}

void SimDisk::cut_folder(Folder& folder, std::mt19937_64& random) {
  Entries survived = folder.states[random() % folder.states.size()];
  folder.states = {std::move(survived)};
  for (const auto& [name, entry] : folder.now()) {
    if (entry.folder) {
      cut_folder(*entry.folder, random);
    } else {
      entry.file->cut(random);
    }
  }
}

void SimDisk::flip_bit(const std::string& path, std::uint64_t bit) {
  const Folder* folder = *find_folder(base::folder_of(path));
  folder->now().at(path.substr(path.rfind('/') + 1)).file->flip_bit(bit);
}

}  // namespace sim

// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/dfs/storage/store_rig.h"

#include "common/base/crc32c.h"
#include "tests/support/dfs/log_index.h"

namespace dfs::storage {
namespace {

using base::Result;

constexpr std::uint64_t kContentMax = 64 << 10;
constexpr ObjectNumber kObjects = 3;

void grow(std::string& content, std::uint64_t size) {
  if (content.size() < size) content.resize(size, '\0');
}

}  // namespace

std::vector<std::uint32_t> sums_of(std::uint64_t offset, std::string_view data) {
  std::vector<std::uint32_t> sums;
  while (!data.empty()) {
    const std::size_t size =
        std::min<std::uint64_t>(kBlockBytes - offset % kBlockBytes, data.size());
    sums.push_back(base::crc32c(data.substr(0, size)));
    data.remove_prefix(size);
    offset += size;
  }
  return sums;
}

StoreRig::StoreRig(std::uint64_t seed, Steps steps) : world(seed), disk(world), steps_(steps) {
  CHECK_THAT(open().empty());
}

StoreRig::~StoreRig() = default;

std::string StoreRig::open() {
  failed_ = false;
  base::Disk& used = wrapped ? *wrapped : disk;
  auto opened = dfs::testing::open_log_index(disk);
  if (!opened) return base::to_string(opened.error());
  index = *std::move(opened);
  Device::Options options;
  options.failed = [this](const base::Error&) { failed_ = true; };
  options.files_max = 2;
  DiskExecutor executor = [this](std::function<void()> work, std::function<void()> then) {
    if (steps_ == Steps::at_once) {
      work();
      then();
    } else {
      work();
      world.schedule_after(std::chrono::microseconds(world.random()() % 100), std::move(then));
    }
  };
  auto made = Device::open(used, *index, std::move(executor), std::move(options));
  if (!made) return base::to_string(made.error());
  device = *std::move(made);
  store = std::make_unique<ObjectStore>(
      *index, device->files(), ObjectStore::Options{.group = 1, .pages_max = 2, .state = [this] {
                                                      return std::to_string(applied_);
                                                    }});
  const auto state = index->find(group_state_key(1));
  if (!state) return base::to_string(state.error());
  durable_ = *state ? std::stoull(**state) : 0;
  applied_ = durable_;
  return "";
}

bool StoreRig::replay(const StoreOp& op, std::uint64_t at) {
  Result<void> done;
  switch (op.kind) {
    case StoreOp::Kind::write:
      if (op.is_placed) {
        store->keep_placed(op.object, op.offset, op.data.size());
        done = store->write_placed(op.object, op.offset, op.data.size(),
                                   sums_of(op.offset, op.data), at);
      } else {
        done = store->write(op.object, op.offset, op.data, sums_of(op.offset, op.data), at);
      }
      break;
    case StoreOp::Kind::cut: done = store->cut(op.object, op.size, at); break;
    case StoreOp::Kind::punch: done = store->punch(op.object, op.offset, op.size, at); break;
    case StoreOp::Kind::remove: done = store->remove(op.object, at); break;
  }
  applied_ = at;
  return done.has_value();
}

bool StoreRig::place_some(StoreOp& op) {
  if (!op.may_be_placed) return true;
  const Result<bool> can = store->can_place(op.object, op.offset, op.data.size());
  if (!can) return false;
  if (!*can) return true;
  op.is_placed = true;
  const Result<DataFileHandle> file = store->place(op.object, op.offset, op.data);
  if (!file || !(*file)->file->sync()) return false;
  for (const std::string& folder : device->files().changed_folders())
    if (!disk.sync_folder(folder)) return false;
  return true;
}

bool StoreRig::apply(const StoreOp& given) {
  StoreOp op = given;
  if (!place_some(op)) return false;
  log_.push_back(op);
  std::string& content = model[op.object];
  switch (op.kind) {
    case StoreOp::Kind::write:
      grow(content, op.offset + op.data.size());
      content.replace(op.offset, op.data.size(), op.data);
      break;
    case StoreOp::Kind::cut:
      if (content.size() > op.size) content.resize(op.size);
      break;
    case StoreOp::Kind::punch:
      if (op.offset < content.size()) {
        const std::uint64_t size = std::min(op.size, content.size() - op.offset);
        content.replace(op.offset, size, size, '\0');
      }
      break;
    case StoreOp::Kind::remove: content.clear(); break;
  }
  return replay(op, log_.size());
}

void StoreRig::checkpoint() {
  device->checkpoint(*store, [this](const std::string& state) { durable_ = std::stoull(state); });
}

StoreOp StoreRig::random_op() {
  auto& random = world.random();
  StoreOp op;
  op.object = 1 + random() % kObjects;
  op.offset = random() % kContentMax;
  const std::uint64_t choice = random() % 20;
  if (choice == 0) op.kind = StoreOp::Kind::remove;
  if (choice == 1 || choice == 2) op.kind = StoreOp::Kind::punch;
  if (choice == 3 || choice == 4) op.kind = StoreOp::Kind::cut;
  op.size = 1 + random() % (random() % 2 == 0 ? 300 : 20'000);
  if (random() % 2 == 0) {
    op.offset = op.offset / kBlockBytes * kBlockBytes;
    op.size = (op.size / kBlockBytes + 1) * kBlockBytes;
  }
  if (op.kind == StoreOp::Kind::cut) op.size = op.offset;
  if (op.kind == StoreOp::Kind::write) {
    op.may_be_placed = random() % 2 == 0;
    op.data.assign(op.size, static_cast<char>('a' + random() % 26));
    for (std::size_t i = 0; i < op.data.size(); i += 97)
      op.data[i] = static_cast<char>(random() % 256);
  }
  return op;
}

std::string StoreRig::restart() {
  store.reset();
  device.reset();
  index.reset();
  disk.cut_power_at_change(0);
  if (disk.has_power()) disk.cut_power();
  disk.power_on();
  std::string wrong = open();
  if (wrong.empty()) wrong = check_placed();
  if (!wrong.empty()) return wrong;
  while (applied_ < log_.size())
    if (!replay(log_[applied_], applied_ + 1)) return "an entry was not applied again";
  return "";
}

// What the log refers to must be there as it was placed.
std::string StoreRig::check_placed() {
  for (std::size_t i = applied_; i < log_.size(); ++i) {
    const StoreOp& op = log_[i];
    if (!op.is_placed) continue;
    const Result<std::string> content = store->read_placed(op.object, op.offset, op.data.size());
    if (!content || *content != op.data)
      return "entry " + std::to_string(i + 1) + " is not as it was placed";
    store->pledge(op.object, op.offset, op.data.size());
  }
  return "";
}

std::string StoreRig::read(ObjectNumber object, std::uint64_t offset, std::size_t size) {
  const Result<std::string> content = store->read(object, offset, size);
  return content ? *content : std::string(content.error().reason);
}

std::string StoreRig::compare() {
  for (const auto& [object, expected] : model) {
    const Result<std::string> content = store->read(object, 0, kContentMax + 40'000);
    if (!content) return base::to_string(content.error());
    std::string wanted = expected;
    wanted.resize(content->size(), '\0');
    for (std::size_t i = 0; i < wanted.size(); ++i)
      if (wanted[i] != (*content)[i])
        return "object " + std::to_string(object) + " differs at " + std::to_string(i);
  }
  return "";
}

}  // namespace dfs::storage

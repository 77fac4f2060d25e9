// SPDX-License-Identifier: Apache-2.0
#include "dfs/storage/device.h"

#include <algorithm>
#include <cstdlib>

#include "common/base/bytes.h"
#include "common/base/crc32c.h"
#include "common/base/log.h"

namespace dfs::storage {
namespace {

using base::Result;

constexpr std::string_view kGenerationKey = "d";
constexpr std::uint8_t kDeviceFormat = 1;
constexpr std::size_t kImagesPerRecord = 256;  // about 1 MiB
constexpr const char* kImagesPath = "images";

Result<std::uint64_t> load_generation(BlockIndex& index) {
  const auto stored = TRY(index.find(kGenerationKey));
  if (!stored) return std::uint64_t{0};
  base::ByteReader in(TRY(base::open_record(kGenerationKey, kDeviceFormat, *stored)));
  return in.u64();
}

std::string encode_generation(std::uint64_t generation) {
  return base::seal_record(kGenerationKey, kDeviceFormat,
                           base::ByteWriter().u64(generation).bytes());
}

struct Image {
  ObjectName name;
  BlockNumber block = 0;
  std::string content;
};

// One record of the images' file.
Result<std::vector<Image>> decode_images(std::string_view record, std::uint64_t generation) {
  base::ByteReader in(TRY(base::open_record("images", kDeviceFormat, record)));
  std::vector<Image> images;
  const std::uint64_t written_for = TRY(in.u64());
  if (written_for != generation) return images;
  while (!in.rest().empty()) {
    const std::uint32_t group = TRY(in.u32());
    const std::uint64_t object = TRY(in.u64());
    const std::uint64_t block = TRY(in.u64());
    const std::string_view content = TRY(in.text());
    if (content.size() != kBlockBytes)
      return base::Error{base::Code::corrupt, "an image is no block", "record_corrupt"};
    images.push_back({{group, object}, block, std::string(content)});
  }
  return images;
}

// All images of a checkpoint; a record that is not whole ends them, and then its checkpoint was not
// committed.
Result<std::vector<Image>> read_images(base::DiskFile& file, std::uint64_t generation) {
  std::vector<Image> images;
  const std::uint64_t size = TRY(file.size());
  std::uint64_t at = 0;
  while (at + 4 <= size) {
    std::string head(4, '\0');
    TRY(file.read(at, head));
    const std::uint32_t length = TRY(base::ByteReader(head).u32());
    if (length == 0 || length > size - at - 4) break;
    std::string record(length, '\0');
    TRY(file.read(at + 4, record));
    const Result<std::vector<Image>> part = decode_images(record, generation);
    if (!part || part->empty()) break;
    images.insert(images.end(), part->begin(), part->end());
    at += 4 + length;
  }
  return images;
}

}  // namespace

void end_for_device(const base::Error& error) {
  base::log::failure("DFS_DEVICE_FAILED",
                     "the storage device failed; this process ends and leaves its groups", {},
                     error);
  std::abort();
}

// A checkpoint under way.
struct Device::Run {
  struct Part {
    Asked asked;  // without a store: it was forgotten
    Frozen frozen;
  };
  // All that the disk's steps need: the device may be gone by then.
  base::Disk& disk;
  BlockIndex& index;
  std::shared_ptr<base::DiskFile> images;
  std::uint64_t generation = 0;
  std::vector<Part> parts = {};
  std::set<std::string, std::greater<>> folders = {};
  Result<void> outcome = {};
};

Device::Device(base::Disk& disk, BlockIndex& index, DiskExecutor executor, Options options)
    : disk_(disk),
      index_(index),
      executor_(std::move(executor)),
      options_(std::move(options)),
      files_(disk, options_.files_max) {}

Result<std::unique_ptr<Device>> Device::open(base::Disk& disk, BlockIndex& index,
                                             DiskExecutor executor, Options options) {
  std::unique_ptr<Device> device(new Device(disk, index, std::move(executor), std::move(options)));
  device->generation_ = TRY(load_generation(index));
  device->images_ = TRY(disk.open(kImagesPath, base::OpenMode::create));
  TRY(disk.sync_folder(""));
  TRY(device->restore_images());
  device->free_ = TRY(disk.free_bytes());
  return device;
}

// The images of the last checkpoint: it may have been cut off while it wrote them in place.
Result<void> Device::restore_images() {
  const std::vector<Image> images = TRY(read_images(*images_, generation_));
  std::vector<DataFileHandle> files;
  for (const Image& image : images) {
    const std::string key =
        index_key(image.name.group, {image.name.object, image.block / kPageBlocks});
    const auto stored = TRY(index_.find(key));
    if (!stored) continue;
    const SumPage page = TRY(decode_page(key, *stored));
    const std::size_t place = image.block % kPageBlocks;
    if (!page.present[place] || page.bad[place] || page.sums[place] != base::crc32c(image.content))
      continue;
    const DataFileHandle file = TRY(files_.make(image.name));
    TRY(file->grow(image.block * kBlockBytes, (image.block + 1) * kBlockBytes));
    TRY(file->file->write(image.block * kBlockBytes, image.content));
    files.push_back(file);
  }
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  for (const DataFileHandle& file : files) TRY(file->file->sync());
  for (const std::string& folder : files_.take_changed_folders()) TRY(disk_.sync_folder(folder));
  files_.taken_are_synced();
  // Not once more: what comes from now on may be placed there.
  TRY(images_->truncate(0));
  return images_->sync();
}

void Device::fail(const base::Error& error) {
  if (failed_) return;
  failed_ = true;
  options_.failed(error);
}

Device::Asked* Device::find_asked(const ObjectStore& store) {
  for (Asked& asked : asked_)
    if (asked.store == &store) return &asked;
  return nullptr;
}

void Device::checkpoint(ObjectStore& store, Done done) {
  Asked* asked = find_asked(store);
  if (asked == nullptr) asked = &asked_.emplace_back(Asked{&store, {}});
  asked->done.push_back(std::move(done));
  if (!run_ && !failed_) begin();
}

void Device::forget(const ObjectStore& store) {
  std::erase_if(asked_, [&store](const Asked& asked) { return asked.store == &store; });
  if (!run_) return;
  for (Run::Part& part : run_->parts)
    if (part.asked.store == &store) part.asked = {};
}

void Device::begin() {
  run_ = std::make_shared<Run>(Run{disk_, index_, images_, generation_ + 1});
  for (Asked& asked : asked_) {
    Frozen frozen = asked.store->freeze();
    run_->parts.push_back({std::move(asked), std::move(frozen)});
  }
  asked_.clear();
  run_->folders = files_.take_changed_folders();
  const std::weak_ptr<bool> alive = alive_;
  executor_(
      [run = run_] {
        run->outcome = store_images(*run);
        if (run->outcome) run->outcome = sync_files(*run);
        if (run->outcome) run->outcome = commit(*run);
      },
      [this, alive, run = run_] {
        if (!alive.expired()) write_back(run);
      });
}

Result<void> Device::store_images(const Run& run) {
  std::uint64_t at = 0;
  base::ByteWriter body;
  std::size_t count = 0;
  const auto flush = [&]() -> Result<void> {
    const std::string record = base::seal_record("images", kDeviceFormat, body.take());
    const std::string framed = base::ByteWriter().text(record).take();
    TRY(run.images->write(at, framed));
    at += framed.size();
    body = {};
    count = 0;
    return {};
  };
  for (const Run::Part& part : run.parts) {
    for (const auto& [name, image] : part.frozen.images) {
      if (count == 0) body.u64(run.generation);
      body.u32(part.frozen.group).u64(name.object).u64(name.block).text(*image);
      if (++count == kImagesPerRecord) TRY(flush());
    }
  }
  if (count > 0) TRY(flush());
  if (at > 0) TRY(run.images->sync());
  return {};
}

void Device::write_back(const std::shared_ptr<Run>& run) {
  if (!run->outcome) return fail(run->outcome.error());
  for (Run::Part& part : run->parts) {
    if (part.asked.store == nullptr) {
      part.frozen.files.clear();
      continue;
    }
    const Result<void> written = part.asked.store->write_back(part.frozen);
    if (!written) return fail(written.error());
  }
  run->folders = files_.take_changed_folders();
  const std::weak_ptr<bool> alive = alive_;
  executor_([run] { run->outcome = sync_files(*run); },
            [this, alive, run] {
              if (!alive.expired()) finish(run);
            });
}

Result<void> Device::sync_files(const Run& run) {
  for (const Run::Part& part : run.parts)
    for (const DataFileHandle& file : part.frozen.files) TRY(file->file->sync());
  for (const std::string& folder : run.folders) {
    const Result<void> synced = run.disk.sync_folder(folder);
    if (!synced && synced.error().code != base::Code::not_found) return synced;
  }
  return {};
}

Result<void> Device::commit(const Run& run) {
  std::vector<BlockIndex::Change> changes;
  for (const Run::Part& part : run.parts)
    for (BlockIndex::Change& change : encode_frozen(part.frozen))
      changes.push_back(std::move(change));
  changes.push_back({std::string(kGenerationKey), encode_generation(run.generation)});
  return run.index.commit(changes);
}

void Device::finish(const std::shared_ptr<Run>& run) {
  if (!run->outcome) return fail(run->outcome.error());
  generation_ = run->generation;
  ++checkpoints_;
  files_.taken_are_synced();
  for (const Run::Part& part : run->parts) {
    if (part.asked.store == nullptr) continue;
    const Result<void> thawed = part.asked.store->thaw(part.frozen);
    if (!thawed) return fail(thawed.error());
  }
  run_.reset();
  const std::weak_ptr<bool> alive = alive_;
  for (const Run::Part& part : run->parts) {
    for (const Done& call : part.asked.done) {
      call(part.frozen.state);
      if (alive.expired()) return;
    }
  }
  if (!asked_.empty() && !run_) begin();
}

void Device::sync_placed(const DataFileHandle& file, std::function<void()> durable) {
  placing_[file].push_back(std::move(durable));
  if (!is_syncing_placed_) sync_next_placed();
}

// One sync of a file serves all that was placed in it until it began.
void Device::sync_next_placed() {
  if (placing_.empty() || failed_) return;
  is_syncing_placed_ = true;
  struct Job {
    base::Disk& disk;
    std::map<DataFileHandle, std::vector<std::function<void()>>> files;
    std::set<std::string, std::greater<>> folders;
    Result<void> outcome;
  };
  const auto job = std::make_shared<Job>(Job{disk_, std::exchange(placing_, {}), {}, {}});
  for (const auto& [file, calls] : job->files)
    if (!file->is_named) job->folders = files_.changed_folders();
  const std::weak_ptr<bool> alive = alive_;
  const DiskExecutor& executor = options_.placing ? options_.placing : executor_;
  executor(
      [job] {
        for (const auto& [file, calls] : job->files)
          if (job->outcome) job->outcome = file->file->sync();
        for (const std::string& folder : job->folders) {
          if (!job->outcome) return;
          const Result<void> synced = job->disk.sync_folder(folder);
          if (!synced && synced.error().code != base::Code::not_found) job->outcome = synced;
        }
      },
      [this, alive, job] {
        if (alive.expired()) return;
        is_syncing_placed_ = false;
        if (!job->outcome) return fail(job->outcome.error());
        for (const auto& [file, calls] : job->files) file->is_named = true;
        sync_next_placed();
        for (const auto& [file, calls] : job->files) {
          for (const auto& call : calls) {
            call();
            if (alive.expired()) return;
          }
        }
      });
}

void Device::measure_now() {
  const Result<std::uint64_t> free = disk_.free_bytes();
  if (!free) return fail(free.error());
  free_ = *free;
  written_ = 0;
}

void Device::measure(std::function<void()> then) {
  auto outcome = std::make_shared<Result<std::uint64_t>>(std::uint64_t{0});
  const std::uint64_t before = written_;
  const std::weak_ptr<bool> alive = alive_;
  executor_([outcome, disk = &disk_] { *outcome = disk->free_bytes(); },
            [this, alive, outcome, before, then = std::move(then)] {
              if (alive.expired()) return;
              if (!*outcome) return fail(outcome->error());
              free_ = **outcome;
              written_ -= std::min(before, written_);
              then();
            });
}

}  // namespace dfs::storage

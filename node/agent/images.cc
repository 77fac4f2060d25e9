// SPDX-License-Identifier: Apache-2.0
#include "node/agent/images.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <tuple>

#include "common/sys/files.h"
#include "node/agent/blob_cache.h"
#include "node/agent/image_fetch.h"

namespace node::agent {

namespace {

// What is used beyond `percent` of the disk; 0: nothing, or not known.
std::int64_t bytes_beyond(const std::filesystem::path& folder, std::int64_t percent) {
  struct statvfs info = {};
  if (statvfs(folder.c_str(), &info) != 0) return 0;
  const auto size = static_cast<double>(info.f_blocks) * static_cast<double>(info.f_frsize);
  const auto free = static_cast<double>(info.f_bavail) * static_cast<double>(info.f_frsize);
  const double allowed = size * static_cast<double>(percent) / 100;
  return std::max<std::int64_t>(0, static_cast<std::int64_t>(size - free - allowed));
}

}  // namespace

std::vector<std::string> choose_oldest(std::vector<UnusedImage> unused, std::int64_t excess_bytes) {
  std::sort(unused.begin(), unused.end(), [](const UnusedImage& a, const UnusedImage& b) {
    return std::tie(a.used, a.digest) < std::tie(b.used, b.digest);
  });
  std::vector<std::string> chosen;
  for (const UnusedImage& image : unused) {
    if (excess_bytes <= 0) break;
    excess_bytes -= image.size_bytes;
    chosen.push_back(image.digest);
  }
  return chosen;
}

Images::Images(Parts parts)
    : parts_(parts),
      folder_(parts.config.state_folder / "images"),
      staging_(folder_ / "staging" / base::system_rng().uuid()),
      self_(std::make_shared<Images*>(this)) {}

Images::~Images() { *self_ = nullptr; }

base::Result<std::unique_ptr<Images>> Images::open(Parts parts) {
  std::unique_ptr<Images> out(new Images(parts));
  TRY(sys::make_folder(out->folder_, 0711));
  out->remove_old_staging();
  TRY(sys::make_folder(out->staging_, 0700));
  TRY(sys::make_folder(out->folder_ / "trees", 0711));
  std::error_code failed;
  for (const auto& each : std::filesystem::directory_iterator(out->folder_ / "trees", failed)) {
    auto image = load_image(each.path());
    // A tree without its description cannot be used and would only take up room.
    if (!image) {
      TRY(sys::remove_tree(each.path()));
      continue;
    }
    out->images_[image->digest] = *std::move(image);
  }
  // A reference that moved on is still named by its old image's file: the newer one counts.
  for (auto& [digest, image] : out->images_) {
    for (const std::string& reference : image.references) {
      const auto [at, first] = out->references_.try_emplace(reference, digest);
      if (!first && out->images_[at->second].pulled_at < image.pulled_at) at->second = digest;
    }
  }
  if (failed) return base::os_error(failed.value(), "read the folder of images");
  return out;
}

// A tool of an agent that was killed may still write there, so each agent has a folder of its own,
// and what cannot be removed now goes with a later start.
void Images::remove_old_staging() {
  std::vector<std::filesystem::path> old;
  std::error_code none_there;
  for (const auto& each : std::filesystem::directory_iterator(folder_ / "staging", none_there)) {
    old.push_back(each.path());
  }
  [[maybe_unused]] auto submitted = parts_.workers.submit([old] {
    for (const auto& each : old) {
      [[maybe_unused]] auto removed = sys::remove_tree(each);
    }
  });
}

const Image* Images::find_digest(const std::string& digest) const {
  const auto at = images_.find(digest);
  return at == images_.end() ? nullptr : &at->second;
}

const Image* Images::find(const std::string& reference) const {
  const auto at = references_.find(reference);
  return at == references_.end() ? nullptr : find_digest(at->second);
}

void Images::ensure(const std::string& reference, bool force, Progress progress, Done done) {
  if (const Image* image = find(reference); image != nullptr && !force) {
    last_used_[image->digest] = base::system_clock().now();
    return parts_.loop.post([image = *image, done = std::move(done)] { done(image); });
  }
  auto& waiters = fetches_[reference];
  waiters.push_back({std::move(progress), std::move(done)});
  if (waiters.size() > 1) return;
  const auto staging = staging_ / std::to_string(staging_next_++);
  auto work = [self = self_, &loop = parts_.loop, &config = parts_.config, reference, staging,
               trees = folder_ / "trees", blobs = folder_ / "blobs"] {
    auto tell = [self, &loop, reference](const std::string& message) {
      loop.post([self, reference, message] {
        if (*self != nullptr) (*self)->report(reference, message);
      });
    };
    auto image = fetch_image({reference, staging, trees, blobs, config, tell});
    loop.post([self, reference, image = std::move(image)] {
      if (*self != nullptr) (*self)->finish(reference, image);
    });
  };
  if (auto submitted = parts_.workers.submit(std::move(work)); !submitted) {
    parts_.loop.post([self = self_, reference, error = submitted.error()] {
      if (*self != nullptr) (*self)->finish(reference, error);
    });
  }
}

void Images::report(const std::string& reference, const std::string& message) {
  const auto at = fetches_.find(reference);
  if (at == fetches_.end()) return;
  for (const Waiter& waiter : at->second) {
    if (waiter.progress) waiter.progress(message);
  }
}

void Images::finish(const std::string& reference, base::Result<Image> image) {
  auto node = fetches_.extract(reference);
  if (image) {
    // A reference that moved on no longer names its old image.
    for (auto& [digest, each] : images_) std::erase(each.references, reference);
    references_[reference] = image->digest;
    last_used_[image->digest] = base::system_clock().now();
    images_[image->digest] = *image;
  }
  if (node.empty()) return;
  for (const Waiter& waiter : node.mapped()) waiter.done(image);
}

std::vector<Image> Images::list() const {
  std::vector<Image> out;
  for (const auto& [digest, image] : images_) out.push_back(image);
  return out;
}

void Images::remove_tree_later(const std::filesystem::path& folder) {
  // Out of sight at once, so that no fetch takes a half-removed tree for a whole one.
  const auto grave = staging_ / ("gone-" + std::to_string(staging_next_++));
  std::error_code failed;
  std::filesystem::rename(folder, grave, failed);
  if (failed) return;
  // When no worker is free the next start of the agent empties staging.
  [[maybe_unused]] auto submitted =
      parts_.workers.submit([grave] { [[maybe_unused]] auto removed = sys::remove_tree(grave); });
}

base::Result<void> Images::remove(const std::string& digest, const std::set<std::string>& in_use) {
  const auto at = images_.find(digest);
  if (at == images_.end()) {
    return base::Error{base::Code::not_found, "no image " + digest, "image_unknown"};
  }
  if (in_use.contains(digest)) {
    return base::Error{base::Code::failed_precondition, "an instance uses the image " + digest,
                       "image_in_use"};
  }
  remove_tree_later(at->second.tree.parent_path());
  std::erase_if(references_, [&](const auto& entry) { return entry.second == digest; });
  last_used_.erase(digest);
  images_.erase(at);
  return {};
}

void Images::collect_blobs(bool all) {
  // A fetch under way may be about to use any of them.
  if (!fetches_.empty()) return;
  if (!all && bytes_beyond(folder_, parts_.config.images.disk_used_percent_max) == 0) return;
  const auto unused_min = all ? std::chrono::seconds(0) : parts_.config.images.unused_min;
  BlobCache(folder_ / "blobs").collect(unused_min);
}

std::vector<std::string> Images::collect(const std::set<std::string>& in_use, bool all) {
  const base::Instant now = base::system_clock().now();
  std::vector<UnusedImage> unused;
  for (const auto& [digest, image] : images_) {
    if (in_use.contains(digest)) continue;
    const auto used = last_used_.try_emplace(digest, now).first->second;
    if (all || now - used >= parts_.config.images.unused_min) {
      unused.push_back({used, digest, image.size_bytes});
    }
  }
  // Counted and not measured again after each: the trees are removed later, by a worker.
  const std::int64_t excess =
      all ? INT64_MAX : bytes_beyond(folder_, parts_.config.images.disk_used_percent_max);
  std::vector<std::string> removed;
  for (const std::string& digest : choose_oldest(std::move(unused), excess)) {
    if (remove(digest, in_use)) removed.push_back(digest);
  }
  collect_blobs(all);
  return removed;
}

}  // namespace node::agent

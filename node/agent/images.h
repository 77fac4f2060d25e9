// SPDX-License-Identifier: Apache-2.0
// Images on this node: fetched with skopeo, unpacked with umoci, kept by manifest digest.
//
// Layout of the folder: trees/<digest>/{rootfs,image.json}; staging/… while one is being made;
// blobs/ as registries sent them (blob_cache.h). A tree appears under trees/ by rename when it is
// whole, so a crash leaves only staging behind.
// 1. Wishes for the same reference share one fetch.
// 2. A tree is never changed once it is there: instances see it through an overlay.
// 3. Digests are verified by skopeo while it copies and by umoci while it unpacks; a layout on disk
//    is copied through skopeo as well, so that nothing unverified is unpacked.
// Threads: loop thread; the work is done on workers.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/sys/event_loop.h"
#include "node/agent/config.h"
#include "node/agent/image.h"

namespace node::agent {

// An image that no instance uses and that is old enough to go.
struct UnusedImage {
  base::Instant used;  // last
  std::string digest;
  std::int64_t size_bytes = 0;
};
// Which of them go so that `excess_bytes` become free: the oldest first, and no more than that
// takes. Pure.
std::vector<std::string> choose_oldest(std::vector<UnusedImage> unused, std::int64_t excess_bytes);

class Images {
 public:
  using Progress = std::function<void(const std::string& message)>;
  using Done = std::function<void(base::Result<Image>)>;

  struct Parts {
    sys::EventLoop& loop;
    sys::WorkerPool& workers;
    const Config& config;
  };
  // Reads what is there and empties staging. Blocks; for the start of the daemon.
  static base::Result<std::unique_ptr<Images>> open(Parts parts);
  ~Images();

  // An image that is here already, without any I/O.
  const Image* find(const std::string& reference) const;
  const Image* find_digest(const std::string& digest) const;
  // Fetches the image when it is not here, or anew when `force`. Errors: unavailable
  // image_pull_failed; corrupt image_invalid; not_found image_tag_unknown; no_space.
  void ensure(const std::string& reference, bool force, Progress progress, Done done);

  std::vector<Image> list() const;
  // Errors: not_found image_unknown; failed_precondition image_in_use.
  base::Result<void> remove(const std::string& digest, const std::set<std::string>& in_use);
  // Removes images that are not in use and are older than the minimum age, oldest first, as many as
  // bring the disk below its threshold; all that are not in use when `all`. Returns their digests.
  std::vector<std::string> collect(const std::set<std::string>& in_use, bool all);
  std::size_t fetches_under_way() const { return fetches_.size(); }

 private:
  struct Waiter {
    Progress progress;
    Done done;
  };
  using Fetches = std::map<std::string, std::vector<Waiter>>;

  explicit Images(Parts parts);
  void finish(const std::string& reference, base::Result<Image> image);
  void report(const std::string& reference, const std::string& message);
  void remove_old_staging();
  void collect_blobs(bool all);
  void remove_tree_later(const std::filesystem::path& folder);

  Parts parts_;
  std::filesystem::path folder_;
  std::filesystem::path staging_;                  // of this process
  std::map<std::string, Image> images_;            // by digest
  std::map<std::string, std::string> references_;  // to digest
  std::map<std::string, base::Instant> last_used_;
  Fetches fetches_;
  std::uint64_t staging_next_ = 0;
  std::shared_ptr<Images*> self_;
};

}  // namespace node::agent

// SPDX-License-Identifier: Apache-2.0
// The embedded event log against the contract, on a real disk.
#include "common/sys/posix_disk.h"
#include "services/event/segment_engine.h"
#include "tests/contract/event_suite.h"
#include "tests/support/temp_folder.h"

namespace {

class SteppingClock final : public base::Clock {
 public:
  base::Instant now() const override { return base::system_clock().now(); }
  base::WallTime wall() const override { return base::system_clock().wall() + ahead_; }
  void step() { ahead_ += std::chrono::milliseconds(10); }

 private:
  std::chrono::milliseconds ahead_{0};
};

class SegmentRig : public contract::EventEngine {
 public:
  services::event::Engine& open() override {
    if (engine_) return *engine_;
    disk_ = UNWRAP(sys::open_posix_disk(folder_.path()));
    // Small segments, so that the suite's events span several.
    services::event::SegmentEngineOptions options;
    options.log = {.segment_bytes = 8 << 10, .index_every_bytes = 1024};
    engine_ =
        UNWRAP(services::event::SegmentEngine::open(*disk_, clock_, base::system_rng(), options));
    return *engine_;
  }
  services::event::Engine& reopen() override {
    engine_.reset();
    return open();
  }
  void let_time_pass() override { clock_.step(); }

 private:
  TempFolder folder_;
  SteppingClock clock_;
  std::unique_ptr<base::Disk> disk_;
  std::unique_ptr<services::event::SegmentEngine> engine_;
};

}  // namespace

TEST_GROUP(SegmentEvents) { SegmentRig engine; };

EVENT_CONTRACT_TESTS(SegmentEvents, CONTRACT_TEST)

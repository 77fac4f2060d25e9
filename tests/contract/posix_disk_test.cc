// SPDX-License-Identifier: Apache-2.0
// The real disk against the contract.
#include "common/sys/posix_disk.h"

#include "tests/contract/disk_suite.h"
#include "tests/support/temp_folder.h"

namespace {

class PosixEngine : public contract::DiskEngine {
 public:
  base::Disk& disk() override { return *disk_; }
  std::filesystem::path path() const { return folder_.path(); }

 private:
  TempFolder folder_;
  std::unique_ptr<base::Disk> disk_ = *sys::open_posix_disk(folder_.path());
};

}  // namespace

TEST_GROUP(PosixDisk) { PosixEngine engine; };

DISK_CONTRACT_TESTS(PosixDisk, CONTRACT_TEST)

TEST(PosixDisk, symbolic_links_are_not_followed) {
  std::filesystem::create_symlink("/etc", engine.path() / "link");
  CHECK_FALSE(engine.disk().open("link/passwd", base::OpenMode::existing).has_value());
  CHECK_FALSE(engine.disk().list("link").has_value());
}

TEST(PosixDisk, the_root_must_exist) {
  CHECK_ERROR(base::Code::not_found, "os_not_found",
              sys::open_posix_disk(engine.path() / "missing"));
}

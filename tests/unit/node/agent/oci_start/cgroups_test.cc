// SPDX-License-Identifier: Apache-2.0
// On a node, whose control groups can be written.
#include "node/agent/oci_start/cgroups.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "node/agent/limits.h"
#include "tests/support/check_result.h"

using node::agent::Cgroups;
using node::agent::CgroupVersion;
using node::agent::find_cgroups;

namespace {

namespace fs = std::filesystem;

bool try_write(const fs::path& file, const std::string& text) {
  std::ofstream out(file);
  out << text;
  out.flush();
  return out.good();
}

void write_text(const fs::path& file, const std::string& text) {
  CHECK_TEXT(try_write(file, text), file.c_str());
}

}  // namespace

// A group at the top, which the test enters and leaves again.
TEST_GROUP(OciStartCgroups) {
  const Cgroups cgroups = find_cgroups();
  fs::path base = cgroups.version == CgroupVersion::v1 ? cgroups.root / "cpu" : cgroups.root;
  fs::path group;

  void setup() override {
    group = base / ("oci-start-test-" + std::to_string(getpid()));
    // systemd removes empty groups of the old hierarchies whenever it sets a slice up, which the
    // suites before may have left it to do: ours may go before we are in it.
    for (int tries = 0; tries < 100; ++tries) {
      fs::create_directory(group);
      if (try_write(group / "cgroup.procs", std::to_string(getpid()))) return;
    }
    FAIL("the group cannot be entered");
  }
  void teardown() override {
    write_text(base / "cgroup.procs", std::to_string(getpid()));
    fs::remove(group);
  }
  void set_limit() {
    if (cgroups.version == CgroupVersion::v1)
      return write_text(group / "cpu.cfs_quota_us", "50000");
    write_text(group / "cpu.max", "50000 100000");
  }
  std::optional<double> limit() const {
    return read_limits(cgroups, "/" + group.filename().string()).cpus;
  }
};

TEST(OciStartCgroups, a_limit_is_lifted_and_set_again) {
  set_limit();
  DOUBLES_EQUAL(0.5, limit().value_or(0), 0.001);
  const auto lifted = oci_start::lift_cpu_limit();
  CHECK_FALSE(limit().has_value());
  CHECK(oci_start::restore_cpu_limit(lifted));
  DOUBLES_EQUAL(0.5, limit().value_or(0), 0.001);
}

TEST(OciStartCgroups, without_a_limit_nothing_is_written) {
  const auto lifted = oci_start::lift_cpu_limit();
  set_limit();
  CHECK(oci_start::restore_cpu_limit(lifted));
  DOUBLES_EQUAL(0.5, limit().value_or(0), 0.001);
}

TEST(OciStartCgroups, a_process_that_is_not_there_has_no_groups) {
  CHECK_FALSE(oci_start::join_cgroups_of("0"));
  CHECK(oci_start::join_cgroups_of(std::to_string(getpid()).c_str()));
}

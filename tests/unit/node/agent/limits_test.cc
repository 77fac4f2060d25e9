// SPDX-License-Identifier: Apache-2.0
#include "node/agent/limits.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "tests/support/check_result.h"

using node::agent::Cgroups;
using node::agent::CgroupVersion;
using node::agent::EffectiveLimits;
using node::agent::judge_limits;
using node::api::RunResources;

TEST_GROUP(Limits) {
  std::filesystem::path root;

  void setup() override {
    char name[] = "/tmp/limits-test-XXXXXX";
    root = mkdtemp(name);
  }
  void teardown() override { std::filesystem::remove_all(root); }
  void write(const std::string& file, const std::string& text) {
    std::filesystem::create_directories((root / file).parent_path());
    std::ofstream(root / file) << text << "\n";
  }
};

TEST(Limits, version_1_is_read_from_one_folder_per_controller) {
  write("cpu/s/u/cpu.cfs_quota_us", "50000");
  write("cpu/s/u/cpu.cfs_period_us", "100000");
  write("memory/s/u/memory.limit_in_bytes", "67108864");
  write("pids/s/u/pids.max", "512");
  write("memory/s/u/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2");
  const Cgroups cgroups{root, CgroupVersion::v1};
  const auto limits = read_limits(cgroups, "/s/u");
  DOUBLES_EQUAL(0.5, *limits.cpus, 0.001);
  LONGS_EQUAL(67108864, *limits.memory_bytes);
  LONGS_EQUAL(512, *limits.pids_max);
  LONGS_EQUAL(2, *read_oom_kills(cgroups, "/s/u"));
}

TEST(Limits, version_2_is_read_from_one_folder) {
  write("s/u/cpu.max", "150000 100000");
  write("s/u/memory.max", "67108864");
  write("s/u/pids.max", "max");
  write("s/u/memory.events", "low 0\noom 1\noom_kill 1");
  const Cgroups cgroups{root, CgroupVersion::v2};
  const auto limits = read_limits(cgroups, "/s/u");
  DOUBLES_EQUAL(1.5, *limits.cpus, 0.001);
  LONGS_EQUAL(67108864, *limits.memory_bytes);
  CHECK_FALSE(limits.pids_max.has_value());
  LONGS_EQUAL(1, *read_oom_kills(cgroups, "/s/u"));
}

TEST(Limits, what_is_used_is_told_apart_in_either_version) {
  write("cpuacct/u/cpuacct.usage", "3000000000");
  write("cpuacct/u/cpuacct.usage_sys", "1000000000");
  write("memory/u/memory.usage_in_bytes", "9000");
  write("memory/u/memory.stat", "cache 5000\nrss 1\ntotal_rss 4000");
  write("pids/u/pids.current", "3");
  write("u/cpu.stat", "usage_usec 3000000\nuser_usec 2000000\nsystem_usec 1000000");
  write("u/memory.current", "9000");
  write("u/memory.stat", "anon 4000\nfile 5000");
  write("u/pids.current", "3");
  for (const CgroupVersion version : {CgroupVersion::v1, CgroupVersion::v2}) {
    const auto usage = node::agent::read_usage({root, version}, "/u");
    LONGS_EQUAL(9000, usage.memory_bytes);
    LONGS_EQUAL(4000, usage.anonymous_bytes);
    DOUBLES_EQUAL(3.0, usage.cpu_seconds, 0.001);
    DOUBLES_EQUAL(1.0, usage.system_cpu_seconds, 0.001);
    LONGS_EQUAL(3, usage.pids);
  }
}

TEST(Limits, no_limit_is_no_number_in_either_version) {
  write("cpu/u/cpu.cfs_quota_us", "-1");
  write("cpu/u/cpu.cfs_period_us", "100000");
  write("memory/u/memory.limit_in_bytes", "9223372036854771712");
  const auto v1 = node::agent::read_limits({root, CgroupVersion::v1}, "/u");
  CHECK_FALSE(v1.cpus.has_value());
  CHECK_FALSE(v1.memory_bytes.has_value());
  write("u/cpu.max", "max 100000");
  write("u/memory.max", "max");
  const auto v2 = node::agent::read_limits({root, CgroupVersion::v2}, "/u");
  CHECK_FALSE(v2.cpus.has_value());
  CHECK_FALSE(v2.memory_bytes.has_value());
}

TEST(Limits, a_limit_that_is_absent_or_too_high_is_reported) {
  const RunResources wanted{0.5, 64 << 20, 0, 100};
  LONGS_EQUAL(0, judge_limits(wanted, 100, {0.5, 64 << 20, 100}).size());
  const auto none = judge_limits(wanted, 100, {});
  LONGS_EQUAL(3, none.size());
  STRCMP_EQUAL("cpu_limit_not_effective", none[0].c_str());
  STRCMP_EQUAL("memory_limit_not_effective", none[1].c_str());
  STRCMP_EQUAL("pids_limit_not_effective", none[2].c_str());
  const auto high = judge_limits(wanted, 100, {2.0, 64 << 20, 100});
  LONGS_EQUAL(1, high.size());
}

TEST(Limits, a_disk_limit_is_the_size_of_the_file_system_of_the_root) {
  const RunResources wanted{0, 0, 8 << 20, 0};
  const auto none = judge_limits(wanted, 0, {});
  LONGS_EQUAL(1, none.size());
  STRCMP_EQUAL("disk_limit_not_effective", none[0].c_str());
  EffectiveLimits effective;
  effective.disk_bytes = (8 << 20) + 1;
  LONGS_EQUAL(1, judge_limits(wanted, 0, effective).size());
  effective.disk_bytes = 7 << 20;
  LONGS_EQUAL(0, judge_limits(wanted, 0, effective).size());
  CHECK(node::agent::read_limits({root, CgroupVersion::v2}, "/u", getpid()).disk_bytes > 0);
  CHECK_FALSE(node::agent::read_limits({root, CgroupVersion::v2}, "/u").disk_bytes.has_value());
}

TEST(Limits, a_limit_below_the_wish_is_effective) {
  LONGS_EQUAL(0, judge_limits({0.5, 64 << 20, 0, 0}, 100, {0.4, 1 << 20, 50}).size());
}

TEST(Limits, without_a_wish_nothing_can_be_missed) {
  LONGS_EQUAL(0, judge_limits({}, 0, {}).size());
}

// SPDX-License-Identifier: Apache-2.0
#include "node/agent/volumes.h"

#include <filesystem>

#include "tests/support/check_result.h"
#include "tests/unit/node/agent/fake_services.h"
#include "tests/unit/node/agent/rig.h"

using agent_test::FakeServices;
using agent_test::Peers;
using agent_test::run_until;
using base::Code;
using base::Result;
using node::agent::Config;
using node::agent::mount_properties;
using node::agent::parse_mount_unit;
using node::agent::Record;
using node::agent::volume_places;
using node::agent::Volumes;

TEST_GROUP(Volumes) {
  TempFolder folder;
  Config config = agent_test::make_config(folder);
  std::unique_ptr<sys::EventLoop> loop = agent_test::make_loop();
  sys::WorkerPool workers{{.threads = 1}};
  FakeServices services{*loop};
  Peers peers{*loop, workers, folder};
  std::unique_ptr<sys::AsyncHttp> http = agent_test::make_http(*loop);
  std::unique_ptr<Volumes> volumes;
  node::api::RunSpec spec;

  void setup() override {
    peers.start();
    volumes = std::make_unique<Volumes>(Volumes::Parts{*loop, *http, services, config});
    spec.app = "/db";
    spec.volumes = {{"/data", "", "db.0._data", 64 << 20, false},
                    {"/etc/x", "/srv/x", "", 0, true},
                    {"/shared", "", "common", 0, false, true}};
  }
  Record record() const {
    Record out;
    out.status.id = node::api::InstanceId("db.i-1");
    out.status.epoch = 3;
    out.spec = std::make_shared<const node::api::RunSpec>(spec);
    out.uid_first = node::agent::kUidFirst;
    return out;
  }
  Result<void> mount() {
    std::optional<Result<void>> out;
    volumes->mount(record(), 7, 8, [&](Result<void> done) { out = std::move(done); });
    run_until(*loop, [&] { return out.has_value(); });
    return *out;
  }
  Result<void> check() {
    std::optional<Result<void>> out;
    volumes->check(record(), [&](Result<void> done) { out = std::move(done); });
    run_until(*loop, [&] { return out.has_value(); });
    return *out;
  }
  void unmount() {
    bool is_done = false;
    volumes->unmount(record(), [&] { is_done = true; });
    run_until(*loop, [&] { return is_done; });
  }
  std::string argument(const char* property, std::size_t at, std::size_t place = 0) const {
    for (const auto& each :
         mount_properties(volume_places(record(), config)[place], record(), config))
      if (each.name == property)
        return std::get<std::vector<std::vector<std::string>>>(each.value)[0].at(at);
    return "";
  }
};

TEST(Volumes, are_made_with_their_quota_and_owner_and_mounted_by_units_of_the_instance) {
  CHECK_OK(mount());
  LONGS_EQUAL(64 << 20, peers.volumes.at("db.0._data"));
  LONGS_EQUAL(0, peers.volumes.at("common"));
  STRCMP_EQUAL("7:8", peers.volume_owner.c_str());
  CHECK(services.has_call("start gsv-0-db.i-1-3.service"));
  CHECK(services.has_call("start gsv-2-db.i-1-3.service"));
  CHECK(std::filesystem::is_directory(folder / "run/volumes/gsv-0-db.i-1-3.service"));
  CHECK_OK(check());
}

TEST(Volumes, one_that_is_there_gets_the_new_quota) {
  peers.volumes = {{"db.0._data", 1}, {"common", 5}};
  CHECK_OK(mount());
  LONGS_EQUAL(64 << 20, peers.volumes.at("db.0._data"));
  LONGS_EQUAL(5, peers.volumes.at("common"));
}

TEST(Volumes, wait_for_a_file_system_that_is_coming_up) {
  peers.dfs_status = 503;
  bool is_done = false;
  volumes->mount(record(), 0, 0, [&](const Result<void>& done) { is_done = done.has_value(); });
  run_until(*loop, [&] { return !volumes->is_reachable(); });
  peers.dfs_status = 200;
  run_until(*loop, [&] { return is_done; });
  CHECK(volumes->is_reachable());
}

TEST(Volumes, a_mount_that_fails_says_which_unit_knows_why) {
  services.start_error = "unit_start_failed";
  CHECK_ERROR(Code::internal, "volume_mount_failed", mount());
}

TEST(Volumes, a_mount_of_an_agent_before_us_is_taken_over) {
  services.add_running("gsv-0-db.i-1-3.service");
  CHECK_OK(mount());
}

TEST(Volumes, a_mount_that_has_ended_is_noticed) {
  CHECK_OK(mount());
  services.units.erase("gsv-2-db.i-1-3.service");
  CHECK_ERROR(Code::failed_precondition, "volume_lost", check());
}

TEST(Volumes, unmounting_ends_every_unit_and_takes_the_mount_points_away) {
  CHECK_OK(mount());
  unmount();
  CHECK(services.has_call("stop gsv-0-db.i-1-3.service"));
  CHECK(services.has_call("stop gsv-2-db.i-1-3.service"));
  CHECK_FALSE(std::filesystem::exists(folder / "run/volumes/gsv-0-db.i-1-3.service"));
  unmount();
}

TEST(Volumes, data_in_a_mount_point_is_never_removed) {
  CHECK_OK(mount());
  const std::filesystem::path inside = folder / "run/volumes/gsv-0-db.i-1-3.service/file";
  std::filesystem::create_directory(inside);
  unmount();
  CHECK(std::filesystem::exists(inside));
}

TEST(Volumes, of_one_instance_are_taken_over_and_shared_ones_are_joined) {
  STRCMP_EQUAL("127.0.0.1:7861:/db.0._data", argument("ExecStart", 1).c_str());
  CHECK(argument("ExecStart", 5).find(",takeover") != std::string::npos);
  CHECK(argument("ExecStart", 5, 2).find("takeover") == std::string::npos);
  CHECK(argument("ExecStart", 5).find(",uid_first=268435456") != std::string::npos);
  STRCMP_EQUAL("--detach", argument("ExecStopPost", 1).c_str());
}

TEST(Volumes, folders_of_the_node_need_no_mount) {
  std::filesystem::create_directories(folder / "volumes/db.0._data");  // of an earlier version
  const auto places = volume_places(record(), config);
  STRCMP_EQUAL("", places[0].unit.c_str());
  STRCMP_EQUAL("/srv/x", places[1].folder.c_str());
  config.volumes.engine = node::agent::VolumeEngine::folder;
  STRCMP_EQUAL("", volume_places(record(), config)[2].unit.c_str());
}

TEST(Volumes, long_names_are_cut_and_stay_different) {
  const std::string first = node::agent::dfs_volume_name(std::string(100, 'a') + "1");
  LONGS_EQUAL(64, first.size());
  CHECK(first != node::agent::dfs_volume_name(std::string(100, 'a') + "2"));
  STRCMP_EQUAL("short", node::agent::dfs_volume_name("short").c_str());
}

TEST(Volumes, only_names_that_it_makes_are_read) {
  const auto owner = parse_mount_unit("gsv-12-db.i-1-3.service");
  CHECK(owner.has_value());
  LONGS_EQUAL(12, owner->index);
  STRCMP_EQUAL("gst-db.i-1-3.service", owner->unit.c_str());
  for (const char* text : {"gst-db.i-1-3.service", "gsv-x-db.i-1-3.service", "gsv-1.service",
                           "gsv-1-db.service", "gsv-", ""})
    CHECK_FALSE(parse_mount_unit(text).has_value());
}

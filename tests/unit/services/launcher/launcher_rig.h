// SPDX-License-Identifier: Apache-2.0
// Meta, tasks and the launcher on one host with two fake Marathons: "default" and "far".
#pragma once

#include "services/launcher/service.h"
#include "services/task/service.h"
#include "tests/unit/services/launcher/fake_marathon.h"
#include "tests/unit/services/meta/service_rig.h"

struct LauncherRig : MetaRig {
  void add_services(std::vector<std::unique_ptr<services::Service>>& list) override {
    list.push_back(UNWRAP(services::task::make_task(base::Json::object())));
    const base::Json config = {
        {"providers", {{"default", {{"url", near.url()}}}, {"far", {{"url", far.url()}}}}}};
    list.push_back(UNWRAP(services::launcher::Launcher::make(config)));
    launcher = static_cast<services::launcher::Launcher*>(list.back().get());
  }
  void setup() override {
    MetaRig::setup();
    make("ws", "/root/workspaces", R"({"name":"ws"})");
    make("env", "/root/workspaces/$ws/environments",
         R"({"name":"env","properties":{"environment_type":"test"}})");
    make("far", "/root/providers",
         R"({"name":"far","resource_type":"Gestalt::Configuration::Provider::CaaS::DCOS",
             "properties":{"config":{}}})");
  }
  void teardown() override {
    for (const FakeMarathon* each : {&near, &far})
      for (const std::string& complaint : each->complaints()) FAIL(complaint.c_str());
    MetaRig::teardown();
  }

  // Time goes on until everything that is due has been looked at.
  void go_on(int seconds = 6) {
    CHECK_OK(host->drain());
    for (int i = 0; i < seconds; ++i) {
      clock.pass(std::chrono::seconds(1));
      launcher->sweep();
    }
  }
  // Makes `web`; the task is kept as $task.
  Answer launch(const std::string& properties) {
    const Answer made = make("web", "/root/environments/$env/containers",
                             R"({"name":"web","properties":)" + properties + "}");
    keep_task(made);
    return made;
  }
  void keep_task(const Answer& answer) {
    const auto found = answer.raw.headers.find("Gestalt-Task");
    CHECK_TRUE(found != answer.raw.headers.end());
    ids["task"] = found->second.substr(found->second.rfind('/') + 1);
  }
  std::string app_id() const {
    return services::launcher::app_id_of(
        {{"fqon", "root"}, {"name", "web"}, {"id", ids.at("web")}});
  }
  std::string shown(const char* pointer) {
    return call("admin", "GET /root/containers/$web").at(pointer);
  }
  services::TaskRow task() {
    std::optional<services::TaskRow> row;
    CHECK_OK(host->store().read([&](store::Reader& reader) -> base::Result<void> {
      row = UNWRAP(services::load_task(reader, ids["task"]));
      return {};
    }));
    return *row;
  }
  std::size_t records() {
    std::size_t count = 0;
    CHECK_OK(host->store().read([&](store::Reader& reader) -> base::Result<void> {
      count = UNWRAP(reader.list(services::launcher::kContainers, {.limit = 100})).size();
      return {};
    }));
    return count;
  }

  FakeMarathon near;
  FakeMarathon far;
  services::launcher::Launcher* launcher = nullptr;  // owned by the host
};

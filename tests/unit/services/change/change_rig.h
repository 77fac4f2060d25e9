// SPDX-License-Identifier: Apache-2.0
// Change management in a host with a service that knows nothing of changes (notes.h).
#pragma once

#include "services/change/service.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "services/change/records.h"
#include "tests/support/check_result.h"
#include "tests/support/services/notes.h"
#include "tests/support/services/rig.h"
#include "tests/support/temp_folder.h"

using base::Json;
using base::Result;
using namespace services::change;
using services::test::Notes;
using services::test::Rig;

namespace fixture {

// Counts the events that approval sends.
class Listener final : public services::Service {
 public:
  std::string_view name() const override { return "listener"; }
  std::string_view mount() const override { return "/listener"; }
  std::vector<store::Collection> collections() const override { return {}; }
  void actions(services::ActionTable&) override {}
  Result<void> start(services::Host& host) override {
    host.subscribe("listener", "task.dns.", [this](const services::Event&) -> Result<void> {
      ++heard;
      return {};
    });
    return {};
  }
  std::atomic<int> heard = 0;
};

inline std::vector<std::unique_ptr<services::Service>> hosted() {
  std::vector<std::unique_ptr<services::Service>> all;
  all.push_back(std::make_unique<Notes>());
  all.push_back(std::make_unique<Listener>());
  all.push_back(std::make_unique<ChangeService>(ChangeService::Systems{}));
  return all;
}

}  // namespace fixture

namespace fixture {

struct ChangeRig : public Utest {
  TempFolder folder;
  std::unique_ptr<Rig> rig;

  void setup() override {
    start();
    const Json handler = {{"name", "notes need a second pair of eyes"},
                          {"org_id", services::test::kRootId},
                          {"match_actions", {"note.*"}}};
    LONGS_EQUAL(201, send("root", "POST /change/handlers", handler).status);
  }
  void start() {
    rig.reset();
    auto services = hosted();
    std::filesystem::create_directories(folder / "state");
    auto store = UNWRAP(store::open_lmdb((folder / "store").string(),
                                         {.collections = services::collections_of(services)}));
    rig = std::make_unique<Rig>(hosted(), std::move(store), services::HostOptions(),
                                (folder / "state").string());
    for (const char* each : {"root/*", "alice/readNotes", "alice/writeNotes", "bob/change:approve",
                             "carol/change:approve", "dan/change:override"})
      rig->security.granted.insert(each);
  }
  rest::Response send(const std::string& as, const std::string& line, const Json& body = Json()) {
    return rig->send(line, {.as = as, .body = body.is_null() ? "" : base::dump_json(body)});
  }
  // A held note: the id of its change.
  std::string hold(const Json& more = Json::object()) {
    services::test::Sent sent{.as = "alice", .body = R"({"text":"hello"})"};
    sent.headers["change-management"] = base::dump_json(more);
    const auto held = rig->send("POST /notes/acme/notes", sent);
    LONGS_EQUAL(202, held.status);
    return held.headers.at("Change-Id");
  }
  rest::Response decide(const std::string& as, const std::string& id, const std::string& verb,
                        const Json& body = Json::object()) {
    return send(as, "POST /change/changes/" + id + "/" + verb, body);
  }
  std::string status(const std::string& id) {
    return rig->json("GET /change/changes/" + id, {.as = "root"}).value("status", "");
  }
  Json notes() { return rig->json("GET /notes/acme/notes", {.as = "alice"}); }
  void until_status(const std::string& id, const std::string& wanted) {
    rig->until([&] { return status(id) == wanted; });
  }
};

}  // namespace fixture

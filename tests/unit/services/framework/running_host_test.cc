// SPDX-License-Identifier: Apache-2.0
#include "services/framework/running_host.h"

#include <CppUTest/TestHarness.h>

#include <mutex>
#include <nlohmann/json.hpp>

#include "services/framework/call.h"
#include "services/framework/call_state.h"
#include "services/framework/task_runner.h"
#include "tests/support/services/notes.h"
#include "tests/support/services/rig.h"

namespace {

using namespace services;
using base::Json;
using test::Rig;

// Keeps what it is told, and fails as often as it is asked to.
struct Listener final : Service {
  std::string_view name() const override { return "listener"; }
  std::string_view mount() const override { return "/listener"; }
  std::vector<store::Collection> collections() const override { return {}; }
  void actions(ActionTable&) override {}
  base::Result<void> start(Host& host) override {
    host.subscribe("listener", "notes.", [this](const Event& event) -> base::Result<void> {
      if (failures > 0) {
        --failures;
        return base::Error{base::Code::unavailable, "not now", "connect_failed"};
      }
      const std::lock_guard lock(mutex_);
      told_.push_back(event);
      return {};
    });
    host.add_runner("listener.fail", [this](TaskRun&) -> base::Result<TaskEnd> {
      ++attempts;
      return base::Error{base::Code::invalid_argument, "cannot work", "field_invalid"};
    });
    return {};
  }
  std::atomic<int> failures{0};
  std::atomic<int> attempts{0};
  std::vector<Event> told() {
    const std::lock_guard lock(mutex_);
    return told_;
  }

 private:
  std::mutex mutex_;
  std::vector<Event> told_;  // under mutex_
};

std::vector<std::unique_ptr<Service>> two(Listener*& listener) {
  std::vector<std::unique_ptr<Service>> all;
  all.push_back(std::make_unique<test::Notes>());
  auto made = std::make_unique<Listener>();
  listener = made.get();
  all.push_back(std::move(made));
  return all;
}

TEST_GROUP(RunningHost) {
  Listener* listener = nullptr;
  Rig rig{two(listener)};
  void setup() override { rig.security.granted = {"alice/*"}; }
  Json make_note(const std::string& text) {
    return rig.json("POST /notes/acme/notes", {.as = "alice", .body = Json{{"text", text}}.dump()});
  }
  TaskRow load(const std::string& id) {
    TaskRow task;
    CHECK_OK(rig.store().read([&](store::Reader& reader) -> base::Result<void> {
      task = TRY(load_task(reader, id));
      return {};
    }));
    return task;
  }
};

TEST(RunningHost, subscribers_are_told_in_order_with_who_and_where) {
  for (int i = 0; i < 20; ++i) make_note("note " + std::to_string(i));
  rig.until([&] { return listener->told().size() >= 20; });
  rig.drain();
  CHECK_EQUAL(20U, listener->told().size());
  for (int i = 0; i < 20; ++i) {
    CHECK(Json::parse(listener->told()[i].payload)["text"] == "note " + std::to_string(i));
  }
  CHECK(listener->told()[0].org_fqon == "acme");
  CHECK(listener->told()[0].account_id == "alice");
}

TEST(RunningHost, a_subscriber_that_fails_is_told_again_and_loses_nothing) {
  listener->failures = 3;
  for (int i = 0; i < 5; ++i) make_note("note " + std::to_string(i));
  rig.until([&] { return listener->told().size() >= 5; });
  for (int i = 0; i < 5; ++i) {
    CHECK(Json::parse(listener->told()[i].payload)["text"] == "note " + std::to_string(i));
  }
}

TEST(RunningHost, a_service_acts_by_itself_in_a_transaction_like_a_callers) {
  std::string task;
  CHECK_OK(rig.host().transact("notes.sweep", internal_caller("notes"),
                               [&](Call& call) -> base::Result<void> {
                                 call.emit("notes.swept", Json{{"n", 1}});
                                 task = TRY(call.task({.verb = "sweep", .resource = "notes"}, {}));
                                 return {};
                               }));
  rig.until([&] { return listener->told().size() == 1; });
  CHECK(load(task).status == "pending");
}

TEST(RunningHost, a_task_that_cannot_succeed_is_halted_with_its_reason) {
  std::string id;
  CHECK_OK(
      rig.host().transact("x", internal_caller("listener"), [&](Call& call) -> base::Result<void> {
        id = TRY(call.task({.verb = "try", .resource = "x", .runner = "listener.fail"}, {}));
        return {};
      }));
  rig.until([&] { return load(id).has_ended(); });
  CHECK(load(id).status == "halted");
  CHECK(load(id).errors.at(0).code == "field_invalid");
  CHECK_EQUAL(1, listener->attempts);
}

TEST(RunningHost, a_deadline_ends_a_task_that_nobody_moves_on) {
  std::string id;
  CHECK_OK(
      rig.host().transact("x", internal_caller("listener"), [&](Call& call) -> base::Result<void> {
        TaskSpec spec{.verb = "wait", .resource = "x"};
        spec.deadline = call.now() + std::chrono::milliseconds(20);
        id = TRY(call.task(std::move(spec), {}));
        return {};
      }));
  rig.until([&] { return load(id).has_ended(); });
  CHECK(load(id).errors.at(0).code == "task_deadline_passed");
}

TEST(RunningHost, a_table_with_a_get_that_changes_something_is_refused) {
  struct Wrong final : Service {
    std::string_view name() const override { return "wrong"; }
    std::string_view mount() const override { return "/wrong"; }
    std::vector<store::Collection> collections() const override { return {}; }
    void actions(ActionTable& table) override {
      static constexpr Action<Wrong> kRows[] = {
          {rest::Method::get, "/x", "x.change", authenticated(), Kind::mutation,
           [](Wrong&, Call&) -> base::Result<Reply> { return Reply::no_content(); }, "Wrong"}};
      table.add(kRows, *this);
    }
    base::Result<void> start(Host&) override { return {}; }
  };
  std::vector<std::unique_ptr<Service>> all;
  all.push_back(std::make_unique<Wrong>());
  const auto store = store::make_memory({});
  sys::WorkerPool workers({.threads = 1});
  rest::Metrics metrics;
  const auto loop = sys::EventLoop::make();
  CHECK_OK(loop);
  sys::LoopTimers timers(**loop);
  CHECK_ERROR(base::Code::invalid_argument, "action_table_invalid",
              RunningHost::make({*store, base::system_clock(), base::system_rng(), timers, workers,
                                 metrics, "/nowhere", [](std::function<void()>) {}},
                                std::move(all), {}));
}

}  // namespace

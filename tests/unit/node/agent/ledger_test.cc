// SPDX-License-Identifier: Apache-2.0
#include "node/agent/ledger.h"

#include "tests/support/check_result.h"
#include "tests/unit/node/agent/peers.h"

using agent_test::run_until;
using node::agent::Ledger;
using node::agent::Record;
using node::api::InstanceId;

TEST_GROUP(Ledger) {
  TempFolder folder;
  std::unique_ptr<sys::EventLoop> loop = agent_test::make_loop();
  std::unique_ptr<sys::WorkerPool> workers =
      std::make_unique<sys::WorkerPool>(sys::WorkerPool::Limits{.threads = 1});
  std::unique_ptr<Ledger> ledger;

  void setup() override { open(); }
  void open() {
    ledger.reset();
    ledger = UNWRAP(Ledger::open(folder / "ledger", *loop, *workers));
  }
  Record record(const char* id, const char* message = "") {
    node::api::RunSpec spec;
    spec.app = "/p";
    spec.version = "v";
    spec.kind = node::api::RunKind::process;
    spec.argv = {"/bin/true"};
    Record out;
    out.status.id = InstanceId(id);
    out.status.message = message;
    out.spec = std::make_shared<const node::api::RunSpec>(spec);
    out.spec_digest = std::string(64, 'a');
    return out;
  }
  void flush() {
    bool flushed = false;
    ledger->flush([&] { flushed = true; });
    run_until(*loop, [&] { return flushed; });
  }
};

TEST(Ledger, what_was_acknowledged_is_there_after_a_restart) {
  bool written = false;
  ledger->put(record("a"), [&](base::Result<void> result) {
    CHECK_OK(result);
    written = true;
  });
  CHECK_FALSE(written);
  run_until(*loop, [&] { return written; });
  open();
  const auto loaded = UNWRAP(ledger->load());
  LONGS_EQUAL(1, loaded.records.size());
  STRCMP_EQUAL("a", loaded.records[0].status.id.text().c_str());
}

TEST(Ledger, the_last_of_many_writes_counts_and_every_caller_is_told) {
  int told = 0;
  for (int i = 0; i < 100; ++i) {
    ledger->put(record("a", std::to_string(i).c_str()), [&](base::Result<void> result) {
      CHECK_OK(result);
      ++told;
    });
  }
  run_until(*loop, [&] { return told == 100; });
  open();
  STRCMP_EQUAL("99", UNWRAP(ledger->load()).records[0].status.message.c_str());
}

TEST(Ledger, an_erased_record_stays_away_and_one_put_behind_it_stays) {
  ledger->put(record("a"));
  ledger->put(record("b"));
  ledger->erase(InstanceId("a"));
  ledger->erase(InstanceId("b"));
  ledger->put(record("b"));
  ledger->erase(InstanceId("never"));
  flush();
  open();
  const auto loaded = UNWRAP(ledger->load());
  LONGS_EQUAL(1, loaded.records.size());
  STRCMP_EQUAL("b", loaded.records[0].status.id.text().c_str());
}

TEST(Ledger, a_ledger_that_goes_away_still_writes_but_tells_nobody) {
  bool told = false;
  ledger->put(record("a"), [&](base::Result<void>) { told = true; });
  ledger.reset();
  workers.reset();  // runs what is queued
  workers = std::make_unique<sys::WorkerPool>(sys::WorkerPool::Limits{.threads = 1});
  open();
  agent_test::run_for(*loop, std::chrono::milliseconds(20));
  CHECK_FALSE(told);
  LONGS_EQUAL(1, UNWRAP(ledger->load()).records.size());
}

TEST(Ledger, flush_of_nothing_is_done_at_once) {
  bool flushed = false;
  ledger->flush([&] { flushed = true; });
  CHECK(flushed);
}

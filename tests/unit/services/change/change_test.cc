// SPDX-License-Identifier: Apache-2.0
#include "services/change/change.h"

#include <random>

#include "tests/support/check_result.h"

using namespace services::change;
using base::Code;

namespace {

constexpr std::int64_t kNow = 1'000'000;

Change sample(State state = State::pending) {
  Change change;
  change.id = "c1";
  change.state = state;
  change.requester_id = "alice";
  change.requester_name = "Alice";
  change.payload = "{}";
  change.payload_hash = "h1";
  change.quorum = 1;
  if (state == State::approved || state == State::applying)
    change.approvals.push_back({"bob", "Bob", kNow, "h1", ""});
  return change;
}

Actor actor(const std::string& name, std::vector<std::string> groups = {}) {
  return {name, name, std::move(groups), {}};
}

enum class Verb { approve, reject, amend, schedule, cancel, override_freeze, begin, finish };

base::Result<void> act(Change& change, Verb verb) {
  switch (verb) {
    case Verb::approve: TRY(approve(change, actor("carol"), "", "", kNow)); return {};
    case Verb::reject: return reject(change, actor("carol"), "no", kNow);
    case Verb::amend: return amend(change, actor("dave"), "[]", "h2", kNow);
    case Verb::schedule: return schedule(change, kNow + 10, kNow);
    case Verb::cancel: return cancel(change, actor("alice"), "", kNow);
    case Verb::override_freeze: return override_freeze(change, actor("carol"), kNow);
    case Verb::begin: return begin(change, kNow);
    case Verb::finish: return finish(change, true, 200, "done", "/x", kNow);
  }
  return {};
}

struct Row {
  State from;
  Verb verb;
  std::optional<State> to;  // nullopt: refused, and nothing changes
};

constexpr State kEnded[] = {State::completed, State::failed, State::rejected, State::cancelled,
                            State::expired};
constexpr Verb kVerbs[] = {Verb::approve, Verb::reject,          Verb::amend, Verb::schedule,
                           Verb::cancel,  Verb::override_freeze, Verb::begin, Verb::finish};

}  // namespace

TEST_GROUP(Change){};

TEST(Change, every_arrow_of_the_picture_and_no_other) {
  const Row rows[] = {
      {State::pending, Verb::approve, State::approved},
      {State::pending, Verb::reject, State::rejected},
      {State::pending, Verb::amend, State::pending},
      {State::pending, Verb::schedule, State::pending},
      {State::pending, Verb::cancel, State::cancelled},
      {State::pending, Verb::override_freeze, State::pending},
      {State::pending, Verb::begin, std::nullopt},
      {State::pending, Verb::finish, std::nullopt},
      {State::approved, Verb::approve, std::nullopt},
      {State::approved, Verb::reject, State::rejected},
      {State::approved, Verb::amend, State::pending},
      {State::approved, Verb::schedule, State::approved},
      {State::approved, Verb::cancel, State::cancelled},
      {State::approved, Verb::override_freeze, State::approved},
      {State::approved, Verb::begin, State::applying},
      {State::approved, Verb::finish, std::nullopt},
      {State::applying, Verb::approve, std::nullopt},
      {State::applying, Verb::reject, std::nullopt},
      {State::applying, Verb::amend, std::nullopt},
      {State::applying, Verb::schedule, std::nullopt},
      {State::applying, Verb::cancel, std::nullopt},
      {State::applying, Verb::override_freeze, std::nullopt},
      {State::applying, Verb::begin, State::applying},
      {State::applying, Verb::finish, State::completed},
  };
  for (const Row& row : rows) {
    Change change = sample(row.from);
    const auto done = act(change, row.verb);
    const std::string what =
        std::string(state_name(row.from)) + " verb " + std::to_string(static_cast<int>(row.verb));
    CHECK_TEXT(done.has_value() == row.to.has_value(), what.c_str());
    CHECK_TEXT(change.state == row.to.value_or(row.from), what.c_str());
    if (!done) STRCMP_EQUAL("change_state_forbids", std::string(done.error().reason).c_str());
  }
  for (const State state : kEnded)
    for (const Verb verb : kVerbs) {
      Change change = sample(state);
      CHECK_TRUE(!act(change, verb));
      CHECK_TRUE(change.state == state && has_ended(state));
    }
}

TEST(Change, names_of_states_come_back) {
  for (const State state : {State::pending, State::approved, State::applying, State::completed,
                            State::failed, State::rejected, State::cancelled, State::expired})
    CHECK_TRUE(find_state(state_name(state)) == state);
  CHECK_FALSE(find_state("open").has_value());
}

TEST(Change, who_asked_or_amended_or_acts_for_them_cannot_approve) {
  Change change = sample();
  CHECK_ERROR(Code::permission_denied, "change_self_approval",
              approve(change, actor("alice"), "", "", kNow));
  change.on_behalf = {"robot"};
  CHECK_ERROR(Code::permission_denied, "change_self_approval",
              approve(change, actor("robot"), "", "", kNow));
  Actor deputy = actor("deputy");
  deputy.on_behalf = {"alice"};
  CHECK_ERROR(Code::permission_denied, "change_self_approval",
              approve(change, deputy, "", "", kNow));
  CHECK_OK(amend(change, actor("bob"), "[]", "h2", kNow));
  CHECK_ERROR(Code::permission_denied, "change_self_approval",
              approve(change, actor("bob"), "", "", kNow));
  CHECK_ERROR(Code::permission_denied, "change_self_approval",
              override_freeze(change, actor("alice"), kNow));
  CHECK_TRUE(change.state == State::pending && change.approvals.empty());
}

TEST(Change, the_quorum_counts_different_accounts) {
  Change change = sample();
  change.quorum = 2;
  CHECK_FALSE(UNWRAP(approve(change, actor("bob"), "h1", "ok", kNow)));
  CHECK_ERROR(Code::failed_precondition, "change_already_approved",
              approve(change, actor("bob"), "", "", kNow));
  CHECK_TRUE(change.state == State::pending);
  CHECK_TRUE(UNWRAP(approve(change, actor("carol"), "h1", "", kNow)));
  CHECK_TRUE(change.state == State::approved);
}

TEST(Change, only_the_approvers_groups_count) {
  Change change = sample();
  change.approver_groups = {"ops", "board"};
  CHECK_ERROR(Code::permission_denied, "change_not_approver",
              approve(change, actor("bob", {"dev"}), "", "", kNow));
  CHECK_TRUE(UNWRAP(approve(change, actor("carol", {"dev", "ops"}), "", "", kNow)));
}

TEST(Change, an_approval_is_for_the_payload_that_was_seen) {
  Change change = sample();
  change.quorum = 2;
  CHECK_OK(approve(change, actor("bob"), "h1", "", kNow));
  CHECK_OK(amend(change, actor("alice"), "[1]", "h2", kNow));
  CHECK_TRUE(change.approvals.empty());
  STRCMP_EQUAL("{}", change.original.c_str());
  CHECK_ERROR(Code::conflict, "change_payload_differs",
              approve(change, actor("carol"), "h1", "", kNow));
  CHECK_OK(approve(change, actor("bob"), "h2", "", kNow));
  CHECK_OK(approve(change, actor("carol"), "h2", "", kNow));
  change.payload_hash = "h3";  // as if the record had been tampered with
  CHECK_ERROR(Code::conflict, "change_payload_differs", begin(change, kNow));
}

TEST(Change, an_amendment_to_the_same_payload_is_none) {
  Change change = sample(State::approved);
  CHECK_OK(amend(change, actor("alice"), "{}", "h1", kNow));
  CHECK_TRUE(change.state == State::approved && change.amended_by.empty());
}

TEST(Change, nothing_is_decided_behind_the_deadline) {
  for (const Verb verb : {Verb::approve, Verb::reject, Verb::amend, Verb::schedule, Verb::cancel,
                          Verb::override_freeze, Verb::begin}) {
    Change change = sample(verb == Verb::begin ? State::approved : State::pending);
    change.deadline_ms = kNow;
    CHECK_ERROR(Code::failed_precondition, "change_expired", act(change, verb));
  }
}

TEST(Change, a_schedule_lies_ahead_and_before_the_deadline) {
  Change change = sample();
  change.deadline_ms = kNow + 100;
  CHECK_ERROR(Code::invalid_argument, "field_invalid", schedule(change, kNow - 1, kNow));
  CHECK_ERROR(Code::invalid_argument, "field_invalid", schedule(change, kNow + 100, kNow));
  CHECK_OK(schedule(change, kNow + 99, kNow));
}

TEST_GROUP(ChangeSteps){};

TEST(ChangeSteps, what_is_due) {
  struct Due {
    State state;
    std::int64_t schedule, deadline, frozen;
    bool overrides, dependencies_done, dependency_failed;
    Step step;
    std::int64_t wake;
  };
  const Due rows[] = {
      {State::pending, 0, 0, 0, false, true, false, Step::wait, 0},
      {State::pending, 0, kNow + 5, 0, false, true, false, Step::wait, kNow + 5},
      {State::pending, 0, kNow, 0, false, true, false, Step::expire, 0},
      {State::pending, 0, 0, 0, false, false, true, Step::cancel, 0},
      {State::approved, 0, 0, 0, false, true, false, Step::release, 0},
      {State::approved, kNow + 9, 0, 0, false, true, false, Step::wait, kNow + 9},
      {State::approved, kNow, 0, 0, false, true, false, Step::release, 0},
      {State::approved, kNow + 9, kNow + 5, 0, false, true, false, Step::wait, kNow + 5},
      {State::approved, 0, kNow - 1, 0, false, true, false, Step::expire, 0},
      {State::approved, 0, 0, kNow + 7, false, true, false, Step::wait, kNow + 7},
      {State::approved, kNow + 9, 0, kNow + 7, false, true, false, Step::wait, kNow + 9},
      {State::approved, 0, 0, kNow + 7, true, true, false, Step::release, 0},
      {State::approved, 0, 0, 0, false, false, false, Step::wait, kNow + 5000},
      {State::approved, 0, 0, 0, false, false, true, Step::cancel, 0},
      {State::applying, kNow + 9, kNow - 1, kNow + 7, false, false, true, Step::release, 0},
      {State::completed, 0, kNow - 1, 0, false, true, false, Step::wait, 0},
      {State::rejected, 0, kNow - 1, 0, false, false, true, Step::wait, 0},
  };
  for (const Due& row : rows) {
    Change change = sample(row.state);
    change.schedule_ms = row.schedule;
    change.deadline_ms = row.deadline;
    change.overrides_freeze = row.overrides;
    Surroundings around;
    if (row.frozen != 0) around.frozen_until_ms = row.frozen;
    around.dependencies_done = row.dependencies_done;
    around.dependency_failed = row.dependency_failed;
    const Next next = next_step(change, around, kNow);
    const std::string where = "row " + std::to_string(&row - rows);
    CHECK_TEXT(next.step == row.step, where.c_str());
    CHECK_TEXT(next.wake_ms == row.wake, where.c_str());
  }
}

// Whatever is done to a change in whatever order: it begins only with enough approvals by others
// for the payload it has, and what has ended stays as it is.
TEST(ChangeSteps, random_histories_keep_the_promises) {
  std::mt19937_64 random(7);
  int begun = 0;
  for (int run = 0; run < 3000; ++run) {
    Change change = sample();
    change.quorum = 1 + static_cast<std::int64_t>(random() % 3);
    for (int step = 0; step < 14; ++step) {
      const Actor by = actor(std::string(1, static_cast<char>('a' + random() % 4)));
      const Change before = change;
      const std::uint64_t dice = random() % 8;
      if (dice <= 4) (void)approve(change, by, "", "", kNow);
      if (dice == 5) (void)amend(change, by, "[]", "h" + std::to_string(random() % 3), kNow);
      if (dice == 6) (void)begin(change, kNow);
      if (dice == 7 && random() % 4 == 0) (void)reject(change, by, "", kNow);
      if (has_ended(before.state)) CHECK_TRUE(change.state == before.state);
      if (change.state != State::applying || before.state == State::applying) continue;
      ++begun;
      CHECK_TRUE(static_cast<std::int64_t>(change.approvals.size()) >= change.quorum);
      for (const Approval& approval : change.approvals) {
        CHECK_TRUE(approval.payload_hash == change.payload_hash);
        CHECK_TRUE(approval.account_id != change.requester_id);
        for (const std::string& author : change.amended_by)
          CHECK_TRUE(approval.account_id != author);
      }
    }
  }
  CHECK_TRUE(begun > 100);
}

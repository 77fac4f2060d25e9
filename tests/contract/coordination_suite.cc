// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/coordination_suite.h"

#include <thread>

namespace contract {

using base::Code;
using coordination::Check;
using coordination::Coordination;
using coordination::Create;
using coordination::Delete;
using coordination::Kind;
using coordination::Operation;
using coordination::Outcome;
using coordination::Set;
using coordination::Stat;
using coordination::Value;

namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += name + " ";
  return text;
}

std::string children_of(Coordination& session, const std::string& path) {
  return joined(UNWRAP(session.children(path)));
}

void make(Coordination& session, const std::string& path, const std::string& data = "",
          Kind kind = Kind::persistent) {
  CHECK_OK(session.create({path, data, kind}));
}

// Returns when the engine has delivered all watch events of the changes made so far: watches fire
// in the order of changes, and this one is the last.
void settle(Coordination& watching, Coordination& changing) {
  static int number = 0;
  const std::string path = "/settle-" + std::to_string(++number);
  Event event;
  CHECK_FALSE(UNWRAP(watching.find(path, event.callback())).has_value());
  make(changing, path);
  CHECK_TRUE(event.happened());
  CHECK_OK(changing.remove({path}));
}

}  // namespace

void a_created_node_is_found_with_its_stat(CoordinationEngine& engine) {
  const auto session = engine.open();
  CHECK_FALSE(UNWRAP(session->find("/a")).has_value());
  const Outcome made = UNWRAP(session->create({"/a", "one"}));
  STRCMP_EQUAL("/a", made.path.c_str());
  const std::optional<Value> found = UNWRAP(session->find("/a"));
  CHECK_TRUE(found.has_value());
  STRCMP_EQUAL("one", found->data.c_str());
  LONGS_EQUAL(0, found->stat.version);
  LONGS_EQUAL(0, found->stat.children_version);
  LONGS_EQUAL(0, found->stat.ephemeral_owner);
  CHECK_TRUE(found->stat.created_txn > 0);
  LONGS_EQUAL(found->stat.created_txn, found->stat.modified_txn);
  LONGS_EQUAL(made.stat.created_txn, found->stat.created_txn);
  make(*session, "/a/b");
  LONGS_EQUAL(1, UNWRAP(session->find("/a"))->stat.children_version);
  LONGS_EQUAL(0, UNWRAP(session->find("/a"))->stat.version);
}

void create_needs_a_parent_and_a_free_name(CoordinationEngine& engine) {
  const auto session = engine.open();
  CHECK_ERROR(Code::not_found, "parent_absent", session->create({"/a/b", ""}));
  make(*session, "/a");
  CHECK_ERROR(Code::already_exists, "node_exists", session->create({"/a", ""}));
  CHECK_ERROR(Code::already_exists, "node_exists", session->create({"/", ""}));
  CHECK_ERROR(Code::not_found, "node_absent", session->children("/b"));
}

void set_and_remove_respect_the_version(CoordinationEngine& engine) {
  const auto session = engine.open();
  CHECK_ERROR(Code::not_found, "node_absent", session->set({"/a", "x"}));
  CHECK_ERROR(Code::not_found, "node_absent", session->remove({"/a"}));
  make(*session, "/a", "zero");
  CHECK_ERROR(Code::conflict, "version_moved_on", session->set({"/a", "x", 1}));
  const Stat stat = UNWRAP(session->set({"/a", "one", 0}));
  LONGS_EQUAL(1, stat.version);
  CHECK_TRUE(stat.modified_txn > stat.created_txn);
  CHECK_OK(session->set({"/a", "two"}));
  STRCMP_EQUAL("two", UNWRAP(session->find("/a"))->data.c_str());
  CHECK_ERROR(Code::conflict, "version_moved_on", session->remove({"/a", 1}));
  CHECK_OK(session->remove({"/a", 2}));
  CHECK_FALSE(UNWRAP(session->find("/a")).has_value());
  make(*session, "/a", "again");
  LONGS_EQUAL(0, UNWRAP(session->find("/a"))->stat.version);
}

void a_node_with_children_is_not_removed(CoordinationEngine& engine) {
  const auto session = engine.open();
  make(*session, "/a");
  make(*session, "/a/b");
  CHECK_ERROR(Code::failed_precondition, "node_has_children", session->remove({"/a"}));
  CHECK_OK(session->remove({"/a/b"}));
  CHECK_OK(session->remove({"/a"}));
}

void children_are_sorted_and_only_direct_ones(CoordinationEngine& engine) {
  const auto session = engine.open();
  for (const char* path : {"/a", "/a/c", "/a/b", "/a/b/x", "/a/b-1", "/ab", "/a.b"})
    make(*session, path);
  STRCMP_EQUAL("b b-1 c ", children_of(*session, "/a").c_str());
  STRCMP_EQUAL("x ", children_of(*session, "/a/b").c_str());
  STRCMP_EQUAL("", children_of(*session, "/ab").c_str());
  STRCMP_EQUAL("a a.b ab ", children_of(*session, "/").c_str());
}

void sequence_names_grow_and_are_never_used_again(CoordinationEngine& engine) {
  const auto session = engine.open();
  make(*session, "/q");
  const Create request{"/q/n-", "", Kind::persistent_sequential};
  const std::string first = UNWRAP(session->create(request)).path;
  const std::string second = UNWRAP(session->create(request)).path;
  LONGS_EQUAL(std::string("/q/n-0123456789").size(), first.size());
  CHECK_TRUE(first < second);
  CHECK_OK(session->remove({second}));
  CHECK_TRUE(second < UNWRAP(session->create(request)).path);
}

void bad_paths_and_large_data_are_refused(CoordinationEngine& engine) {
  const auto session = engine.open();
  for (const std::string& path :
       {std::string(), std::string("a"), std::string("/a/"), std::string("//a"),
        std::string("/a/../b"), std::string("/."), std::string("/a\nb"), std::string("/a\0b", 4),
        std::string("/\xff"), "/" + std::string(511, 'x')}) {
    CHECK_ERROR(Code::invalid_argument, "path_invalid", session->create({path, ""}));
    CHECK_ERROR(Code::invalid_argument, "path_invalid", session->find(path));
    CHECK_ERROR(Code::invalid_argument, "path_invalid", session->children(path));
    CHECK_ERROR(Code::invalid_argument, "path_invalid", session->set({path, ""}));
    CHECK_ERROR(Code::invalid_argument, "path_invalid", session->remove({path}));
  }
  CHECK_ERROR(Code::invalid_argument, "path_invalid", session->remove({"/"}));
  const std::string largest(coordination::kDataMax, 'x');
  CHECK_ERROR(Code::invalid_argument, "data_too_large", session->create({"/a", largest + "x"}));
  make(*session, "/a", largest);
  CHECK_ERROR(Code::invalid_argument, "data_too_large", session->set({"/a", largest + "x"}));
  CHECK_TRUE(UNWRAP(session->find("/a"))->data == largest);
}

void the_longest_path_works(CoordinationEngine& engine) {
  const auto session = engine.open();
  const std::string top = "/" + std::string(coordination::kPathMax - 1, 'n');
  make(*session, top, "x");
  STRCMP_EQUAL("x", UNWRAP(session->find(top))->data.c_str());
  make(*session, "/a");
  const std::string below = "/a/" + std::string(coordination::kPathMax - 3, 'n');
  make(*session, below, "y", Kind::ephemeral);
  STRCMP_EQUAL((below.substr(3) + " ").c_str(), children_of(*session, "/a").c_str());
}

void a_multi_is_all_or_nothing_and_names_the_failure(CoordinationEngine& engine) {
  const auto session = engine.open();
  make(*session, "/a", "old");
  const auto failed = session->multi({Set{"/a", "new"}, Create{"/b", ""}, Check{"/a", 7}});
  CHECK_ERROR(Code::conflict, "version_moved_on", failed);
  STRCMP_EQUAL("/2", failed.error().pointer.c_str());
  STRCMP_EQUAL("old", UNWRAP(session->find("/a"))->data.c_str());
  CHECK_FALSE(UNWRAP(session->find("/b")).has_value());
  const auto outcomes =
      UNWRAP(session->multi({Check{"/a", 0}, Set{"/a", "new", 0}, Create{"/b", "x"}}));
  LONGS_EQUAL(3, outcomes.size());
  LONGS_EQUAL(1, outcomes[1].stat.version);
  STRCMP_EQUAL("/b", outcomes[2].path.c_str());
  LONGS_EQUAL(outcomes[1].stat.modified_txn, outcomes[2].stat.created_txn);
  LONGS_EQUAL(0, UNWRAP(session->multi({})).size());
  CHECK_ERROR(Code::invalid_argument, "too_many_operations",
              session->multi(std::vector<Operation>(1001, Check{"/a"})));
  CHECK_OK(session->multi(std::vector<Operation>(1000, Check{"/a"})));
}

void a_multi_sees_its_own_earlier_operations(CoordinationEngine& engine) {
  const auto session = engine.open();
  const auto outcomes = UNWRAP(session->multi(
      {Create{"/a", ""}, Create{"/a/n-", "", Kind::persistent_sequential},
       Create{"/a/n-", "", Kind::persistent_sequential}, Set{"/a", "x", 0}, Check{"/a", 1}}));
  CHECK_TRUE(outcomes[1].path < outcomes[2].path);
  LONGS_EQUAL(2, UNWRAP(session->children("/a")).size());
  CHECK_OK(session->multi({Delete{outcomes[1].path}, Delete{outcomes[2].path}, Delete{"/a"}}));
  CHECK_FALSE(UNWRAP(session->find("/a")).has_value());
}

void creation_transactions_grow_over_the_whole_tree(CoordinationEngine& engine) {
  const auto one = engine.open();
  const auto two = engine.open();
  std::int64_t last = 0;
  for (int i = 0; i < 10; ++i) {
    Coordination& session = i % 2 == 0 ? *one : *two;
    const Outcome made = UNWRAP(session.create({"/n" + std::to_string(i), ""}));
    CHECK_TRUE(made.stat.created_txn > last);
    last = made.stat.created_txn;
  }
}

void ephemeral_nodes_go_with_their_session(CoordinationEngine& engine) {
  const auto stays = engine.open();
  make(*stays, "/live");
  make(*stays, "/live/mine", "", Kind::ephemeral);
  {
    const auto goes = engine.open();
    make(*goes, "/live/a", "x", Kind::ephemeral);
    make(*goes, "/live/b", "x", Kind::ephemeral);
    make(*goes, "/live/kept", "x");
    CHECK_OK(goes->remove({"/live/b"}));
    CHECK_TRUE(goes->session_id() == UNWRAP(stays->find("/live/a"))->stat.ephemeral_owner);
    CHECK_TRUE(goes->session_id() != stays->session_id());
    // An ephemeral node is anyone's to write.
    CHECK_OK(stays->set({"/live/a", "y"}));
  }
  STRCMP_EQUAL("kept mine ", children_of(*stays, "/live").c_str());
}

void ephemeral_nodes_have_no_children(CoordinationEngine& engine) {
  const auto session = engine.open();
  make(*session, "/e", "", Kind::ephemeral);
  CHECK_ERROR(Code::failed_precondition, "no_children_of_ephemerals",
              session->create({"/e/x", ""}));
}

void a_data_watch_fires_once_for_create_set_and_remove(CoordinationEngine& engine) {
  const auto session = engine.open();
  Event created, changed, removed;
  CHECK_OK(session->find("/a", created.callback()));
  make(*session, "/a");
  CHECK_TRUE(created.happened());
  CHECK_OK(session->find("/a", changed.callback()));
  make(*session, "/a/child");  // not a change of /a's data
  CHECK_OK(session->remove({"/a/child"}));
  settle(*session, *session);
  LONGS_EQUAL(0, changed.count());
  CHECK_OK(session->set({"/a", "1"}));
  CHECK_TRUE(changed.happened());
  CHECK_OK(session->set({"/a", "2"}));
  CHECK_OK(session->find("/a", removed.callback()));
  CHECK_OK(session->remove({"/a"}));
  CHECK_TRUE(removed.happened());
  settle(*session, *session);
  LONGS_EQUAL(1, created.count());
  LONGS_EQUAL(1, changed.count());
  LONGS_EQUAL(1, removed.count());
}

void a_children_watch_fires_for_births_and_deaths_only(CoordinationEngine& engine) {
  const auto session = engine.open();
  make(*session, "/a");
  Event birth, death, end;
  CHECK_OK(session->children("/a", birth.callback()));
  CHECK_OK(session->set({"/a", "x"}));
  settle(*session, *session);
  LONGS_EQUAL(0, birth.count());
  make(*session, "/a/b");
  CHECK_TRUE(birth.happened());
  CHECK_OK(session->children("/a", death.callback()));
  CHECK_OK(session->set({"/a/b", "x"}));
  make(*session, "/a/b/grandchild");
  CHECK_OK(session->remove({"/a/b/grandchild"}));
  settle(*session, *session);
  LONGS_EQUAL(0, death.count());
  CHECK_OK(session->remove({"/a/b"}));
  CHECK_TRUE(death.happened());
  CHECK_OK(session->children("/a", end.callback()));
  CHECK_OK(session->remove({"/a"}));
  CHECK_TRUE(end.happened());
  LONGS_EQUAL(1, birth.count());
}

void watches_fire_for_changes_of_other_sessions(CoordinationEngine& engine) {
  const auto watching = engine.open();
  const auto changing = engine.open();
  make(*watching, "/a");
  Event data, births, gone;
  CHECK_OK(watching->find("/a", data.callback()));
  CHECK_OK(watching->children("/a", births.callback()));
  CHECK_OK(changing->set({"/a", "x"}));
  CHECK_TRUE(data.happened());
  {
    const auto third = engine.open();
    make(*third, "/a/e", "", Kind::ephemeral);
    CHECK_TRUE(births.happened());
    CHECK_OK(watching->find("/a/e", gone.callback()));
  }
  CHECK_TRUE(gone.happened());
}

// Every change must be followed by a firing that comes after it, however they race.
void a_change_between_reading_and_arming_is_not_missed(CoordinationEngine& engine) {
  constexpr int kChanges = 200;
  const auto watching = engine.open();
  const auto changing = engine.open();
  make(*changing, "/a", "0");
  std::thread changer([&] {
    // CppUTest's checks work on its own thread only.
    for (int i = 1; i <= kChanges; ++i)
      CHECK_THAT(changing->set({"/a", std::to_string(i)}).has_value());
  });
  std::string seen;
  bool missed = false;
  while (seen != std::to_string(kChanges) && !missed) {
    Event event;
    seen = UNWRAP(watching->find("/a", event.callback()))->data;
    if (seen != std::to_string(kChanges)) missed = !event.happened();
    // The event must outlive its watch, which is armed in the last round.
    if (seen == std::to_string(kChanges)) {
      CHECK_OK(changing->set({"/a", "end"}));
      CHECK_TRUE(event.happened());
    }
  }
  changer.join();
  CHECK_FALSE(missed);
}

void an_expired_session_fails_every_call_and_tells_its_owner_once(CoordinationEngine& engine) {
  const auto stays = engine.open();
  const auto goes = engine.open();
  Event lost, watch, node;
  goes->on_session_lost(lost.callback());
  CHECK_TRUE(goes->lease_valid_until() > base::system_clock().now());
  make(*goes, "/e", "", Kind::ephemeral);
  CHECK_OK(stays->find("/e", node.callback()));
  CHECK_OK(goes->find("/other", watch.callback()));
  engine.expire(goes->session_id());
  CHECK_TRUE(lost.happened());
  CHECK_TRUE(watch.happened());
  CHECK_TRUE(node.happened());
  CHECK_FALSE(UNWRAP(stays->find("/e")).has_value());
  const base::Instant lease = goes->lease_valid_until();
  CHECK_TRUE(lease <= base::system_clock().now());
  const auto code = Code::failed_precondition;
  CHECK_ERROR(code, "session_expired", goes->create({"/a", ""}));
  CHECK_ERROR(code, "session_expired", goes->set({"/a", ""}));
  CHECK_ERROR(code, "session_expired", goes->remove({"/a"}));
  CHECK_ERROR(code, "session_expired", goes->multi({Check{"/a"}}));
  CHECK_ERROR(code, "session_expired", goes->find("/a"));
  CHECK_ERROR(code, "session_expired", goes->children("/"));
  make(*stays, "/after");
  LONGS_EQUAL(1, lost.count());
}

void an_election_passes_to_the_next_in_line(CoordinationEngine& engine) {
  auto first = engine.open();
  const auto second = engine.open();
  make(*first, "/election");
  const Create candidate{"/election/c-", "", Kind::ephemeral_sequential};
  const std::string leader = UNWRAP(first->create(candidate)).path;
  const std::string next = UNWRAP(second->create(candidate)).path;
  CHECK_TRUE(leader < next);
  Event ahead_is_gone;
  CHECK_TRUE(UNWRAP(second->find(leader, ahead_is_gone.callback())).has_value());
  first.reset();
  CHECK_TRUE(ahead_is_gone.happened());
  STRCMP_EQUAL((next.substr(10) + " ").c_str(), children_of(*second, "/election").c_str());
}

void concurrent_increments_by_compare_and_set_are_all_counted(CoordinationEngine& engine) {
  constexpr int kThreads = 3;
  constexpr int kEach = 20;
  const auto session = engine.open();
  make(*session, "/count", "0");
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([own = engine.open()] {
      for (int done = 0; done < kEach;) {
        const Value value = **own->find("/count");
        const std::string next = std::to_string(std::stoi(value.data) + 1);
        if (own->set({"/count", next, value.stat.version})) ++done;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  STRCMP_EQUAL("60", UNWRAP(session->find("/count"))->data.c_str());
}

void ensure_path_makes_missing_parents_and_is_idempotent(CoordinationEngine& engine) {
  const auto session = engine.open();
  CHECK_OK(coordination::ensure_path(*session, "/"));
  CHECK_OK(coordination::ensure_path(*session, "/a/b/c"));
  CHECK_OK(session->set({"/a/b", "kept"}));
  CHECK_OK(coordination::ensure_path(*session, "/a/b/c"));
  STRCMP_EQUAL("kept", UNWRAP(session->find("/a/b"))->data.c_str());
  CHECK_TRUE(UNWRAP(session->find("/a/b/c")).has_value());
  CHECK_ERROR(Code::invalid_argument, "path_invalid", coordination::ensure_path(*session, "a"));
}

}  // namespace contract

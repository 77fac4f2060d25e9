// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/event_suite.h"

#include <atomic>
#include <set>
#include <thread>

using base::Code;
using services::event::ChannelOptions;
using services::event::Chosen;
using services::event::Engine;
using services::event::Event;
using services::event::GroupOffset;
using services::event::Offset;
using services::event::Placed;
using services::event::StoredEvent;

namespace contract {
namespace {

Event numbered(int number) {
  return {"id-" + std::to_string(number), "test.numbered", std::nullopt,
          "{\"n\":" + std::to_string(number) + "}"};
}

Placed put(Engine& log, const std::string& channel, Event event,
           std::optional<std::uint32_t> partition = std::nullopt) {
  const Chosen chosen{std::move(event), partition};
  return UNWRAP(log.append(channel, std::span(&chosen, 1)))[0];
}

std::vector<StoredEvent> read_all(Engine& log, const std::string& channel,
                                  std::uint32_t partition = 0, Offset from = 0) {
  std::vector<StoredEvent> all;
  for (;;) {
    auto some = UNWRAP(log.read(channel, partition, from, {}));
    if (some.empty()) return all;
    for (StoredEvent& stored : some) {
      LONGS_EQUAL(from, stored.offset);
      ++from;
      all.push_back(std::move(stored));
    }
  }
}

}  // namespace

void a_channel_is_made_once_and_listed(EventEngine& engine) {
  Engine& log = engine.open();
  CHECK_TRUE(UNWRAP(log.channels()).empty());
  CHECK_OK(log.create_channel("orders", {.partitions = 3}));
  CHECK_OK(log.create_channel("audit", {}));
  CHECK_ERROR(Code::already_exists, "channel_exists", log.create_channel("orders", {}));
  CHECK_TRUE(UNWRAP(log.channels()) == (std::vector<std::string>{"audit", "orders"}));
  const auto state = UNWRAP(log.describe("orders"));
  LONGS_EQUAL(3, state.partitions.size());
  LONGS_EQUAL(0, state.partitions[2].next);
  Engine& again = engine.reopen();
  CHECK_TRUE(UNWRAP(again.channels()) == (std::vector<std::string>{"audit", "orders"}));
  LONGS_EQUAL(3, UNWRAP(again.describe("orders")).options.partitions);
}

void unknown_channels_and_partitions_are_errors(EventEngine& engine) {
  Engine& log = engine.open();
  const Chosen chosen{numbered(1)};
  CHECK_ERROR(Code::not_found, "channel_unknown", log.append("none", std::span(&chosen, 1)));
  CHECK_ERROR(Code::not_found, "channel_unknown", log.read("none", 0, 0, {}));
  CHECK_ERROR(Code::not_found, "channel_unknown", log.describe("none"));
  CHECK_OK(log.create_channel("one", {}));
  CHECK_ERROR(Code::not_found, "partition_unknown", log.read("one", 1, 0, {}));
  const Chosen elsewhere{numbered(1), 7};
  CHECK_ERROR(Code::not_found, "partition_unknown", log.append("one", std::span(&elsewhere, 1)));
}

void names_that_are_none_are_refused(EventEngine& engine) {
  Engine& log = engine.open();
  for (const char* name : {"", ".", "..", "a/b", "a b", "\xc3\xa4"})
    CHECK_ERROR(Code::invalid_argument, "channel_name_invalid", log.create_channel(name, {}));
  CHECK_ERROR(Code::invalid_argument, "channel_name_invalid",
              log.create_channel(std::string(201, 'a'), {}));
  CHECK_ERROR(Code::invalid_argument, "channel_invalid",
              log.create_channel("many", {.partitions = 65}));
  CHECK_OK(log.create_channel("one", {}));
  for (const Event& event : {Event{"", "n"}, Event{std::string(129, 'i'), "n"}, Event{"i\n", "n"},
                             Event{"i", std::string(256, 'n')}}) {
    const Chosen chosen{event};
    CHECK_ERROR(Code::invalid_argument, "event_invalid", log.append("one", std::span(&chosen, 1)));
  }
  const Chosen large{{"i", "n", std::nullopt, std::string((1 << 20) + 1, 'x')}};
  CHECK_ERROR(Code::too_large, "event_too_large", log.append("one", std::span(&large, 1)));
}

void events_come_back_as_they_were_in_order(EventEngine& engine) {
  Engine& log = engine.open();
  CHECK_OK(log.create_channel("one", {}));
  for (int i = 0; i < 50; ++i) LONGS_EQUAL(i, put(log, "one", numbered(i)).offset);
  std::vector<Chosen> many;
  for (int i = 50; i < 100; ++i) many.push_back({numbered(i)});
  const auto placed = UNWRAP(log.append("one", many));
  LONGS_EQUAL(99, placed.back().offset);
  const auto events = read_all(log, "one");
  LONGS_EQUAL(100, events.size());
  for (int i = 0; i < 100; ++i)
    CHECK_TRUE(events[static_cast<std::size_t>(i)].event == numbered(i));
  LONGS_EQUAL(30, read_all(log, "one", 0, 70).size());
  LONGS_EQUAL(100, UNWRAP(log.describe("one")).partitions[0].next);
}

void events_of_a_key_are_in_one_partition(EventEngine& engine) {
  Engine& log = engine.open();
  CHECK_OK(log.create_channel("keyed", {.partitions = 4}));
  std::map<std::string, std::set<std::uint32_t>> partitions;
  std::set<std::uint32_t> all;
  for (int i = 0; i < 64; ++i) {
    Event event = numbered(i);
    event.key = "key-" + std::to_string(i % 16);
    const Placed placed = put(log, "keyed", event);
    partitions[*event.key].insert(placed.partition);
    all.insert(placed.partition);
  }
  for (const auto& [key, its] : partitions) LONGS_EQUAL(1, its.size());
  CHECK_TRUE(all.size() > 1);
}

void a_partition_can_be_chosen(EventEngine& engine) {
  Engine& log = engine.open();
  CHECK_OK(log.create_channel("chosen", {.partitions = 3}));
  for (std::uint32_t i = 0; i < 3; ++i)
    LONGS_EQUAL(i, put(log, "chosen", numbered(static_cast<int>(i)), i).partition);
  LONGS_EQUAL(1, read_all(log, "chosen", 2).size());
}

void an_id_that_comes_again_is_one_event(EventEngine& engine) {
  Engine& log = engine.open();
  CHECK_OK(log.create_channel("one", {}));
  put(log, "one", numbered(1));
  put(log, "one", numbered(2));
  const Placed again = put(log, "one", numbered(1));
  CHECK_TRUE(again.is_duplicate);
  LONGS_EQUAL(0, again.offset);
  const std::vector<Chosen> twice{{numbered(3)}, {numbered(3)}};
  const auto placed = UNWRAP(log.append("one", twice));
  CHECK_TRUE(!placed[0].is_duplicate && placed[1].is_duplicate);
  LONGS_EQUAL(2, placed[1].offset);
  LONGS_EQUAL(3, read_all(log, "one").size());
}

void ids_are_known_after_a_restart(EventEngine& engine) {
  CHECK_OK(engine.open().create_channel("one", {}));
  Engine& before = engine.open();
  for (int i = 0; i < 20; ++i) put(before, "one", numbered(i));
  Engine& log = engine.reopen();
  LONGS_EQUAL(20, read_all(log, "one").size());
  const Placed again = put(log, "one", numbered(7));
  CHECK_TRUE(again.is_duplicate);
  LONGS_EQUAL(7, again.offset);
  LONGS_EQUAL(20, put(log, "one", numbered(20)).offset);
}

void reading_is_bounded_and_goes_on(EventEngine& engine) {
  Engine& log = engine.open();
  CHECK_OK(log.create_channel("one", {}));
  for (int i = 0; i < 10; ++i)
    put(log, "one", {"id" + std::to_string(i), "n", std::nullopt, std::string(1000, 'x')});
  LONGS_EQUAL(3, UNWRAP(log.read("one", 0, 0, {.events_max = 3})).size());
  const auto some = UNWRAP(log.read("one", 0, 4, {.bytes_max = 2500}));
  LONGS_EQUAL(2, some.size());
  LONGS_EQUAL(4, some[0].offset);
  LONGS_EQUAL(1, UNWRAP(log.read("one", 0, 9, {.bytes_max = 1})).size());
}

void reading_at_the_end_gives_nothing_and_beyond_it_an_error(EventEngine& engine) {
  Engine& log = engine.open();
  CHECK_OK(log.create_channel("one", {}));
  CHECK_TRUE(UNWRAP(log.read("one", 0, 0, {})).empty());
  put(log, "one", numbered(1));
  CHECK_TRUE(UNWRAP(log.read("one", 0, 1, {})).empty());
  CHECK_ERROR(Code::invalid_argument, "offset_beyond_end", log.read("one", 0, 2, {}));
}

void events_are_found_by_time(EventEngine& engine) {
  Engine& log = engine.open();
  CHECK_OK(log.create_channel("one", {}));
  for (int i = 0; i < 8; ++i) {
    engine.let_time_pass();
    put(log, "one", numbered(i));
  }
  const auto events = read_all(log, "one");
  for (const StoredEvent& stored : events)
    LONGS_EQUAL(stored.offset, UNWRAP(log.offset_at("one", 0, stored.time)));
  LONGS_EQUAL(0, UNWRAP(log.offset_at("one", 0, base::WallTime())));
  LONGS_EQUAL(5, UNWRAP(log.offset_at("one", 0, events[4].time + std::chrono::milliseconds(1))));
  LONGS_EQUAL(8, UNWRAP(log.offset_at("one", 0, events[7].time + std::chrono::milliseconds(1))));
}

void committed_offsets_are_per_group_and_survive(EventEngine& engine) {
  Engine& first = engine.open();
  CHECK_OK(first.create_channel("one", {.partitions = 2}));
  for (int i = 0; i < 6; ++i) put(first, "one", numbered(i), static_cast<std::uint32_t>(i % 2));
  CHECK_TRUE(!UNWRAP(first.committed("readers", "one", 0)).has_value());
  const std::vector<GroupOffset> offsets{{"one", 0, 2}, {"one", 1, 3}};
  CHECK_OK(first.commit("readers", offsets));
  const GroupOffset other{"one", 0, 1};
  CHECK_OK(first.commit("others", std::span(&other, 1)));
  Engine& log = engine.reopen();
  LONGS_EQUAL(2, UNWRAP(log.committed("readers", "one", 0)).value());
  LONGS_EQUAL(3, UNWRAP(log.committed("readers", "one", 1)).value());
  LONGS_EQUAL(1, UNWRAP(log.committed("others", "one", 0)).value());
  CHECK_TRUE(!UNWRAP(log.committed("others", "one", 1)).has_value());
  const GroupOffset back{"one", 0, 0};
  CHECK_OK(log.commit("readers", std::span(&back, 1)));
  LONGS_EQUAL(0, UNWRAP(log.committed("readers", "one", 0)).value());
}

void whoever_listens_hears_of_new_events(EventEngine& engine) {
  Engine& log = engine.open();
  std::string heard;
  log.on_append([&heard](const std::string& channel) { heard = channel; });
  CHECK_OK(log.create_channel("one", {}));
  put(log, "one", numbered(1));
  STRCMP_EQUAL("one", heard.c_str());
  log.on_append({});
}

void writers_side_by_side_lose_nothing_and_share_no_offset(EventEngine& engine) {
  Engine& log = engine.open();
  CHECK_OK(log.create_channel("one", {}));
  constexpr int kWriters = 8;
  constexpr int kEach = 25;
  std::vector<std::vector<Offset>> offsets(kWriters);
  std::vector<std::thread> writers;
  std::atomic<int> failed = 0;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      for (int i = 0; i < kEach; ++i) {
        const Chosen chosen{numbered(w * 1000 + i)};
        const auto placed = log.append("one", std::span(&chosen, 1));
        if (!placed) ++failed;
        if (placed) offsets[static_cast<std::size_t>(w)].push_back((*placed)[0].offset);
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  LONGS_EQUAL(0, failed.load());
  const auto events = read_all(log, "one");
  LONGS_EQUAL(kWriters * kEach, events.size());
  for (int w = 0; w < kWriters; ++w)
    for (int i = 0; i < kEach; ++i) {
      const Offset at = offsets[static_cast<std::size_t>(w)][static_cast<std::size_t>(i)];
      CHECK_TRUE(events[at].event == numbered(w * 1000 + i));
    }
}

void keys_and_data_may_be_absent_empty_or_binary(EventEngine& engine) {
  Engine& log = engine.open();
  CHECK_OK(log.create_channel("one", {}));
  const std::string binary("\x00\xff\n\x80", 4);
  const std::vector<Event> events{
      {"a", "", std::nullopt, std::nullopt}, {"b", "n", "", ""}, {"c", "n", binary, binary}};
  for (const Event& event : events) put(log, "one", event, 0);
  const auto stored = read_all(log, "one");
  for (std::size_t i = 0; i < events.size(); ++i) CHECK_TRUE(stored[i].event == events[i]);
}

}  // namespace contract

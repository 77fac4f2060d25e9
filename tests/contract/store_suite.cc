// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/store_suite.h"

#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "common/store/archive.h"
#include "tests/support/temp_folder.h"

using base::Code;
using base::Result;
using store::Change;
using store::Range;
using store::Reader;
using store::Record;
using store::Store;
using store::Writer;

namespace contract {

store::Options word_options() {
  const auto initial = [](std::string_view, std::string_view value) {
    return value.empty() ? std::vector<std::string>()
                         : std::vector<std::string>{std::string(value.substr(0, 1))};
  };
  const auto letters = [](std::string_view, std::string_view value) {
    std::vector<std::string> terms;
    for (const char c : value) terms.emplace_back(1, c);
    return terms;
  };
  return {.collections = {{"words", {{"initial", initial}, {"letters", letters}}}, {"plain"}},
          .map_size_bytes = std::size_t{256} << 20};
}

namespace {

Result<std::uint64_t> try_put(Store& store, const std::string& key, const std::string& value,
                              std::optional<std::uint64_t> expected = std::nullopt,
                              const std::string& collection = "words") {
  std::uint64_t version = 0;
  TRY(store.write([&](Writer& writer) -> Result<void> {
    Result<std::uint64_t> put = writer.put(collection, key, value, expected);
    if (!put) return put.error();
    version = *put;
    return {};
  }));
  return version;
}

std::uint64_t put(Store& store, const std::string& key, const std::string& value) {
  return UNWRAP(try_put(store, key, value));
}

Result<void> try_remove(Store& store, const std::string& key,
                        std::optional<std::uint64_t> expected = std::nullopt) {
  return store.write([&](Writer& writer) { return writer.remove("words", key, expected); });
}

template <class T>
Result<T> try_read(Store& store, const std::function<Result<T>(Reader&)>& work) {
  std::optional<T> value;
  TRY(store.read([&](Reader& reader) -> Result<void> {
    Result<T> result = work(reader);
    if (!result) return result.error();
    value = *std::move(result);
    return {};
  }));
  return *std::move(value);
}

std::optional<Record> find(Store& store, const std::string& key) {
  return UNWRAP(try_read<std::optional<Record>>(
      store, [&](Reader& reader) { return reader.find("words", key); }));
}

std::string keys_of(const std::vector<Record>& records) {
  std::string text;
  for (const Record& record : records) text += record.key + " ";
  return text;
}

std::string list(Store& store, const Range& range) {
  return keys_of(UNWRAP(try_read<std::vector<Record>>(
      store, [&](Reader& reader) { return reader.list("words", range); })));
}

Result<std::vector<Record>> try_find_by(Store& store, const std::string& index,
                                        const std::string& term, const Range& range = {}) {
  return try_read<std::vector<Record>>(
      store, [&](Reader& reader) { return reader.find_by("words", index, term, range); });
}

std::string find_by(Store& store, const std::string& index, const std::string& term,
                    const Range& range = {}) {
  return keys_of(UNWRAP(try_find_by(store, index, term, range)));
}

Result<std::vector<Change>> changes(Store& store, std::uint64_t after, std::size_t limit = 1000) {
  return try_read<std::vector<Change>>(
      store, [&](Reader& reader) { return reader.changes(after, limit); });
}

std::uint64_t last_change(Store& store) {
  return UNWRAP(
      try_read<std::uint64_t>(store, [](Reader& reader) { return reader.last_change(); }));
}

}  // namespace

void a_record_is_found_with_its_version(StoreEngine& engine) {
  const auto store = engine.open(word_options());
  CHECK_FALSE(find(*store, "k").has_value());
  LONGS_EQUAL(1, put(*store, "k", "one"));
  LONGS_EQUAL(2, put(*store, "k", std::string("\x01\xff")));
  const std::optional<Record> found = find(*store, "k");
  CHECK_TRUE(found.has_value());
  STRCMP_EQUAL("k", found->key.c_str());
  CHECK_TRUE(found->value == std::string("\x01\xff"));
  LONGS_EQUAL(2, found->version);
  CHECK_OK(try_remove(*store, "k"));
  CHECK_FALSE(find(*store, "k").has_value());
  LONGS_EQUAL(1, put(*store, "k", ""));
  LONGS_EQUAL(0, find(*store, "k")->value.size());
}

void conditions_are_checked_against_the_version(StoreEngine& engine) {
  const auto store = engine.open(word_options());
  CHECK_ERROR(Code::conflict, "version_moved_on", try_put(*store, "k", "x", 1));
  LONGS_EQUAL(1, UNWRAP(try_put(*store, "k", "one", store::kMustBeNew)));
  CHECK_ERROR(Code::already_exists, "record_exists", try_put(*store, "k", "x", store::kMustBeNew));
  CHECK_ERROR(Code::conflict, "version_moved_on", try_put(*store, "k", "x", 2));
  LONGS_EQUAL(2, UNWRAP(try_put(*store, "k", "two", 1)));
  CHECK_ERROR(Code::conflict, "version_moved_on", try_remove(*store, "k", 1));
  CHECK_ERROR(Code::not_found, "record_absent", try_remove(*store, "other"));
  STRCMP_EQUAL("two", find(*store, "k")->value.c_str());
  CHECK_OK(try_remove(*store, "k", 2));
}

void a_failed_transaction_leaves_nothing(StoreEngine& engine) {
  const auto store = engine.open(word_options());
  put(*store, "a", "apple");
  put(*store, "b", "banana");
  const std::uint64_t before = last_change(*store);
  const Result<void> failed = store->write([](Writer& writer) -> Result<void> {
    TRY(writer.put("words", "a", "x"));
    TRY(writer.remove("words", "b"));
    TRY(writer.put("words", "new", "x"));
    return base::Error{Code::internal, "changed my mind", "test"};
  });
  CHECK_ERROR(Code::internal, "test", failed);
  STRCMP_EQUAL("apple", find(*store, "a")->value.c_str());
  LONGS_EQUAL(1, find(*store, "a")->version);
  STRCMP_EQUAL("a b ", list(*store, {}).c_str());
  STRCMP_EQUAL("", find_by(*store, "initial", "x").c_str());
  STRCMP_EQUAL("a ", find_by(*store, "initial", "a").c_str());
  STRCMP_EQUAL("b ", find_by(*store, "initial", "b").c_str());
  CHECK_TRUE(before == last_change(*store));
}

void a_transaction_sees_its_own_writes(StoreEngine& engine) {
  const auto store = engine.open(word_options());
  std::uint64_t first = 0, second = 0, change = 0;
  std::size_t by_new_term = 0, by_old_term = 0, listed = 0, fed = 0;
  CHECK_OK(store->read([](Reader& reader) -> Result<void> {
    CHECK_TRUE(reader.is_snapshot());
    return {};
  }));
  CHECK_OK(store->write([&](Writer& writer) -> Result<void> {
    CHECK_FALSE(writer.is_snapshot());
    first = TRY(writer.put("words", "k", "one"));
    second = TRY(writer.put("words", "k", "two", first));
    by_old_term = TRY(writer.find_by("words", "initial", "o", {})).size();
    by_new_term = TRY(writer.find_by("words", "initial", "t", {})).size();
    listed = TRY(writer.list("words", {})).size();
    fed = TRY(writer.changes(0, 10)).size();
    change = TRY(writer.last_change());
    return {};
  }));
  LONGS_EQUAL(1, first);
  LONGS_EQUAL(2, second);
  LONGS_EQUAL(0, by_old_term);
  LONGS_EQUAL(1, by_new_term);
  LONGS_EQUAL(1, listed);
  LONGS_EQUAL(2, fed);
  LONGS_EQUAL(2, change);
}

// Into the engine and out of it again, while writers go on.
void a_file_takes_all_of_it_to_another_store(StoreEngine& engine) {
  const TempFolder folder;
  const std::string in = (folder / "in").string(), out = (folder / "out").string();
  const auto first = store::make_memory(word_options());
  for (int i = 0; i < 3000; ++i) put(*first, "k" + std::to_string(i), "apple " + std::to_string(i));
  put(*first, "k7", "banana");
  CHECK_OK(try_remove(*first, "k8"));
  CHECK_OK(try_put(*first, "big", std::string(1 << 20, 'z'), store::kMustBeNew, "plain"));
  const auto written = UNWRAP(store::write_archive(*first, in, "about it"));
  STRCMP_EQUAL("about it", UNWRAP(store::check_archive(in)).about.c_str());

  const auto second = engine.open(word_options());
  CHECK_EQUAL(written.entries,
              UNWRAP(store::load_archive(in, *second, store::Commits::one)).entries);
  CHECK_EQUAL(2u, find(*second, "k7")->version);
  CHECK_FALSE(find(*second, "k8").has_value());
  STRCMP_EQUAL("k7 ", find_by(*second, "initial", "b").c_str());
  CHECK_ERROR(Code::failed_precondition, "store_not_empty",
              store::load_archive(in, *second, store::Commits::one));

  // Each transaction puts two records; a copy has both or neither.
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 0; !done; ++i) {
      CHECK_OK(second->write([&](Writer& each) -> Result<void> {
        TRY(each.put("plain", "left", std::to_string(i)));
        TRY(each.put("plain", "right", std::to_string(i)));
        return {};
      }));
    }
  });
  const auto copied = store::write_archive(*second, out, "");
  done = true;
  writer.join();
  CHECK_OK(copied);
  const auto third = store::make_memory(word_options());
  CHECK_OK(store::load_archive(out, *third, store::Commits::many));
  STRCMP_EQUAL("k7 ", find_by(*third, "initial", "b").c_str());
  CHECK_EQUAL(
      UNWRAP(try_read<std::uint64_t>(*first, [](Reader& r) { return r.last_change(); })) <=
          UNWRAP(try_read<std::uint64_t>(*third, [](Reader& r) { return r.last_change(); })),
      true);
  const auto half = [&](const char* key) {
    const auto record = UNWRAP(try_read<std::optional<Record>>(
        *third, [&](Reader& reader) { return reader.find("plain", key); }));
    return record ? record->value : std::string("none");
  };
  STRCMP_EQUAL(half("left").c_str(), half("right").c_str());
}

void collections_are_apart(StoreEngine& engine) {
  const auto store = engine.open(word_options());
  put(*store, "k", "words");
  CHECK_OK(try_put(*store, "k", "plain", store::kMustBeNew, "plain"));
  CHECK_OK(try_remove(*store, "k"));
  LONGS_EQUAL(1, UNWRAP(try_read<std::vector<Record>>(*store, [](Reader& reader) {
                   return reader.list("plain", {});
                 })).size());
}

void lists_are_in_byte_order_within_their_range(StoreEngine& engine) {
  const auto store = engine.open(word_options());
  for (const char* key : {"b", "a", "ab", "aa", "aab", "\xff", "c"}) put(*store, key, "x");
  STRCMP_EQUAL("a aa aab ab b c \xff ", list(*store, {}).c_str());
  STRCMP_EQUAL("a aa aab ab ", list(*store, {.prefix = "a"}).c_str());
  STRCMP_EQUAL("aab ab ", list(*store, {.prefix = "a", .after = "aa"}).c_str());
  STRCMP_EQUAL("ab ", list(*store, {.prefix = "a", .after = "aazz"}).c_str());
  STRCMP_EQUAL("", list(*store, {.prefix = "a", .after = "b"}).c_str());
  STRCMP_EQUAL("a aa ", list(*store, {.prefix = "a", .after = "A"}).substr(0, 5).c_str());
  STRCMP_EQUAL("a aa ", list(*store, {.limit = 2}).c_str());
  STRCMP_EQUAL("", list(*store, {.limit = 0}).c_str());
  std::string paged;
  std::string after;
  while (true) {
    std::string page = list(*store, {.after = after, .limit = 1});
    if (page.empty()) break;
    paged += page;
    after = page.substr(0, page.size() - 1);
  }
  STRCMP_EQUAL("a aa aab ab b c \xff ", paged.c_str());
}

void records_are_found_by_the_terms_they_have_now(StoreEngine& engine) {
  const auto store = engine.open(word_options());
  put(*store, "2", "apple");
  put(*store, "1", "apricot");
  put(*store, "3", "banana");
  STRCMP_EQUAL("1 2 ", find_by(*store, "initial", "a").c_str());
  put(*store, "1", "blueberry");
  STRCMP_EQUAL("2 ", find_by(*store, "initial", "a").c_str());
  STRCMP_EQUAL("1 3 ", find_by(*store, "initial", "b").c_str());
  CHECK_OK(try_remove(*store, "3"));
  STRCMP_EQUAL("1 ", find_by(*store, "initial", "b").c_str());
  STRCMP_EQUAL("blueberry", UNWRAP(try_find_by(*store, "initial", "b"))[0].value.c_str());
}

void a_record_can_have_many_terms_or_none(StoreEngine& engine) {
  const auto store = engine.open(word_options());
  put(*store, "1", "noon");
  put(*store, "2", "");
  STRCMP_EQUAL("1 ", find_by(*store, "letters", "n").c_str());
  STRCMP_EQUAL("1 ", find_by(*store, "letters", "o").c_str());
  put(*store, "1", "");
  STRCMP_EQUAL("", find_by(*store, "letters", "n").c_str());
  CHECK_ERROR(Code::invalid_argument, "too_many_terms",
              try_put(*store, "3", std::string(1001, 'x')));
}

void an_invalid_term_refuses_the_record_and_leaves_the_index(StoreEngine& engine) {
  const auto store = engine.open(word_options());
  put(*store, "1", "abc");
  // The caller goes on after the refusal and commits.
  Result<std::uint64_t> refused = std::uint64_t{0};
  CHECK_OK(store->write([&](Writer& writer) -> Result<void> {
    refused = writer.put("words", "1", std::string("x\0y", 3));
    TRY(writer.put("words", "2", "also"));
    return {};
  }));
  CHECK_ERROR(Code::invalid_argument, "term_invalid", refused);
  STRCMP_EQUAL("abc", find(*store, "1")->value.c_str());
  STRCMP_EQUAL("1 2 ", find_by(*store, "initial", "a").c_str());
  STRCMP_EQUAL("1 ", find_by(*store, "letters", "c").c_str());
  STRCMP_EQUAL("", find_by(*store, "initial", "x").c_str());
}

void finding_by_term_respects_the_range_of_keys(StoreEngine& engine) {
  const auto store = engine.open(word_options());
  for (const char* key : {"a/1", "a/2", "a/3", "b/1"}) put(*store, key, "x");
  put(*store, "a/4", "y");
  STRCMP_EQUAL("a/1 a/2 a/3 ", find_by(*store, "initial", "x", {.prefix = "a/"}).c_str());
  STRCMP_EQUAL("a/3 b/1 ", find_by(*store, "initial", "x", {.after = "a/2"}).c_str());
  STRCMP_EQUAL("a/3 ", find_by(*store, "initial", "x", {.prefix = "a/", .after = "a/2"}).c_str());
  STRCMP_EQUAL("a/1 ", find_by(*store, "initial", "x", {.limit = 1}).c_str());
  const std::string longest(255, 'k');
  put(*store, longest, "x");
  STRCMP_EQUAL((longest + " ").c_str(), find_by(*store, "initial", "x", {.after = "c"}).c_str());
  STRCMP_EQUAL("", find_by(*store, "initial", "x", {.after = longest}).c_str());
}

void changes_are_listed_without_gaps_in_commit_order(StoreEngine& engine) {
  const auto store = engine.open(word_options());
  LONGS_EQUAL(0, last_change(*store));
  LONGS_EQUAL(0, UNWRAP(changes(*store, 0)).size());
  put(*store, "a", "1");
  put(*store, "a", "2");
  CHECK_OK(try_put(*store, "b", "1", std::nullopt, "plain"));
  CHECK_OK(try_remove(*store, "a"));
  const std::vector<Change> all = UNWRAP(changes(*store, 0));
  std::string text;
  for (const Change& change : all) {
    text += std::to_string(change.sequence) + ":" + change.collection + "/" + change.key + "@" +
            std::to_string(change.version) + " ";
  }
  STRCMP_EQUAL("1:words/a@1 2:words/a@2 3:plain/b@1 4:words/a@0 ", text.c_str());
  LONGS_EQUAL(4, last_change(*store));
  LONGS_EQUAL(3, UNWRAP(changes(*store, 2, 1))[0].sequence);
  LONGS_EQUAL(0, UNWRAP(changes(*store, 4)).size());
  LONGS_EQUAL(0, UNWRAP(changes(*store, 0, 0)).size());
  CHECK_ERROR(Code::not_found, "changes_trimmed", changes(*store, 5));
}

void a_collection_outside_the_feed_takes_numbers_only(StoreEngine& engine) {
  store::Options options = word_options();
  options.collections.push_back({.name = "passing", .in_feed = false});
  options.changes_kept = 4;
  const auto store = engine.open(options);
  put(*store, "a", "1");
  CHECK_OK(try_put(*store, "p", "1", std::nullopt, "passing"));
  put(*store, "b", "1");
  std::vector<Change> all = UNWRAP(changes(*store, 0));
  LONGS_EQUAL(2, all.size());
  LONGS_EQUAL(1, all[0].sequence);
  LONGS_EQUAL(3, all[1].sequence);
  LONGS_EQUAL(3, last_change(*store));
  for (int i = 0; i < 4; ++i) {
    CHECK_OK(try_put(*store, "p", std::to_string(i), std::nullopt, "passing"));
  }
  LONGS_EQUAL(7, last_change(*store));
  LONGS_EQUAL(0, UNWRAP(changes(*store, 3)).size());
  CHECK_ERROR(Code::not_found, "changes_trimmed", changes(*store, 2));
}

void the_feed_is_trimmed_and_says_so(StoreEngine& engine) {
  store::Options options = word_options();
  options.changes_kept = 3;
  const auto store = engine.open(options);
  for (int i = 1; i <= 5; ++i) put(*store, "k", std::to_string(i));
  CHECK_ERROR(Code::not_found, "changes_trimmed", changes(*store, 0));
  CHECK_ERROR(Code::not_found, "changes_trimmed", changes(*store, 1));
  const std::vector<Change> kept = UNWRAP(changes(*store, 2));
  LONGS_EQUAL(3, kept.size());
  LONGS_EQUAL(3, kept[0].sequence);
  LONGS_EQUAL(5, kept[2].version);
}

void keys_and_records_beyond_the_limits_are_refused(StoreEngine& engine) {
  const auto store = engine.open(word_options());
  const std::string largest(std::size_t{16} << 20, 'x');
  CHECK_ERROR(Code::invalid_argument, "key_invalid", try_put(*store, "", "x"));
  CHECK_ERROR(Code::invalid_argument, "key_invalid", try_put(*store, std::string(256, 'k'), "x"));
  CHECK_ERROR(Code::invalid_argument, "key_invalid", try_remove(*store, ""));
  LONGS_EQUAL(1, put(*store, std::string(255, 'k'), "x"));
  CHECK_ERROR(Code::too_large, "record_too_large",
              try_put(*store, "k", largest + "x", std::nullopt, "plain"));
  CHECK_OK(try_put(*store, "k", largest, std::nullopt, "plain"));
  const auto found = UNWRAP(try_read<std::optional<Record>>(
      *store, [](Reader& reader) { return reader.find("plain", "k"); }));
  CHECK_TRUE(found->value == largest);
}

void unknown_names_are_errors(StoreEngine& engine) {
  const auto store = engine.open(word_options());
  CHECK_ERROR(Code::invalid_argument, "collection_unknown",
              try_put(*store, "k", "v", std::nullopt, "nope"));
  CHECK_ERROR(Code::invalid_argument, "index_unknown", try_find_by(*store, "nope", "a"));
  CHECK_ERROR(Code::invalid_argument, "term_invalid", try_find_by(*store, "initial", ""));
}

void concurrent_writers_lose_no_increment(StoreEngine& engine) {
  constexpr int kThreads = 3;
  constexpr int kEach = 20;
  const auto store = engine.open(word_options());
  put(*store, "count", "0");
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&store] {
      for (int done = 0; done < kEach; ++done) {
        // CppUTest's checks work on its own thread only.
        CHECK_THAT(store
                       ->write([](Writer& writer) -> Result<void> {
                         const std::optional<Record> now = TRY(writer.find("words", "count"));
                         const int next = std::stoi(now->value) + 1;
                         TRY(writer.put("words", "count", std::to_string(next), now->version));
                         return {};
                       })
                       .has_value());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  STRCMP_EQUAL("60", find(*store, "count")->value.c_str());
  LONGS_EQUAL(61, find(*store, "count")->version);
}

// Some of them give up after they have written: nothing of theirs may stay, everything of the
// others must, and the feed has no gap.
void writers_that_share_a_commit_fail_alone(StoreEngine& engine) {
  constexpr int kThreads = 6;
  constexpr int kEach = 20;
  const auto store = engine.open(word_options());
  put(*store, "shared", "0");
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&store, i] {
      for (int k = 0; k < kEach; ++k) {
        const std::string key = "k" + std::to_string(i) + "-" + std::to_string(k);
        const bool gives_up = (i + k) % 3 == 0;
        const Result<void> done = store->write([&](Writer& writer) -> Result<void> {
          TRY(writer.put("words", key, "word"));
          TRY(writer.put("words", "shared", key));
          if (gives_up) return base::Error{Code::conflict, "given up", "version_moved_on"};
          return {};
        });
        CHECK_THAT(done.has_value() != gives_up);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::size_t kept = 0;
  for (int i = 0; i < kThreads; ++i) {
    for (int k = 0; k < kEach; ++k) {
      const auto found = find(*store, "k" + std::to_string(i) + "-" + std::to_string(k));
      CHECK_EQUAL((i + k) % 3 != 0, found.has_value());
      kept += found ? 1 : 0;
    }
  }
  LONGS_EQUAL(1 + kept, find(*store, "shared")->version);
  CHECK_OK(store->read([&](Reader& reader) -> Result<void> {
    const std::vector<Change> changes = TRY(reader.changes(0, 10'000));
    LONGS_EQUAL(1 + 2 * kept, changes.size());
    for (std::size_t n = 0; n < changes.size(); ++n) LONGS_EQUAL(n + 1, changes[n].sequence);
    const auto words = TRY(reader.find_by("words", "initial", "w", {}));
    LONGS_EQUAL(kept, words.size());
    return {};
  }));
}

void a_reader_sees_one_moment(StoreEngine& engine) {
  const auto store = engine.open(word_options());
  put(*store, "a", "0");
  put(*store, "b", "0");
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int i = 1; !stop; ++i) {
      CHECK_THAT(store
                     ->write([i](Writer& w) -> Result<void> {
                       TRY(w.put("words", "a", std::to_string(i)));
                       TRY(w.put("words", "b", std::to_string(i)));
                       return {};
                     })
                     .has_value());
    }
  });
  bool equal = true;
  for (int i = 0; i < 200; ++i) {
    CHECK_OK(store->read([&](Reader& reader) -> Result<void> {
      const std::optional<Record> a = TRY(reader.find("words", "a"));
      const std::optional<Record> b = TRY(reader.find("words", "b"));
      equal = equal && a->value == b->value;
      return {};
    }));
  }
  stop = true;
  writer.join();
  CHECK_TRUE(equal);
}

// Random puts, removes and aborts, compared with a map after each transaction.
void a_random_history_matches_a_plain_map(StoreEngine& engine) {
  const auto store = engine.open(word_options());
  std::mt19937 random(4711);
  std::map<std::string, std::string> model;
  for (int round = 0; round < 150; ++round) {
    std::map<std::string, std::string> next = model;
    const bool abort = random() % 4 == 0;
    const Result<void> done = store->write([&](Writer& writer) -> Result<void> {
      for (int step = 0; step < 4; ++step) {
        const std::string key(1 + random() % 3, static_cast<char>('a' + random() % 4));
        if (random() % 3 == 0) {
          const bool removed = writer.remove("words", key).has_value();
          CHECK_THAT(removed == (next.erase(key) == 1));
        } else {
          const std::string value(random() % 4, static_cast<char>('p' + random() % 3));
          TRY(writer.put("words", key, value));
          next[key] = value;
        }
      }
      if (abort) return base::Error{Code::internal, "abort", "test"};
      return {};
    });
    CHECK_TRUE(done.has_value() != abort);
    if (!abort) model = next;
    std::string keys, with_p;
    for (const auto& [key, value] : model) {
      keys += key + " ";
      if (value.starts_with("p")) with_p += key + " ";
    }
    STRCMP_EQUAL(keys.c_str(), list(*store, {}).c_str());
    STRCMP_EQUAL(with_p.c_str(), find_by(*store, "initial", "p").c_str());
  }
}

}  // namespace contract

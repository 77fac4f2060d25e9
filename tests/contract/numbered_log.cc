// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/numbered_log.h"

#include <algorithm>

#include "common/base/text.h"
#include "common/coordination/coordination.h"
#include "common/store/store.h"
#include "tests/contract/chunk_log.h"
#include "tests/contract/journal_log.h"

namespace contract {

base::Error log_damaged(const std::string& detail) {
  return {base::Code::corrupt, detail, "log_damaged"};
}

// Sizes from a few bytes to several pages, so that transactions touch different numbers of pages.
std::string payload_of(std::uint64_t number) {
  std::string text = std::to_string(number) + ":";
  const std::uint64_t size = number * 7919 % 9000;
  while (text.size() < size) text += static_cast<char>('a' + (number + text.size()) % 26);
  return text;
}

namespace {

using base::Error;
using base::Result;

constexpr std::uint64_t kClasses = 7;

std::string name_of(std::uint64_t number) {
  const std::string digits = std::to_string(number);
  return std::string(10 - digits.size(), '0') + digits;
}

std::uint64_t removed_by(std::uint64_t last) { return last - std::min(last, NumberedLog::kKept); }

Result<std::uint64_t> parse_last(const std::string& text) {
  return static_cast<std::uint64_t>(TRY(base::parse_int(text, 0, INT64_MAX)));
}

class StoreLog final : public NumberedLog {
 public:
  explicit StoreLog(std::unique_ptr<store::Store> store) : store_(std::move(store)) {}

  static store::Options options() {
    const auto terms = [](std::string_view, std::string_view value) {
      const std::string digits(value.substr(0, value.find(':')));
      return std::vector<std::string>{std::to_string(std::stoull(digits) % kClasses)};
    };
    return {.collections = {{"log", {{"class", terms}}}, {"state"}}, .changes_kept = 1'000'000};
  }

  Result<void> append(std::uint64_t number) override {
    return store_->write([&](store::Writer& writer) -> Result<void> {
      TRY(writer.put("log", name_of(number), payload_of(number), store::kMustBeNew));
      TRY(writer.put("state", "last", std::to_string(number)));
      if (number > kKept) TRY(writer.remove("log", name_of(number - kKept)));
      return {};
    });
  }

  Result<std::uint64_t> verify() override {
    std::uint64_t last = 0;
    const auto look = [&](store::Reader& reader) -> Result<void> {
      const std::optional<store::Record> state = TRY(reader.find("state", "last"));
      if (state) last = TRY(parse_last(state->value));
      if (state && state->version != last) return log_damaged("the last number's version is off");
      TRY(verify_records(reader, last));
      return verify_feed(reader, last);
    };
    TRY(store_->read(look));
    return last;
  }

 private:
  static Result<void> verify_records(store::Reader& reader, std::uint64_t last) {
    const std::vector<store::Record> records = TRY(reader.list("log", {}));
    const std::uint64_t first = removed_by(last) + 1;
    if (records.size() != last + 1 - first) return log_damaged("the number of records is off");
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (records[i].key != name_of(first + i) || records[i].value != payload_of(first + i))
        return log_damaged("record " + records[i].key + " is not as written");
    }
    std::size_t found = 0;
    for (std::uint64_t term = 0; term < kClasses; ++term)
      found += TRY(reader.find_by("log", "class", std::to_string(term), {})).size();
    if (found != records.size()) return log_damaged("the index and the records differ");
    return {};
  }

  static Result<void> verify_feed(store::Reader& reader, std::uint64_t last) {
    const std::uint64_t count = 2 * last + removed_by(last);
    const std::uint64_t last_change = TRY(reader.last_change());
    if (last_change != count) return log_damaged("the feed's length is off");
    const std::uint64_t after = count - std::min<std::uint64_t>(count, 50);
    const std::vector<store::Change> changes = TRY(reader.changes(after, 1000));
    if (changes.size() != count - after) return log_damaged("the feed has gaps");
    return {};
  }

  const std::unique_ptr<store::Store> store_;
};

class CoordinationLog final : public NumberedLog {
 public:
  CoordinationLog(std::unique_ptr<coordination::Coordination> session, std::string root)
      : session_(std::move(session)), root_(std::move(root)) {}

  Result<void> append(std::uint64_t number) override {
    std::vector<coordination::Operation> operations = {
        coordination::Create{root_ + "/" + name_of(number), payload_of(number)},
        coordination::Set{root_, std::to_string(number), static_cast<std::int64_t>(number - 1)}};
    if (number > kKept)
      operations.push_back(coordination::Delete{root_ + "/" + name_of(number - kKept)});
    TRY(session_->multi(operations));
    return {};
  }

  Result<std::uint64_t> verify() override {
    const std::optional<coordination::Value> root = TRY(session_->find(root_));
    if (!root) return std::uint64_t{0};
    const std::uint64_t last = root->data.empty() ? 0 : TRY(parse_last(root->data));
    if (root->stat.version != static_cast<std::int64_t>(last))
      return log_damaged("the last number's version is off");
    if (root->stat.children_version != static_cast<std::int64_t>(last + removed_by(last)))
      return log_damaged("the count of births and deaths is off");
    const std::vector<std::string> names = TRY(session_->children(root_));
    const std::uint64_t first = removed_by(last) + 1;
    if (names.size() != last + 1 - first) return log_damaged("the number of nodes is off");
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto node = TRY(session_->find(root_ + "/" + names[i]));
      if (names[i] != name_of(first + i) || !node || node->data != payload_of(first + i))
        return log_damaged("node " + names[i] + " is not as written");
    }
    return last;
  }

 private:
  const std::unique_ptr<coordination::Coordination> session_;
  const std::string root_;
};

}  // namespace

Result<std::unique_ptr<NumberedLog>> open_log(const std::string& kind, const std::string& folder,
                                              const std::string& name) {
  if (kind == "store") {
    std::unique_ptr<store::Store> store = TRY(store::open_lmdb(folder, StoreLog::options()));
    return std::unique_ptr<NumberedLog>(std::make_unique<StoreLog>(std::move(store)));
  }
  if (kind == "journal") return open_journal_log(folder);
  if (kind == "chunks") return open_chunk_log(folder);
  CHECK_THAT(kind == "coordination");
  std::unique_ptr<coordination::Coordination> session =
      TRY(coordination::open_local({.folder = folder}));
  TRY(coordination::ensure_path(*session, "/" + name));
  return std::unique_ptr<NumberedLog>(
      std::make_unique<CoordinationLog>(std::move(session), "/" + name));
}

}  // namespace contract

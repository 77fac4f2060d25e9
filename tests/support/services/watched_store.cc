// SPDX-License-Identifier: Apache-2.0
#include "tests/support/services/watched_store.h"

namespace services::test {

using base::Result;

namespace {

thread_local WatchedStore::Watch* current_watch = nullptr;

// Notes what is written on the way to the engine.
class NotingWriter final : public store::Writer {
 public:
  NotingWriter(store::Writer& inner, WatchedStore::Changed& changed)
      : inner_(inner), changed_(changed) {}

  bool is_snapshot() const override { return inner_.is_snapshot(); }
  Result<std::optional<store::Record>> find(std::string_view collection,
                                            std::string_view key) override {
    return inner_.find(collection, key);
  }
  Result<std::vector<store::Record>> list(std::string_view collection,
                                          const store::Range& range) override {
    return inner_.list(collection, range);
  }
  Result<std::vector<store::Record>> find_by(std::string_view collection, std::string_view index,
                                             std::string_view term,
                                             const store::Range& keys) override {
    return inner_.find_by(collection, index, term, keys);
  }
  Result<std::vector<store::Change>> changes(std::uint64_t after, std::size_t limit) override {
    return inner_.changes(after, limit);
  }
  Result<std::uint64_t> last_change() override { return inner_.last_change(); }
  Result<std::uint64_t> put(std::string_view collection, std::string_view key,
                            std::string_view value,
                            std::optional<std::uint64_t> expected) override {
    changed_.push_back(std::string(collection) + " " + std::string(key));
    return inner_.put(collection, key, value, expected);
  }
  Result<void> remove(std::string_view collection, std::string_view key,
                      std::optional<std::uint64_t> expected) override {
    changed_.push_back(std::string(collection) + " " + std::string(key));
    return inner_.remove(collection, key, expected);
  }

 private:
  store::Writer& inner_;
  WatchedStore::Changed& changed_;
};

}  // namespace

WatchedStore::Watch::Watch() : outer_(current_watch) { current_watch = this; }
WatchedStore::Watch::~Watch() { current_watch = outer_; }

Result<void> WatchedStore::read(const std::function<Result<void>(store::Reader&)>& work) {
  return inner_->read(work);
}

Result<void> WatchedStore::write(const std::function<Result<void>(store::Writer&)>& work) {
  Watch* const watch = current_watch;
  if (watch == nullptr) return inner_->write(work);
  // The engine may run the work on another thread, and again, while this one waits.
  Changed changed;
  const Result<void> outcome = inner_->write([&](store::Writer& writer) -> Result<void> {
    changed.clear();
    NotingWriter noting(writer, changed);
    return work(noting);
  });
  if (outcome && !changed.empty()) watch->transactions_.push_back(std::move(changed));
  return outcome;
}

Result<void> WatchedStore::replace_with(Store& source) {
  auto* const watched = dynamic_cast<WatchedStore*>(&source);
  return inner_->replace_with(watched != nullptr ? *watched->inner_ : source);
}

}  // namespace services::test

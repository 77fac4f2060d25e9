// SPDX-License-Identifier: Apache-2.0
// The whole state on its way to another member. Layout of a piece: key text, value text, and so on,
// in order of keys; an empty piece is the end.
#include "common/base/bytes.h"
#include "dfs/meta/state.h"

namespace dfs::meta {
namespace {

using base::Result;
using replication::Position;

constexpr std::size_t kPieceBytes = 512 << 10;

class StateSource final : public replication::SnapshotSource {
 public:
  explicit StateSource(std::unique_ptr<BaseReader> reader)
      : reader_(std::move(reader)), cursor_(reader_->cursor()), more_(cursor_->seek("")) {}

  Position position() const override { return reader_->position(); }

  Result<std::string> next(std::string_view) override {
    base::ByteWriter piece;
    for (; more_ && piece.bytes().size() < kPieceBytes; more_ = cursor_->next())
      piece.text(cursor_->key()).text(cursor_->value());
    return piece.take();
  }

 private:
  std::unique_ptr<BaseReader> reader_;
  std::unique_ptr<BaseCursor> cursor_;
  bool more_;
};

}  // namespace

class StateSink final : public replication::SnapshotSink {
 public:
  StateSink(MetaState& state, std::unique_ptr<BaseReplacement> replacement)
      : state_(state), replacement_(std::move(replacement)) {}

  Result<std::string> take(std::string_view piece) override {
    base::ByteReader reader(piece);
    while (!reader.rest().empty()) {
      const std::string_view key = TRY(reader.text());
      const std::string_view value = TRY(reader.text());
      TRY(replacement_->put(key, value));
    }
    return std::string();
  }

  Result<void> install(Position position) override {
    TRY(replacement_->install(position));
    state_.table_.forget();
    state_.load();
    return {};
  }

 private:
  MetaState& state_;
  std::unique_ptr<BaseReplacement> replacement_;
};

Result<std::unique_ptr<replication::SnapshotSource>> MetaState::open_snapshot() {
  return std::unique_ptr<replication::SnapshotSource>(
      std::make_unique<StateSource>(TRY(store_.open_reader())));
}

Result<std::unique_ptr<replication::SnapshotSink>> MetaState::receive_snapshot() {
  return std::unique_ptr<replication::SnapshotSink>(
      std::make_unique<StateSink>(*this, TRY(store_.replace())));
}

}  // namespace dfs::meta

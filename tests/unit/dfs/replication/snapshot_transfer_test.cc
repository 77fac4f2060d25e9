// SPDX-License-Identifier: Apache-2.0
#include "dfs/replication/snapshot_transfer.h"

#include <deque>

#include "tests/support/check_result.h"
#include "tests/support/sim/world.h"

using namespace dfs::replication;
using namespace std::chrono_literals;

namespace {

// A state that is a text, given away letter by letter.
class TextMachine final : public StateMachine {
 public:
  explicit TextMachine(std::string text) : text_(std::move(text)) {}

  Position durable() const override { return {}; }
  std::string apply(const Entry&) override { return {}; }
  void checkpoint(std::function<void(base::Result<Position>)>) override {}
  void on_role(bool) override {}
  base::Result<std::unique_ptr<SnapshotSource>> open_snapshot() override {
    return std::unique_ptr<SnapshotSource>(std::make_unique<Source>(*this));
  }
  base::Result<std::unique_ptr<SnapshotSink>> receive_snapshot() override {
    return std::unique_ptr<SnapshotSink>(std::make_unique<Sink>(*this));
  }
  const std::string& text() const { return text_; }
  const std::string& answers() const { return answers_; }

 private:
  struct Source final : SnapshotSource {
    explicit Source(TextMachine& m) : machine(m), left(m.text_) {}
    Position position() const override { return {7, 3}; }
    base::Result<std::string> next(std::string_view answer) override {
      machine.answers_ += answer;
      std::string piece = left.substr(0, 1);
      left.erase(0, 1);
      return piece;
    }
    TextMachine& machine;
    std::string left;
  };
  struct Sink final : SnapshotSink {
    explicit Sink(TextMachine& m) : machine(m) {}
    base::Result<std::string> take(std::string_view piece) override {
      text += piece;
      return "<" + std::string(piece) + ">";
    }
    base::Result<void> install(Position) override {
      machine.text_ = text;
      return {};
    }
    TextMachine& machine;
    std::string text;
  };
  std::string text_, answers_;
};

}  // namespace

TEST_GROUP(SnapshotTransfer) {
  sim::World world{1};
  const NodeId from{"from"}, to{"to"};
  TextMachine source{"state"}, target{"old"};
  std::deque<PeerMessage> to_receiver, to_sender;
  SnapshotSender sender{source, world.clock(), 100,
                        [this](const NodeId&, const PeerMessage& m) { to_receiver.push_back(m); }};
  bool is_needed = true;
  std::optional<Position> installed;
  SnapshotReceiver receiver{
      target,
      [this](const NodeId&, const PeerMessage& m) { to_sender.push_back(m); },
      {[this](Position) { return is_needed; }, [this](Position at) { installed = at; }}};

  // Until nothing is under way any more; the outcome of the last piece.
  base::Result<void> exchange() {
    base::Result<void> outcome;
    while (!to_receiver.empty()) {
      outcome = receiver.on_piece(from, std::get<SnapshotPiece>(to_receiver.front()));
      to_receiver.pop_front();
      while (!to_sender.empty()) {
        CHECK_OK(sender.on_answer(to, std::get<SnapshotAnswer>(to_sender.front())));
        to_sender.pop_front();
      }
    }
    return outcome;
  }
};

TEST(SnapshotTransfer, a_state_arrives_with_one_piece_under_way_at_a_time) {
  CHECK_OK(sender.start(to));
  CHECK_OK(sender.start(to));  // one is under way
  LONGS_EQUAL(1, to_receiver.size());
  CHECK_OK(exchange());
  STRCMP_EQUAL("state", target.text().c_str());
  STRCMP_EQUAL("<s><t><a><t><e>", source.answers().c_str());
  CHECK_TRUE(installed == Position({7, 3}));
  // The log behind it is kept until the receiver had time to ask for it.
  CHECK_TRUE(sender.wanted_behind() == std::optional<Index>(7));
  world.run_for(5s);
  sender.on_tick();
  CHECK_FALSE(sender.wanted_behind().has_value());
}

TEST(SnapshotTransfer, one_that_is_not_needed_is_refused_at_once) {
  is_needed = false;
  CHECK_OK(sender.start(to));
  CHECK_ERROR(base::Code::failed_precondition, "snapshot_refused", exchange());
  STRCMP_EQUAL("old", target.text().c_str());
  CHECK_OK(sender.start(to));
  LONGS_EQUAL(1, to_receiver.size());
}

TEST(SnapshotTransfer, damage_that_the_messages_do_not_show_is_not_installed) {
  CHECK_OK(sender.start(to));
  std::get<SnapshotPiece>(to_receiver.front()).bytes = "x";
  CHECK_ERROR(base::Code::corrupt, "snapshot_corrupt", exchange());
  STRCMP_EQUAL("old", target.text().c_str());
}

TEST(SnapshotTransfer, a_lost_piece_ends_it_and_a_new_one_takes_its_place) {
  CHECK_OK(sender.start(to));
  to_receiver.clear();
  world.run_for(5s);
  sender.on_tick();
  CHECK_OK(sender.start(to));
  // A piece of a transfer of before changes nothing.
  SnapshotPiece stray;
  stray.transfer = 100;
  stray.number = 1;
  CHECK_FALSE(receiver.on_piece(from, stray).has_value());
  to_sender.clear();
  CHECK_OK(exchange());
  STRCMP_EQUAL("state", target.text().c_str());
}

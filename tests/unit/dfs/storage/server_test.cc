// SPDX-License-Identifier: Apache-2.0
// The storage server over RPC in the simulator, with a group of one member.
#include "dfs/storage/server.h"

#include "dfs/storage/peer_protocol.h"
#include "tests/support/check_result.h"
#include "tests/support/dfs/storage_node.h"
#include "tests/unit/dfs/storage/store_rig.h"

using base::Code;
using base::Result;
using namespace std::chrono_literals;
using namespace dfs;  // NOLINT: the subject
using dfs::storage::sums_of;
using dfs::testing::StorageNode;

namespace {

constexpr std::uint64_t kBlock = kBlockBytes;
constexpr GroupNumber kGroup = 3;

}  // namespace

TEST_GROUP(StorageServer) {
  sim::World world{1};
  sim::SimNet net{world};
  StorageNode node{world, net, {.disk_bytes = std::uint64_t{256} << 20}};
  std::unique_ptr<base::Net> client_net = net.host("client");
  RpcClient client{*client_net, world, node.endpoint()};
  VolumeEpoch epoch = 1;
  std::string data;  // of the last answer

  void setup() override { node.add_group(kGroup); }

  template <class Request>
  Result<typename Request::Reply> ask(const Request& request, std::string_view with = {}) {
    std::optional<Result<typename Request::Reply>> answer;
    client.call<Request>(
        request, 5s,
        [&](Result<typename Request::Reply> reply, std::string_view its_data) {
          data = its_data;
          answer = std::move(reply);
        },
        with);
    CHECK_TRUE(world.run_until([&] { return answer.has_value(); }));
    return *std::move(answer);
  }
  ObjectPlace place(ObjectNumber object = 1) const { return {5, epoch, kGroup, object}; }
  Result<ChangeReply> write(std::uint64_t offset, std::string_view content,
                            ObjectNumber object = 1) {
    return ask(WriteObject{place(object), offset, sums_of(offset, content)}, content);
  }
  void restart() {
    node.cut_power();
    node.power_on();
    world.run_for(1s);  // the client hears of its link's end
  }
  // The data of the answer, with the zeros that follow.
  std::string read(std::uint64_t offset, std::uint32_t size, ObjectNumber object = 1) {
    const Result<ReadReply> reply = ask(ReadObject{place(object), offset, size});
    if (!reply) return std::string(reply.error().reason);
    CHECK_TRUE(reply->checksums == sums_of(offset, data));
    std::string content = data;
    content.resize(size, '\0');
    return content;
  }
};

TEST(StorageServer, what_was_written_is_read) {
  CHECK_OK(write(5000, "hello"));
  const ChangeReply second = UNWRAP(write(kBlock, std::string(3 * kBlock, 'x')));
  LONGS_EQUAL(2, second.index);
  CHECK_TRUE(read(kBlock - 2, 4) == std::string(2, '\0') + "xx");
  CHECK_TRUE(read(kBlock, 3 * kBlock) == std::string(3 * kBlock, 'x'));
  CHECK_TRUE(read(4 * kBlock, 100) == std::string(100, '\0'));
  LONGS_EQUAL(0, data.size());
  CHECK_TRUE(read(0, 10, 99) == std::string(10, '\0'));
}

TEST(StorageServer, cold_reads_go_through_the_readers) {
  CHECK_OK(write(0, std::string(2 * kBlock, 'x')));
  node.disk.faults.cold = 1;
  CHECK_TRUE(read(10, 2 * kBlock - 10) == std::string(2 * kBlock - 10, 'x'));
  LONGS_EQUAL(1, node.server().counters().cold_reads);
}

TEST(StorageServer, cut_punch_seek_and_remove) {
  CHECK_OK(write(0, std::string(8 * kBlock, 'x')));
  CHECK_OK(ask(PunchObject{place(), kBlock, 2 * kBlock}));
  LONGS_EQUAL(kBlock, UNWRAP(ask(SeekObject{place(), 0, SeekFor::hole})).offset);
  LONGS_EQUAL(3 * kBlock, UNWRAP(ask(SeekObject{place(), kBlock, SeekFor::data})).offset);
  CHECK_OK(ask(CutObject{place(), 5 * kBlock + 1}));
  CHECK_TRUE(read(5 * kBlock, 3) == "x" + std::string(2, '\0'));
  CHECK_OK(ask(RemoveObject{place()}));
  CHECK_TRUE(UNWRAP(ask(SeekObject{place(), 0, SeekFor::data})).offset == UINT64_MAX);
}

TEST(StorageServer, bad_requests_are_refused_by_name) {
  CHECK_ERROR(Code::corrupt, "checksum_mismatch",
              ask(WriteObject{place(), 0, sums_of(0, "hello")}, "hellO"));
  CHECK_ERROR(Code::invalid_argument, "data_invalid", ask(WriteObject{place(), 0, {}}));
  std::vector<std::uint32_t> one_too_many = sums_of(0, "x");
  one_too_many.push_back(1);
  CHECK_ERROR(Code::invalid_argument, "data_invalid",
              ask(WriteObject{place(), 0, one_too_many}, "x"));
  CHECK_ERROR(Code::invalid_argument, "data_invalid", ask(CutObject{place(), 0}, "x"));
  CHECK_ERROR(Code::invalid_argument, "range_invalid", ask(CutObject{place(), kFileMax + 1}));
  CHECK_ERROR(Code::invalid_argument, "range_invalid",
              ask(WriteObject{place(), kFileMax, sums_of(0, "x")}, "x"));
  CHECK_ERROR(Code::invalid_argument, "range_invalid", ask(ReadObject{place(), 0, kDataMax + 1}));
  LONGS_EQUAL(0, node.group(kGroup).applied());
}

TEST(StorageServer, who_does_not_lead_a_group_says_so) {
  ObjectPlace other = place();
  other.group = 99;
  CHECK_ERROR(Code::unavailable, "not_primary", ask(CutObject{other, 0}));
  node.group(kGroup).set_serving(false);
  CHECK_ERROR(Code::unavailable, "not_primary", ask(CutObject{place(), 0}));
  STRCMP_EQUAL("not_primary", read(0, 1).c_str());
}

TEST(StorageServer, an_old_epoch_changes_nothing_also_after_a_restart) {
  CHECK_OK(write(0, "old"));
  CHECK_OK(ask(Fence{kGroup, 5, 2}));
  for (int life = 0; life < 2; ++life) {
    CHECK_ERROR(Code::failed_precondition, "stale_epoch", write(0, "new"));
    CHECK_ERROR(Code::failed_precondition, "stale_epoch", ask(CutObject{place(), 0}));
    CHECK_ERROR(Code::failed_precondition, "stale_epoch", ask(PunchObject{place(), 0, 100}));
    CHECK_ERROR(Code::failed_precondition, "stale_epoch", ask(RemoveObject{place()}));
    CHECK_ERROR(Code::failed_precondition, "stale_epoch", ask(Fence{kGroup, 5, 1}));
    STRCMP_EQUAL("old", read(0, 3).c_str());
    node.checkpoint(kGroup);
    restart();
  }
  epoch = 2;
  CHECK_OK(write(0, "new"));
  epoch = 3;  // a client that metadata admitted at a higher epoch fences those before it
  CHECK_OK(write(0, "new"));
  epoch = 2;
  CHECK_ERROR(Code::failed_precondition, "stale_epoch", write(0, "old"));
}

TEST(StorageServer, a_change_that_was_proposed_before_a_fence_and_ordered_after_it_is_stale) {
  std::optional<Result<ChangeReply>> late;
  node.group(kGroup).propose(storage::encode_operation(Fence{kGroup, 5, 9}),
                             [](const Result<std::string>&) {});
  // The server does not know of the fence yet.
  CHECK_OK(node.server().find_machine(kGroup)->check_epoch(5, 1));
  const std::string content = "late";
  node.group(kGroup).propose(
      storage::encode_operation(WriteObject{place(), 0, sums_of(0, content)}, content),
      [&late](const Result<std::string>& answer) { late = storage::decode_outcome(*answer); });
  CHECK_TRUE(world.run_until([&late] { return late.has_value(); }));
  CHECK_ERROR(Code::failed_precondition, "stale_epoch", *late);
  epoch = 9;
  CHECK_TRUE(read(0, 4) == std::string(4, '\0'));
}

TEST(StorageServer, a_full_device_refuses_writes_and_goes_on_with_the_rest) {
  CHECK_OK(write(0, std::string(kBlock, 'x')));
  // Leaves less than the reserve.
  const auto filler = UNWRAP(node.disk.open("filler", base::OpenMode::create));
  CHECK_OK(filler->allocate(0, 200 << 20));
  world.run_for(3s);
  CHECK_ERROR(Code::no_space, "device_full", write(0, "y"));
  CHECK_TRUE(read(0, kBlock) == std::string(kBlock, 'x'));
  CHECK_OK(ask(CutObject{place(), 1}));
  CHECK_OK(ask(RemoveObject{place()}));
  CHECK_OK(filler->truncate(0));
  world.run_for(3s);
  CHECK_OK(write(0, "y"));
}

TEST(StorageServer, a_peer_that_says_it_is_full_counts_when_it_is_in_the_group) {
  CHECK_OK(ask(storage::DeviceRoom{"elsewhere", true}));
  CHECK_OK(write(0, "y"));
  CHECK_OK(ask(storage::DeviceRoom{"storage", true}));
  CHECK_ERROR(Code::no_space, "device_full", write(0, "y"));
  CHECK_OK(ask(storage::DeviceRoom{"storage", false}));
  CHECK_OK(write(0, "y"));
}

TEST(StorageServer, a_spoilt_block_without_another_copy_is_an_error_and_not_content) {
  CHECK_OK(write(0, std::string(2 * kBlock, 'x')));
  node.checkpoint(kGroup);
  node.disk.flip_bit(storage::data_path({kGroup, 1}), 12'345);
  STRCMP_EQUAL("block_corrupt", read(0, kBlock).c_str());
  LONGS_EQUAL(1, node.server().counters().blocks.lost);
  CHECK_TRUE(read(kBlock, kBlock) == std::string(kBlock, 'x'));
}

TEST(StorageServer, what_was_acknowledged_is_there_after_a_power_cut) {
  for (int round = 0; round < 20; ++round) {
    const std::string content(1 + world.random()() % 20'000, static_cast<char>('a' + round));
    CHECK_OK(write(world.random()() % 1000, content));
    if (round % 3 == 0) node.checkpoint(kGroup);
    const std::string before = read(0, 30'000);
    restart();
    CHECK_TRUE(read(0, 30'000) == before);
  }
}

TEST(StorageServer, a_group_is_started_once) {
  CHECK_ERROR(Code::already_exists, "chunk_group_exists",
              node.server().add_group(
                  kGroup,
                  [](GroupNumber, replication::StateMachine&)
                      -> Result<std::unique_ptr<replication::Group>> { return base::Error{}; }));
  CHECK_TRUE(node.server().groups() == std::vector<GroupNumber>{kGroup});
}

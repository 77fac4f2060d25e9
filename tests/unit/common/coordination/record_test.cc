// SPDX-License-Identifier: Apache-2.0
#include "common/coordination/record.h"

#include "tests/support/check_result.h"

using base::Code;
using namespace coordination;

TEST_GROUP(CoordinationRecord){};

TEST(CoordinationRecord, a_node_is_read_back_as_it_was_written) {
  NodeRecord node;
  node.stat = {3, 5, 7, 11, 13};
  node.next_sequence = 17;
  node.serial = 19;
  node.data = std::string("a\0b", 3);
  const NodeRecord read = UNWRAP(decode_node("key", encode("key", node)));
  LONGS_EQUAL(3, read.stat.version);
  LONGS_EQUAL(5, read.stat.created_txn);
  LONGS_EQUAL(7, read.stat.modified_txn);
  LONGS_EQUAL(11, read.stat.children_version);
  LONGS_EQUAL(13, read.stat.ephemeral_owner);
  LONGS_EQUAL(17, read.next_sequence);
  LONGS_EQUAL(19, read.serial);
  CHECK_TRUE(read.data == node.data);
}

TEST(CoordinationRecord, sessions_and_state_are_read_back_as_they_were_written) {
  LONGS_EQUAL(4711, UNWRAP(decode_session("s", encode("s", SessionRecord{4711}))).pid);
  const TreeState state = UNWRAP(decode_state("t", encode("t", TreeState{2, 3, 5, 7})));
  LONGS_EQUAL(2, state.txn);
  LONGS_EQUAL(3, state.sessions_txn);
  LONGS_EQUAL(5, state.next_session);
  LONGS_EQUAL(7, state.next_serial);
}

TEST(CoordinationRecord, one_kind_is_not_read_as_another) {
  const std::string session = encode("k", SessionRecord{1});
  CHECK_ERROR(Code::unsupported, "record_format", decode_node("k", session));
  CHECK_ERROR(Code::unsupported, "record_format", decode_state("k", session));
  CHECK_ERROR(Code::unsupported, "record_format", decode_session("k", encode("k", TreeState{})));
}

TEST(CoordinationRecord, a_record_under_another_key_is_corrupt) {
  CHECK_ERROR(Code::corrupt, "record_corrupt", decode_node("b", encode("a", NodeRecord{})));
}

TEST(CoordinationRecord, children_lie_side_by_side_and_apart_from_all_others) {
  const std::string prefix = children_prefix("/a");
  CHECK_TRUE(node_key("/a/b").starts_with(prefix));
  CHECK_TRUE(node_key("/a/c").starts_with(prefix));
  for (const char* other : {"/", "/a", "/ab", "/b/a", "/a/b/c", "/a/a/a"})
    CHECK_FALSE(node_key(other).starts_with(prefix));
  CHECK_TRUE(node_key("/a").starts_with(children_prefix("/")));
  CHECK_FALSE(node_key("/a/b").starts_with(children_prefix("/")));
}

TEST(CoordinationRecord, keys_are_never_longer_than_lmdb_allows) {
  const std::string name(kPathMax - 1, 'x');
  CHECK_TRUE(node_key("/" + name).size() <= 511);
  CHECK_TRUE(node_key("/a/" + name.substr(2)).size() <= 511);
}

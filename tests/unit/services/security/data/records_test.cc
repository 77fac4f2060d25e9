// SPDX-License-Identifier: Apache-2.0
#include "services/security/data/records.h"

#include "tests/support/check_result.h"

using base::Code;
using namespace security;  // NOLINT: the records' names

TEST_GROUP(SecurityRecords) {
  std::unique_ptr<store::Store> db = store::make_memory({.collections = security_collections()});
};

TEST(SecurityRecords, a_record_is_read_as_it_was_written) {
  TokenRecord token{.hash = "h", .id = "i", .account = "a", .org = "o"};
  token.expires = 1'800'000'000;
  token.scopes = {"openid", "profile"};
  token.used = true;
  const TokenRecord again = UNWRAP(decode<TokenRecord>(encode(token)));
  STRCMP_EQUAL(encode(token).c_str(), encode(again).c_str());
  LONGS_EQUAL(2, again.scopes.size());
  const RightRecord right = UNWRAP(decode<RightRecord>(encode(RightRecord{.id = "r"})));
  CHECK_FALSE(right.value.has_value());
}

TEST(SecurityRecords, missing_fields_have_their_defaults_and_wrong_ones_are_damage) {
  STRCMP_EQUAL("INTERNAL", UNWRAP(decode<DirectoryRecord>(R"({"id":"d"})")).type.c_str());
  for (const char* bad : {"", "[]", "3", R"({"id":3})", R"({"disabled":"no"})"}) {
    CHECK_ERROR(Code::corrupt, "record_unreadable", decode<AccountRecord>(bad));
  }
}

TEST(SecurityRecords, indexes_find_by_name_member_and_subject) {
  CHECK_OK(db->write([](store::Writer& writer) -> base::Result<void> {
    TRY(put(writer, AccountRecord{.id = "a", .directory = "d", .username = "john"}));
    TRY(put(writer, AccountRecord{.id = "b", .directory = "e", .username = "john"}));
    TRY(put(writer, MemberRecord{.group = "g", .account = "a"}));
    TRY(put(writer, RightRecord{.id = "r", .app = "p", .name = "x", .value = {}, .subject = "g"}));
    return {};
  }));
  CHECK_OK(db->read([](store::Reader& reader) -> base::Result<void> {
    const auto john = TRY(find_one<AccountRecord>(reader, "username", pair_term("e", "john")));
    STRCMP_EQUAL("b", john->id.c_str());
    LONGS_EQUAL(1, TRY(all<MemberRecord>(reader, "g/")).size());
    LONGS_EQUAL(1, TRY(find_by<MemberRecord>(reader, "account", "a")).size());
    LONGS_EQUAL(1, TRY(find_by<RightRecord>(reader, "subject", "g")).size());
    CHECK_FALSE(TRY(find<OrgRecord>(reader, "")).has_value());
    CHECK_FALSE(TRY(find<OrgRecord>(reader, std::string(300, 'x'))).has_value());
    return {};
  }));
}

TEST(SecurityRecords, lists_longer_than_a_page_are_whole) {
  CHECK_OK(db->write([](store::Writer& writer) -> base::Result<void> {
    for (int i = 0; i < 2500; ++i) {
      TRY(put(writer, MemberRecord{.group = "g", .account = "a" + std::to_string(i)}));
    }
    return {};
  }));
  CHECK_OK(db->read([](store::Reader& reader) -> base::Result<void> {
    LONGS_EQUAL(2500, TRY(all<MemberRecord>(reader, "g/")).size());
    return {};
  }));
}

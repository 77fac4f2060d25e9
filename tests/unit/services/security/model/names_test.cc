// SPDX-License-Identifier: Apache-2.0
#include "services/security/model/names.h"

#include "tests/support/check_result.h"

using base::Code;

TEST_GROUP(SecurityNames){};

TEST(SecurityNames, org_names_are_lower_case_words_joined_by_hyphens) {
  for (const char* good : {"a", "7", "acme", "acme-eng", "a-b-c", "a1-2b"}) {
    CHECK_OK(security::check_org_name(good));
  }
  for (const char* bad :
       {"", "-", "-a", "a-", "a--b", "Acme", "a.b", "a b", "a_b", "\xc3\xa4", "a/b", "a*"}) {
    CHECK_ERROR(Code::invalid_argument, "name_invalid", security::check_org_name(bad));
  }
  CHECK_ERROR(Code::invalid_argument, "name_invalid",
              security::check_org_name(std::string(64, 'a')));
}

TEST(SecurityNames, children_of_the_root_carry_their_name_alone) {
  STRCMP_EQUAL("acme", UNWRAP(security::make_fqon("root", "acme")).c_str());
  STRCMP_EQUAL("acme.eng", UNWRAP(security::make_fqon("acme", "eng")).c_str());
  CHECK_ERROR(Code::invalid_argument, "name_invalid", security::make_fqon("root", "root"));
  CHECK_OK(security::make_fqon("acme", "root"));
  CHECK_ERROR(Code::invalid_argument, "name_invalid",
              security::make_fqon(std::string(239, 'a'), "eng"));
}

TEST(SecurityNames, an_org_is_within_its_ancestors_and_no_look_alike) {
  CHECK_TRUE(security::is_within("acme.eng", "acme"));
  CHECK_TRUE(security::is_within("acme", "acme"));
  CHECK_TRUE(security::is_within("acme", "root"));
  CHECK_FALSE(security::is_within("acme-eng", "acme"));
  CHECK_FALSE(security::is_within("acme", "acme.eng"));
  CHECK_FALSE(security::is_within("root", "acme"));
  CHECK_TRUE(security::is_fqon("a.b.c"));
  for (const char* bad : {"", ".", "a.", ".a", "a..b", "a.B", "23ba3299/x"}) {
    CHECK_FALSE(security::is_fqon(bad));
  }
}

TEST(SecurityNames, usernames_hold_nothing_that_a_search_or_path_would_take_for_its_own) {
  for (const char* good : {"john", "John Doe", "j.doe@acme.example", "j\xc3\xb6rg", "a(b)"}) {
    CHECK_OK(security::check_username(good));
  }
  for (const char* bad : {"", " john", "john ", "jo*n", "jo/hn", "jo\nhn", "jo\x7fhn", "\xff"}) {
    CHECK_ERROR(Code::invalid_argument, "name_invalid", security::check_username(bad));
  }
  CHECK_ERROR(Code::invalid_argument, "name_invalid",
              security::check_username(std::string(201, 'a')));
  CHECK_OK(security::check_display_name("eng/ops team", "a group's name"));
  CHECK_ERROR(Code::invalid_argument, "name_invalid",
              security::check_display_name("a*", "a group's name"));
}

TEST(SecurityNames, email_addresses_have_a_local_part_and_labels) {
  for (const char* good : {"a@b", "john.doe@acme.example", "j+tag@a-b.example"}) {
    CHECK_OK(security::check_email(good));
  }
  for (const char* bad : {"", "@", "a@", "@b", "a b@c", "a@b..c", "a@-b", "a@b-", ".a@b", "a.@b",
                          "a@b@c", "a*@b", "a@b\r\nBcc: x@y", "<a@b>", "a@b,c@d"}) {
    CHECK_ERROR(Code::invalid_argument, "email_invalid", security::check_email(bad));
  }
}

TEST(SecurityNames, phone_numbers_are_e164_once_decoration_is_taken_out) {
  STRCMP_EQUAL("+15058675309", UNWRAP(security::canonical_phone("+1 (505) 867-5309")).c_str());
  STRCMP_EQUAL("+15058675309", UNWRAP(security::canonical_phone("+1.505.867.5309")).c_str());
  for (const char* bad : {"", "+", "15058675309", "+1505867", "+1234567890123456", "+1505867530a",
                          "850-867-5309", "++15058675309", "+1505*"}) {
    CHECK_ERROR(Code::invalid_argument, "phone_invalid", security::canonical_phone(bad));
  }
}

TEST(SecurityNames, a_star_stands_for_any_text_and_nothing_else_is_special) {
  struct Row {
    const char *pattern, *text;
    bool matches;
  };
  for (const Row& row :
       {Row{"*", "", true}, Row{"*", "abc", true}, Row{"a*", "abc", true}, Row{"*c", "abc", true},
        Row{"a*c", "abc", true}, Row{"a*b*c", "aXbYc", true}, Row{"abc", "abc", true},
        Row{"", "", true}, Row{"", "a", false}, Row{"a*d", "abc", false}, Row{"a.c", "abc", false},
        Row{"ABC", "abc", false}, Row{"**a", "ba", true},
        Row{"*a*a*a*a*b", "aaaaaaaaaaaaaaaa", false}}) {
    CHECK_EQUAL(row.matches, security::matches_wildcard(row.pattern, row.text));
  }
}

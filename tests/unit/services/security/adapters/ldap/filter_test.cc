// SPDX-License-Identifier: Apache-2.0
#include "services/security/adapters/ldap/filter.h"

#include "tests/support/check_result.h"

using security::LdapFilter;

TEST_GROUP(LdapFilter){};

TEST(LdapFilter, values_are_escaped_by_what_they_are) {
  struct Row {
    const char *value, *equal, *wildcard;
  };
  for (const Row& row :
       {Row{"ann", "(uid=ann)", "(uid=ann)"}, Row{"a*", "(uid=a\\2a)", "(uid=a*)"},
        Row{"*", "(uid=\\2a)", "(uid=*)"}, Row{"a**b", "(uid=a\\2a\\2ab)", "(uid=a*b)"},
        Row{"(x)", "(uid=\\28x\\29)", "(uid=\\28x\\29)"},
        Row{"a\\2a", "(uid=a\\5c2a)", "(uid=a\\5c2a)"},
        Row{"*)(uid=*", "(uid=\\2a\\29\\28uid=\\2a)", "(uid=*\\29\\28uid=*)"},
        Row{"\xc3\xa4", "(uid=\\c3\\a4)", "(uid=\\c3\\a4)"},
        Row{"a\nb", "(uid=a\\0ab)", "(uid=a\\0ab)"}, Row{"", "(uid=)", "(uid=)"}}) {
    STRCMP_EQUAL(row.equal, LdapFilter::equal("uid", row.value).text().c_str());
    STRCMP_EQUAL(row.wildcard, LdapFilter::wildcard("uid", row.value).text().c_str());
  }
  STRCMP_EQUAL("(uid=a\\00b)", LdapFilter::equal("uid", std::string("a\0b", 3)).text().c_str());
}

TEST(LdapFilter, parts_are_joined) {
  const LdapFilter a = LdapFilter::equal("a", "1"), b = LdapFilter::equal("b", "2");
  STRCMP_EQUAL("(objectClass=*)", LdapFilter::all_of({}).text().c_str());
  STRCMP_EQUAL("(a=1)", LdapFilter::all_of({a}).text().c_str());
  STRCMP_EQUAL("(&(a=1)(b=2))", LdapFilter::all_of({a, b}).text().c_str());
}

TEST(LdapFilter, names_of_attributes_are_letters_digits_and_hyphens) {
  for (const char* good : {"uid", "a", "x-1", "sAMAccountName"}) {
    CHECK_TRUE(security::is_ldap_attribute(good));
  }
  for (const char* bad : {"", "1a", "a=b", "a)", "a b", "a*", "-a", "a;b"}) {
    CHECK_FALSE(security::is_ldap_attribute(bad));
  }
}

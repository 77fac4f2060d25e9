// SPDX-License-Identifier: Apache-2.0
// A real slapd against the contract, over TLS; and what only an external directory can do wrong.
#include "common/sys/ldap.h"
#include "services/security/adapters/ldap/ldap.h"
#include "services/security/directory_sync.h"
#include "tests/contract/directory_suite.h"
#include "tests/support/slapd_server.h"

namespace {

using rest::Method;

class LdapEngine : public contract::DirectoryEngine {
 public:
  explicit LdapEngine(SlapdServer::Kind kind = SlapdServer::Kind::inet_org_person) : server(kind) {}
  virtual std::string config(const std::string& url) const {
    return R"({"url":")" + url + R"(","caFile":")" + server.ca_file() +
           R"(","systemUsername":"cn=reader,dc=acme,dc=example","systemPassword":"reader-secret",
              "accountSearchBase":"ou=people,dc=acme,dc=example",
              "groupSearchBase":"ou=groups,dc=acme,dc=example"})";
  }
  std::string open(SecurityRig& rig) override { return open_with(rig, config(server.tls_url())); }
  std::string open_with(SecurityRig& rig, const std::string& config) {
    rig.must(rig.as("admin", Method::post, "/root/orgs", R"({"name":"acme"})"), 201);
    const auto made = rig.as("admin", Method::post, "/acme/directories",
                             R"({"name":"staff","directoryType":"LDAP","config":)" + config + "}");
    rig.must(made, 201);
    CHECK_TRUE(made.text().find("reader-secret") == std::string::npos);
    rig.must(rig.as("admin", Method::post, "/acme/accountStores",
                    R"({"storeType":"DIRECTORY","accountStoreId":")" + made.at("id") + "\"}"),
             201);
    return made.at("id");
  }
  void leave(SecurityRig&, const std::string& name, const std::string& group) override {
    server.modify("dn: cn=" + group + ",ou=groups,dc=acme,dc=example\nchangetype: modify\n" +
                  "add: uniqueMember\nuniqueMember: cn=reader,dc=acme,dc=example\n-\n" +
                  "delete: uniqueMember\nuniqueMember: uid=" + name +
                  ",ou=people,dc=acme,dc=example\n");
  }
  void rename_ann(SecurityRig&, const std::string& last_name) override {
    server.modify(
        "dn: uid=ann,ou=people,dc=acme,dc=example\nchangetype: modify\nreplace: sn\nsn: " +
        last_name + "\n");
  }
  SlapdServer server;
};

class ActiveDirectoryEngine final : public LdapEngine {
 public:
  ActiveDirectoryEngine() : LdapEngine(SlapdServer::Kind::active_directory) {}
  std::string config(const std::string& url) const override {
    base::Json settings = UNWRAP(base::parse_json(LdapEngine::config(url)));
    settings["activeDirectory"] = true;
    return base::dump_json(settings);
  }
  void leave(SecurityRig&, const std::string& name, const std::string& group) override {
    server.modify("dn: cn=" + group + ",ou=groups,dc=acme,dc=example\nchangetype: modify\n" +
                  "delete: member\nmember: cn=" + name + ",ou=people,dc=acme,dc=example\n");
  }
  void rename_ann(SecurityRig&, const std::string& last_name) override {
    server.modify("dn: cn=ann,ou=people,dc=acme,dc=example\nchangetype: modify\nreplace: sn\nsn: " +
                  last_name + "\n");
  }
};

}  // namespace

TEST_GROUP_BASE(LdapDirectory, SecurityRig) {
  LdapEngine kind;
  contract::DirectoryUse engine{*this, kind};
  std::string login_ann() { return login("acme", "ann", "ann-secret"); }
};

DIRECTORY_CONTRACT_TESTS(LdapDirectory, CONTRACT_TEST)

TEST_GROUP_BASE(ActiveDirectory, SecurityRig) {
  ActiveDirectoryEngine kind;
  contract::DirectoryUse engine{*this, kind};
};

DIRECTORY_CONTRACT_TESTS(ActiveDirectory, CONTRACT_TEST)

TEST(LdapDirectory, who_is_gone_there_is_disabled_here_with_his_tokens) {
  const std::string path = "/directories/" + kind.open(*this);
  const std::string sync = path + "/sync";
  const std::string ann = login_ann();
  CHECK_FALSE(ann.empty());
  CHECK_FALSE(login("acme", "ben", "ben-secret").empty());
  Answer report = as("admin", Method::post, sync);
  must(report, 200);
  LONGS_EQUAL(2, report.json["present"].get<int>());
  kind.rename_ann(*this, "Zander");
  kind.server.modify("dn: uid=ben,ou=people,dc=acme,dc=example\nchangetype: delete\n");
  must(as("admin", Method::post, sync + "?dryrun=true"), 200);
  report = as("admin", Method::post, sync);
  LONGS_EQUAL(1, report.json["present"].get<int>());
  LONGS_EQUAL(1, report.json["disabled"].get<int>());
  const Answer shown = as("admin", Method::get, path + "/usernames/ann");
  STRCMP_EQUAL("Zander", shown.at("lastName").c_str());
  must(call(Method::post, "/acme/auth", "", bearer(ann)), 200);
  // The last but one says nothing: a directory without anybody is a directory that is set up wrong.
  CHECK_FALSE(login("acme", "zoe", "zoe-secret").empty());
  kind.server.modify("dn: uid=ann,ou=people,dc=acme,dc=example\nchangetype: delete\n");
  kind.server.modify("dn: uid=zoe,ou=people,dc=acme,dc=example\nchangetype: delete\n");
  must(as("admin", Method::post, sync), 409);
  must(call(Method::post, "/acme/auth", "", bearer(ann)), 200);
  kind.server.stop();
  must(as("admin", Method::post, sync), 503);
}

TEST(LdapDirectory, what_is_new_of_somebody_is_told_and_nothing_else) {
  using Names = std::vector<std::string>;
  kind.open(*this);
  told();
  CHECK_FALSE(login_ann().empty());
  CHECK_TRUE(told() ==
             (Names{"security.account.created", "security.group.created", "security.group.created",
                    "security.group.members", "security.group.members"}));
  const std::uint64_t before = epoch();
  CHECK_FALSE(login_ann().empty());
  CHECK_TRUE(told().empty());
  CHECK_TRUE(epoch() == before);  // nobody's rights are read anew for it
  kind.rename_ann(*this, "Arrow");
  CHECK_FALSE(login_ann().empty());
  CHECK_TRUE(told() == Names{"security.account.updated"});
  kind.leave(*this, "ann", "ops");
  CHECK_FALSE(login_ann().empty());
  CHECK_TRUE(told() == Names{"security.group.members"});
  CHECK_TRUE(epoch() > before);
}

TEST(LdapDirectory, is_read_and_never_written) {
  const std::string id = kind.open(*this);
  must(as("admin", Method::post, "/directories/" + id + "/accounts", R"({"username":"new"})"), 400);
  must(as("admin", Method::post, "/directories/" + id + "/groups", R"({"name":"new"})"), 400);
  const Answer found = as("admin", Method::get, "/directories/" + id + "/accounts?username=ann");
  const std::string ann = found.json[0]["id"].get<std::string>();
  must(
      as("admin", Method::patch, "/accounts/" + ann,
         R"({"credential":{"credentialType":"GestaltPasswordCredential","password":"taken-over"}})"),
      400);
}

TEST(LdapDirectory, a_password_is_sent_over_tls_to_a_certificate_we_trust_alone) {
  kind.open_with(*this, kind.config(kind.server.plain_url()));
  STRCMP_EQUAL("", login_ann().c_str());
}

TEST(LdapDirectory, a_certificate_nobody_vouches_for_is_refused) {
  base::Json settings = UNWRAP(base::parse_json(kind.config(kind.server.tls_url())));
  settings.erase("caFile");
  kind.open_with(*this, base::dump_json(settings));
  STRCMP_EQUAL("", login_ann().c_str());
}

TEST(LdapDirectory, starts_tls_on_the_plain_port) {
  base::Json settings = UNWRAP(base::parse_json(kind.config(kind.server.plain_url())));
  settings["startTls"] = true;
  kind.open_with(*this, base::dump_json(settings));
  CHECK_FALSE(login_ann().empty());
}

TEST(LdapDirectory, one_that_is_down_locks_nobody_out_of_the_others) {
  kind.open(*this);
  const Answer other = as("admin", Method::post, "/acme/directories", R"({"name":"own"})");
  must(as("admin", Method::post, "/directories/" + other.at("id") + "/accounts",
          R"({"username":"kim","credential":{"credentialType":"GestaltPasswordCredential",
              "password":"kim-secret"}})"),
       201);
  must(as("admin", Method::post, "/acme/accountStores",
          R"({"storeType":"DIRECTORY","accountStoreId":")" + other.at("id") + "\"}"),
       201);
  kind.server.stop();
  STRCMP_EQUAL("", login_ann().c_str());
  CHECK_FALSE(login("acme", "kim", "kim-secret").empty());
  must(as("admin", Method::get, "/acme/accounts?username=a*"), 503);
}

TEST(LdapDirectory, a_configuration_is_checked_before_it_is_stored) {
  must(as("admin", Method::post, "/root/orgs", R"({"name":"acme"})"), 201);
  for (const char* bad :
       {R"({})", R"({"url":"http://x/"})", R"({"url":"ldaps://x","systemUsername":"cn=a"})",
        R"({"url":"ldaps://x","systemUsername":"cn=a","systemPassword":"p"})",
        R"({"url":"ldaps://x","systemUsername":"cn=a","systemPassword":"p","searchBase":"dc=a",
            "primaryField":"uid)(x=*"})",
        R"({"url":"ldaps://x","systemUsername":"cn=a","systemPassword":"p","searchBase":"dc=a",
            "memberField":7})"}) {
    must(as("admin", Method::post, "/acme/directories",
            R"({"name":"staff","directoryType":"LDAP","config":)" + std::string(bad) + "}"),
         400);
  }
}

TEST(LdapDirectory, the_mask_sent_back_leaves_the_password_as_it_is) {
  const std::string id = kind.open(*this);
  const Answer shown = as("admin", Method::get, "/directories/" + id);
  STRCMP_EQUAL("********", shown.json["config"]["systemPassword"].get<std::string>().c_str());
  base::Json patch = base::Json::array();
  patch.push_back({{"op", "replace"}, {"path", "/config"}, {"value", shown.json["config"]}});
  must(as("admin", Method::patch, "/directories/" + id, base::dump_json(patch)), 200);
  CHECK_FALSE(login_ann().empty());
}

TEST(LdapDirectory, an_empty_password_never_binds_and_a_plain_connection_takes_none) {
  const std::string dn = "uid=ann,ou=people,dc=acme,dc=example";
  auto tls = UNWRAP(
      sys::LdapConnection::open({.url = kind.server.tls_url(), .ca_file = kind.server.ca_file()}));
  CHECK_FALSE(UNWRAP(tls.bind(dn, base::Secret(""))));
  CHECK_FALSE(UNWRAP(tls.bind("", base::Secret("ann-secret"))));
  CHECK_FALSE(UNWRAP(tls.bind(dn, base::Secret("wrong"))));
  CHECK_FALSE(UNWRAP(tls.bind("not a dn", base::Secret("ann-secret"))));
  CHECK_TRUE(UNWRAP(tls.bind(dn, base::Secret("ann-secret"))));
  auto plain = UNWRAP(sys::LdapConnection::open({.url = kind.server.plain_url()}));
  CHECK_ERROR(base::Code::unavailable, "directory_unreachable",
              plain.bind(dn, base::Secret("ann-secret")));
  const auto adapter = security::make_ldap_adapter();
  const auto settings = UNWRAP(base::parse_json(kind.config(kind.server.tls_url())));
  LONGS_EQUAL(4, UNWRAP(adapter->find_accounts(settings, {.username = "*"})).size());
  LONGS_EQUAL(1, UNWRAP(adapter->find_groups(settings, "e*")).size());
}

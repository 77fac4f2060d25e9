// SPDX-License-Identifier: Apache-2.0
// The service's own directories against the contract.
#include "tests/contract/directory_suite.h"

namespace {

using rest::Method;

class InternalEngine final : public contract::DirectoryEngine {
 public:
  std::string open(SecurityRig& rig) override {
    const auto org = rig.as("admin", Method::post, "/root/orgs", R"({"name":"acme"})");
    rig.must(org, 201);
    const auto directory = rig.as("admin", Method::post, "/acme/directories", R"({"name":"d"})");
    rig.must(directory, 201);
    const std::string at = "/directories/" + directory.at("id");
    for (const char* name : {"eng", "ops"}) {
      const auto group =
          rig.as("admin", Method::post, at + "/groups", R"({"name":")" + std::string(name) + "\"}");
      rig.must(group, 201);
      groups_[name] = group.at("id");
    }
    const auto person = [&](const std::string& name, const std::string& password,
                            const std::string& more) {
      const auto made = rig.as(
          "admin", Method::post, at + "/accounts",
          R"({"username":")" + name +
              R"(","credential":{"credentialType":"GestaltPasswordCredential","password":")" +
              password + "\"}" + more + "}");
      rig.must(made, 201);
      accounts_[name] = made.at("id");
    };
    person("ann", "ann-secret",
           R"(,"firstName":"Ann","lastName":"Archer","email":"ann@acme.example",
              "phoneNumber":"+15058675309","groups":[")" +
               groups_["eng"] + "\",\"" + groups_["ops"] + "\"]");
    person("ben", "ben-secret",
           R"(,"email":"ben@acme.example","groups":[")" + groups_["eng"] + "\"]");
    person("we(i)rd", "weird-secret", "");
    person("zoe", "zoe-secret", "");
    rig.must(rig.as("admin", Method::post, "/acme/accountStores",
                    R"({"storeType":"DIRECTORY","accountStoreId":")" + directory.at("id") + "\"}"),
             201);
    return directory.at("id");
  }
  void leave(SecurityRig& rig, const std::string& name, const std::string& group) override {
    rig.must(rig.as("admin", Method::patch, "/groups/" + groups_[group] + "/accounts",
                    R"([{"op":"remove","path":"/accounts","value":")" + accounts_[name] + "\"}]"),
             200);
  }
  void rename_ann(SecurityRig& rig, const std::string& last_name) override {
    rig.must(rig.as("admin", Method::patch, "/accounts/" + accounts_["ann"],
                    R"({"lastName":")" + last_name + "\"}"),
             200);
  }

 private:
  std::map<std::string, std::string> groups_, accounts_;
};

}  // namespace

TEST_GROUP_BASE(InternalDirectory, SecurityRig) {
  InternalEngine kind;
  contract::DirectoryUse engine{*this, kind};
};

DIRECTORY_CONTRACT_TESTS(InternalDirectory, CONTRACT_TEST)

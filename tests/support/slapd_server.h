// SPDX-License-Identifier: Apache-2.0
// A real OpenLDAP server of a test's own: its data, certificate and port in a temporary folder,
// gone at the end.
//
// dc=acme,dc=example holds ou=people (ann, ben, "we(i)rd*", zoe without mail) and ou=groups (eng:
// ann and ben; ops: ann). The system account is cn=reader, its password "reader-secret"; a person's
// password is the name and "-secret".
#pragma once

#include <memory>
#include <string>

#include "tests/support/child_process.h"
#include "tests/support/temp_folder.h"

class SlapdServer {
 public:
  // With the classes and attributes of RFC 2798, or with those of Active Directory: people are
  // `user` with a sAMAccountName, groups `group` with `member`, and a person's DN begins with cn.
  enum class Kind { inet_org_person, active_directory };
  explicit SlapdServer(Kind kind = Kind::inet_org_person);
  ~SlapdServer();
  std::string plain_url() const { return "ldap://127.0.0.1:" + std::to_string(port_); }
  std::string tls_url() const { return "ldaps://127.0.0.1:" + std::to_string(tls_port_); }
  std::string ca_file() const { return (folder_ / "server.pem").string(); }
  // Applies LDIF changes as the manager, with ldapmodify.
  void modify(const std::string& ldif);
  void stop();

 private:
  void write(const std::string& name, const std::string& text) const;
  void start();
  TempFolder folder_;
  int port_ = 0, tls_port_ = 0;
  std::unique_ptr<ChildProcess> server_;
};

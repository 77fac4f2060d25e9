// SPDX-License-Identifier: Apache-2.0
#include "tests/support/slapd_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <fstream>

#include "common/sys/process.h"
#include "common/sys/tls.h"
#include "tests/support/check_result.h"

namespace {

constexpr const char* kData = R"(dn: dc=acme,dc=example
objectClass: dcObject
objectClass: organization
o: acme
dc: acme

dn: cn=reader,dc=acme,dc=example
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: reader-secret

dn: ou=people,dc=acme,dc=example
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=acme,dc=example
objectClass: organizationalUnit
ou: groups

dn: uid=ann,ou=people,dc=acme,dc=example
objectClass: inetOrgPerson
uid: ann
cn: Ann Archer
givenName: Ann
sn: Archer
mail: ann@acme.example
telephoneNumber: +1 505 867 5309
userPassword: ann-secret

dn: uid=ben,ou=people,dc=acme,dc=example
objectClass: inetOrgPerson
uid: ben
cn: Ben Baker
givenName: Ben
sn: Baker
mail: ben@acme.example
userPassword: ben-secret

dn: uid=we(i)rd,ou=people,dc=acme,dc=example
objectClass: inetOrgPerson
uid: we(i)rd
cn: W
sn: W
userPassword: weird-secret

dn: uid=zoe,ou=people,dc=acme,dc=example
objectClass: inetOrgPerson
uid: zoe
cn: Zoe
sn: Z
userPassword: zoe-secret

dn: cn=eng,ou=groups,dc=acme,dc=example
objectClass: groupOfUniqueNames
cn: eng
description: engineering
uniqueMember: uid=ann,ou=people,dc=acme,dc=example
uniqueMember: uid=ben,ou=people,dc=acme,dc=example

dn: cn=ops,ou=groups,dc=acme,dc=example
objectClass: groupOfUniqueNames
cn: ops
uniqueMember: uid=ann,ou=people,dc=acme,dc=example
)";

// Object identifiers as Microsoft has published them ([MS-ADA3], [MS-ADSC]).
constexpr const char* kActiveDirectorySchema = R"(
attributetype ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName'
  EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
objectclass ( 1.2.840.113556.1.5.9 NAME 'user' SUP organizationalPerson STRUCTURAL
  MUST sAMAccountName MAY ( givenName $ mail ) )
objectclass ( 1.2.840.113556.1.5.8 NAME 'group' SUP top STRUCTURAL
  MUST cn MAY ( member $ description $ sAMAccountName ) )
)";

void replace_all(std::string& text, std::string_view old, std::string_view next) {
  for (auto at = text.find(old); at != std::string::npos; at = text.find(old, at + next.size())) {
    text.replace(at, old.size(), next);
  }
}

std::string data_of(SlapdServer::Kind kind) {
  std::string data = kData;
  if (kind == SlapdServer::Kind::inet_org_person) return data;
  for (const std::string name : {"ann", "ben", "we(i)rd", "zoe"}) {
    replace_all(data, "\nuid: " + name + "\n",
                "\nsAMAccountName: " + name + "\ncn: " + name + "\n");
    replace_all(data, "uid=" + name + ",", "cn=" + name + ",");
  }
  replace_all(data, "inetOrgPerson", "user");
  replace_all(data, "groupOfUniqueNames", "group");
  replace_all(data, "uniqueMember", "member");
  return data;
}

int connect_to(int port) {
  const int number = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int code = ::connect(number, reinterpret_cast<sockaddr*>(&address), sizeof address);
  ::close(number);
  return code;
}

int free_port() {
  const sys::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK_TRUE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  socklen_t size = sizeof address;
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

}  // namespace

SlapdServer::SlapdServer(Kind kind) : port_(free_port()), tls_port_(free_port()) {
  std::filesystem::create_directory(folder_ / "data");
  const sys::KeyPair pair =
      UNWRAP(sys::make_self_signed("127.0.0.1", {"127.0.0.1"}, std::chrono::hours(1)));
  write("server.pem", pair.certificate_pem);
  write("server.key", std::string(pair.key_pem.reveal()));
  write("data.ldif", data_of(kind));
  write("ad.schema", kind == Kind::active_directory ? kActiveDirectorySchema : "");
  const std::string at = folder_.path().string();
  write("slapd.conf",
        "include /etc/ldap/schema/core.schema\n"
        "include /etc/ldap/schema/cosine.schema\n"
        "include /etc/ldap/schema/inetorgperson.schema\n"
        "include " +
            at +
            "/ad.schema\n"
            "modulepath /usr/lib/ldap\nmoduleload back_mdb\n"
            "TLSCertificateFile " +
            at + "/server.pem\nTLSCertificateKeyFile " + at +
            "/server.key\n"
            "sizelimit 500\n"
            "database mdb\nmaxsize 10485760\nsuffix \"dc=acme,dc=example\"\n"
            "rootdn \"cn=manager,dc=acme,dc=example\"\nrootpw manager-secret\n"
            "directory " +
            at +
            "/data\n"
            "access to attrs=userPassword by anonymous auth by * none\n"
            "access to * by dn.exact=\"cn=reader,dc=acme,dc=example\" read by * none\n");
  const auto added = sys::run_checked(
      {.argv = {"/usr/sbin/slapadd", "-f", at + "/slapd.conf", "-l", at + "/data.ldif"},
       .environment = {}});
  CHECK_OK(added);
  start();
}

SlapdServer::~SlapdServer() { stop(); }

void SlapdServer::write(const std::string& name, const std::string& text) const {
  std::ofstream(folder_ / name) << text;
}

void SlapdServer::start() {
  const std::string urls = plain_url() + "/ " + tls_url() + "/";
  server_ = std::make_unique<ChildProcess>(std::vector<std::string>{
      "/usr/sbin/slapd", "-f", (folder_ / "slapd.conf").string(), "-h", urls, "-d", "0"});
  for (int i = 0; i < 500; ++i) {
    if (connect_to(port_) == 0 && connect_to(tls_port_) == 0) return;
    ::poll(nullptr, 0, 20);  // slapd says nothing when it is ready
  }
  FAIL("slapd does not answer");
}

void SlapdServer::stop() {
  if (!server_) return;
  server_->kill();
  server_->wait();
  server_.reset();
}

void SlapdServer::modify(const std::string& ldif) {
  write("change.ldif", ldif);
  CHECK_OK(sys::run_checked({.argv = {"/usr/bin/ldapmodify", "-x", "-H", plain_url(), "-D",
                                      "cn=manager,dc=acme,dc=example", "-w", "manager-secret", "-f",
                                      (folder_ / "change.ldif").string()},
                             .environment = {}}));
}

// SPDX-License-Identifier: Apache-2.0
// A response of an identity provider: whatever it holds beside or around the one assertion that the
// provider's key ever signed, nothing else is believed. The key itself was thrown away.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "common/base/check.h"
#include "services/security/adapters/saml/saml.h"

namespace {

constexpr std::int64_t kNow = 1'800'000'000;  // within the assertion's time
constexpr const char* kCertificate =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIDDTCCAfWgAwIBAgIUYtbb9JZI7TLIMtHcIpbUmr5/qZ8wDQYJKoZIhvcNAQEL\n"
    "BQAwFjEUMBIGA1UEAwwLaWRwLmV4YW1wbGUwHhcNMjYxMTMwMTc0MzIyWhcNNDYx\n"
    "MTI1MTc0MzIyWjAWMRQwEgYDVQQDDAtpZHAuZXhhbXBsZTCCASIwDQYJKoZIhvcN\n"
    "AQEBBQADggEPADCCAQoCggEBALurHx4AHGwUPYsV6O6FwguAL9YRgf/FfIX4myYg\n"
    "+hgF4BAUpT0VHbu+pUmuqn6QUojb8BBGr2X0Jkiufq75wTRzDWwA7n54T1tyVEml\n"
    "PpHELoxzG4UP3G+cPZ9cP/uyB3lOmeGu+orIPjnX7sOZeKn4BAkKOwKIvNeG2QET\n"
    "uuGfpE/4bw5yIlWkEcDXlPxooq9RybHs5kx3mBtZ1TAp5gsq1KdFvvBdH/yc73l7\n"
    "deOgJ16/7MnVhYbkpYQRrp82I67GrzmzrMfjwOaWQkXYEEcbqXLxpAlW8lZm9K2b\n"
    "oMjOOu5ivMfZoX2RZKyb4gcdrjtygpHFBcTkiFd7SMgleBkCAwEAAaNTMFEwHQYD\n"
    "VR0OBBYEFJhJZdUJd335KC0lctawqiFuNt4wMB8GA1UdIwQYMBaAFJhJZdUJd335\n"
    "KC0lctawqiFuNt4wMA8GA1UdEwEB/wQFMAMBAf8wDQYJKoZIhvcNAQELBQADggEB\n"
    "AHLN0yaI5zkAgK/XhM0m5t1A/dus94ammqP4qjj4/frsiWhpneFnlsSVViRc4pam\n"
    "Y4AKlk0qAGrWyA2mfivk6MFiI1bk8YhlDPSCbXHwwPVLmy7SaDEnlECz1OOFNuzc\n"
    "ksQKp87D1DGj9qfSg99zV4eiFPF7r5K5Lx+UUlk/TevIlM3dIr7BBsw0ohkejbq1\n"
    "0rPATiyrQ2/W6hwIX3yhUNckTYQn6lP0wEc4UZcf+aRrNR+9v0ztSCdMtmFrQPUO\n"
    "hDm2J/GtfWhf/uW4av3rBD6+r1Y7h5pyebdUv7QSmzZBfhUlGp1GM2lA/8JsTqT4\n"
    "09CDTATgedLiSQSYanr8Nw8=\n"
    "-----END CERTIFICATE-----\n";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static const security::SamlConfig config{"https://idp.example/meta", "https://idp.example/sso",
                                           kCertificate};
  static const security::SamlParty party{"https://sp.example/meta", "https://sp.example/acs"};
  const auto subject = security::read_saml_response(text, config, party, "_r1", kNow);
  if (!subject) return 0;
  CHECK_THAT(subject->assertion_id == "_a1" && subject->name_id == "ann");
  CHECK_THAT(subject->attributes.size() == 1 &&
             subject->attributes.at("groups") == std::vector<std::string>{"eng"});
  return 0;
}

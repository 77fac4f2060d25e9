// SPDX-License-Identifier: Apache-2.0
#include "services/framework/caller.h"

namespace services {

std::string_view credential_name(CredentialKind kind) {
  switch (kind) {
    case CredentialKind::none: return "none";
    case CredentialKind::api_key: return "api_key";
    case CredentialKind::token: return "token";
    case CredentialKind::peer: return "peer";
    case CredentialKind::internal: return "internal";
  }
  return "";
}

CallerPtr anonymous_caller() {
  static const CallerPtr kAnonymous = [] {
    Caller caller;
    caller.name = "anonymous";
    return std::make_shared<const Caller>(std::move(caller));
  }();
  return kAnonymous;
}

CallerPtr internal_caller(std::string_view service) {
  Caller caller;
  caller.name = "internal:" + std::string(service);
  caller.credential = CredentialKind::internal;
  return std::make_shared<const Caller>(std::move(caller));
}

}  // namespace services

// SPDX-License-Identifier: Apache-2.0
// What the good replies of security look like: the components of its schemas, and what rows say of
// their replies.
//
// Used by the tables of rows. The functions that render the replies are named in schemas.cc.
// Threads: any; constants.
#pragma once

#include <string_view>
#include <vector>

#include "services/framework/service.h"

namespace security {

// "#/components/schemas/Security…" for Service::schemas().
std::vector<services::Schema> reply_schemas();

// For ActionOptions::reply.
namespace reply {
#define SECURITY_ONE(WHAT) R"({"$ref":"#/components/schemas/Security)" WHAT R"("})"
#define SECURITY_LIST(WHAT) R"({"type":"array","items":)" SECURITY_ONE(WHAT) "}"
inline constexpr std::string_view kAccount = SECURITY_ONE("Account");
inline constexpr std::string_view kAccounts = SECURITY_LIST("Account");
inline constexpr std::string_view kGroup = SECURITY_ONE("Group");
inline constexpr std::string_view kGroups = SECURITY_LIST("Group");
inline constexpr std::string_view kOrg = SECURITY_ONE("Org");
inline constexpr std::string_view kOrgs = SECURITY_LIST("Org");
inline constexpr std::string_view kApp = SECURITY_ONE("App");
inline constexpr std::string_view kApps = SECURITY_LIST("App");
inline constexpr std::string_view kStore = SECURITY_ONE("AccountStore");
inline constexpr std::string_view kStores = SECURITY_LIST("AccountStore");
inline constexpr std::string_view kDirectory = SECURITY_ONE("Directory");
inline constexpr std::string_view kDirectories = SECURITY_LIST("Directory");
inline constexpr std::string_view kDirectorySync = SECURITY_ONE("DirectorySync");
inline constexpr std::string_view kRight = SECURITY_ONE("Right");
inline constexpr std::string_view kRights = SECURITY_LIST("Right");
inline constexpr std::string_view kClient = SECURITY_ONE("Client");
inline constexpr std::string_view kClients = SECURITY_LIST("Client");
inline constexpr std::string_view kNewClient = SECURITY_ONE("NewClient");
inline constexpr std::string_view kKey = SECURITY_ONE("ApiKey");
inline constexpr std::string_view kKeys = SECURITY_LIST("ApiKey");
inline constexpr std::string_view kToken = SECURITY_ONE("Token");
inline constexpr std::string_view kInspection = SECURITY_ONE("Inspection");
inline constexpr std::string_view kAuth = SECURITY_ONE("Auth");
inline constexpr std::string_view kSync = SECURITY_ONE("Sync");
inline constexpr std::string_view kUserInfo = SECURITY_ONE("UserInfo");
inline constexpr std::string_view kKeySet = SECURITY_ONE("KeySet");
inline constexpr std::string_view kDiscovery = SECURITY_ONE("Discovery");
inline constexpr std::string_view kInfo = SECURITY_ONE("Info");
inline constexpr std::string_view kDeleted = SECURITY_ONE("Deleted");
inline constexpr std::string_view kSwitched = SECURITY_ONE("Switched");
inline constexpr std::string_view kMembers = SECURITY_LIST("Link");
inline constexpr std::string_view kInitialised = SECURITY_ONE("Initialised");
// RFC 7009: nothing is told of what was shown.
inline constexpr std::string_view kNothing =
    R"({"type":"object","additionalProperties":false,"properties":{}})";
#undef SECURITY_ONE
#undef SECURITY_LIST
}  // namespace reply

}  // namespace security

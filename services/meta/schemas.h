// SPDX-License-Identifier: Apache-2.0
// What the good replies of meta look like: the components of its schemas, and what rows say of
// their replies.
//
// Used by the tables of rows. The functions that render the replies are named in schemas.cc.
// Threads: any; constants.
#pragma once

#include <string_view>
#include <vector>

#include "services/framework/service.h"

namespace services::meta {

// "#/components/schemas/Meta…" for Service::schemas().
std::vector<Schema> reply_schemas();

// For ActionOptions::reply.
namespace reply {
inline constexpr std::string_view kResource = R"({"$ref":"#/components/schemas/MetaResource"})";
// Links, or whole resources with ?expand=true.
inline constexpr std::string_view kResources =
    R"({"$ref":"#/components/schemas/MetaResourceList"})";
inline constexpr std::string_view kEntitlement =
    R"({"$ref":"#/components/schemas/MetaEntitlement"})";
inline constexpr std::string_view kEntitlements =
    R"({"$ref":"#/components/schemas/MetaEntitlementList"})";
inline constexpr std::string_view kType = R"({"$ref":"#/components/schemas/MetaResourceType"})";
inline constexpr std::string_view kTypes =
    R"({"type":"array","items":{"$ref":"#/components/schemas/MetaResourceType"}})";
inline constexpr std::string_view kTypeProperty =
    R"({"$ref":"#/components/schemas/MetaTypeProperty"})";
inline constexpr std::string_view kTypeProperties =
    R"({"type":"array","items":{"$ref":"#/components/schemas/MetaTypeProperty"}})";
inline constexpr std::string_view kActionNames = R"({"type":"array","items":{"type":"string"}})";
inline constexpr std::string_view kHistory =
    R"({"type":"array","minItems":1,"items":{"$ref":"#/components/schemas/MetaVersion"}})";
inline constexpr std::string_view kPatch =
    R"({"type":"array","items":{"$ref":"#/components/schemas/MetaPatchOperation"}})";
inline constexpr std::string_view kContext = R"({"$ref":"#/components/schemas/MetaContext"})";
inline constexpr std::string_view kEdges = R"({"$ref":"#/components/schemas/MetaEdges"})";
inline constexpr std::string_view kEnv = R"({"type":"object"})";
inline constexpr std::string_view kConfigView = R"({"$ref":"#/components/schemas/MetaConfigView"})";
inline constexpr std::string_view kConfig = R"({"$ref":"#/components/schemas/MetaConfig"})";
inline constexpr std::string_view kConfigOrView = R"({"anyOf":[
  {"$ref":"#/components/schemas/MetaConfigView"},{"$ref":"#/components/schemas/MetaConfig"}]})";
// Types that take any property, as providers do, call `config` what they like.
inline constexpr std::string_view kAnyConfig = R"({"type":"object"})";
inline constexpr std::string_view kAnyConfigOrView = R"({"anyOf":[
  {"$ref":"#/components/schemas/MetaConfigView"},{"$ref":"#/components/schemas/MetaConfig"},
  {"description":"the config of a provider, or of another type with open properties"}]})";
inline constexpr std::string_view kAbout = R"({"$ref":"#/components/schemas/MetaAbout"})";
inline constexpr std::string_view kOrgHealth = R"({"$ref":"#/components/schemas/MetaOrgHealth"})";
inline constexpr std::string_view kSyncResult = R"({"$ref":"#/components/schemas/MetaSyncResult"})";
// The task is all that the caller gets: what is done is done by a provider.
inline constexpr std::string_view kTask = R"({"$ref":"#/components/schemas/Task"})";
}  // namespace reply

}  // namespace services::meta

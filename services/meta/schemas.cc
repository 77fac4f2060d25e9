// SPDX-License-Identifier: Apache-2.0
#include "services/meta/schemas.h"

#include <iterator>

namespace services::meta {

namespace {

#define REF(WHICH) R"({"$ref":"#/components/schemas/)" WHICH R"("})"
#define ID R"({"type":"string","format":"uuid"})"
#define HREF R"({"type":"string","pattern":"^/"})"
#define TIME R"({"type":"string","format":"date-time"})"
#define NAME R"({"type":"string","minLength":1,"maxLength":255})"

// ---- resources: rendered(), link_text() and stamp() of resource.cc. What `properties` holds is
// for the resource's type to say, which may be one that a user has added.
constexpr Schema kOfResources[] = {
    {"MetaLink", R"({"type":"object","required":["href","id","typeId"],
      "additionalProperties":false,"properties":{"href":)" HREF R"(,"id":)" ID R"(,
      "name":{"type":"string","minLength":1},"typeId":)" ID R"(}})"},
    // Who and when; what no account did has the time alone.
    {"MetaStamp", R"({"oneOf":[{"type":"object","required":["timestamp"],
      "additionalProperties":false,"properties":{"timestamp":)" TIME R"(}},
      {"type":"object","required":["id","name","timestamp","typeId"],
      "additionalProperties":false,"properties":{"id":)" ID R"(,"name":{"type":"string"},
      "timestamp":)" TIME R"(,"typeId":)" ID R"(}}]})"},
    {"MetaOrg", R"({"type":"object","required":["href","id","properties","typeId"],
      "additionalProperties":false,"properties":{"href":)" HREF R"(,"id":)" ID R"(,
      "properties":{"type":"object","required":["fqon"],"additionalProperties":false,
      "properties":{"fqon":{"type":"string","minLength":1}}},"typeId":)" ID R"(}})"},
    {"MetaResource", R"({"type":"object","required":["created","id","modified","name","org",
      "properties","resource_state","resource_type"],"additionalProperties":false,"properties":{
      "created":)" REF("MetaStamp") R"(,"description":{"type":"string","minLength":1},"id":)" ID
                                    R"(,
      "modified":)" REF("MetaStamp") R"(,"name":)" NAME R"(,"org":)" REF("MetaOrg") R"(,
      "owner":)" REF("MetaLink") R"(,"properties":{"type":"object"},"resource_state":{"enum":[
      "Gestalt::Resource::State::Active","Gestalt::Resource::State::Pending",
      "Gestalt::Resource::State::Disabled","Gestalt::Resource::State::Deleted",
      "Gestalt::Resource::State::Failed","Gestalt::Resource::State::Corrupt"]},
      "resource_type":{"type":"string","minLength":1},"tags":{"type":"array","maxItems":100},
      "variables":{"type":"object"}}})"},
    {"MetaResourceList", R"({"anyOf":[{"type":"array","items":)" REF("MetaLink") R"(},
      {"type":"array","items":)" REF("MetaResource") R"(}]})"},
    // entitlement_json() of entitlement_handlers.cc.
    {"MetaEntitlement", R"({"allOf":[)" REF("MetaResource") R"(,{"type":"object","properties":{
      "resource_type":{"const":"Gestalt::Resource::Entitlement"},"properties":{"type":"object",
      "required":["action","identities","parent"],"additionalProperties":false,"properties":{
      "action":{"type":"string","minLength":1},"identities":{"type":"array",
      "items":)" REF("MetaLink") R"(},"parent":)" REF("MetaLink") R"(}}}}]})"},
    {"MetaEntitlementList", R"({"anyOf":[{"type":"array","items":)" REF("MetaLink") R"(},
      {"type":"array","items":)" REF("MetaEntitlement") R"(}]})"},
};

// ---- types: type_json() of type_handlers.cc, property_json() and type_properties() of type.cc.
#define PROPERTY_REQUIRED \
  R"("name","data_type","requirement_type","visibility_type","is_sealed","is_system")"
#define PROPERTY_FIELDS                                                                    \
  R"("name":{"type":"string","minLength":1},"data_type":{"type":"string","minLength":1},)" \
  R"("requirement_type":{"enum":["optional","required","required_wait"]},)"                \
  R"("visibility_type":{"enum":["plain","encrypted"]},"is_sealed":{"type":"boolean"},)"    \
  R"("is_system":{"type":"boolean"},"refers_to":{"type":"string","minLength":1},)"         \
  R"("on_delete":{"enum":["restrict","nullify","cascade"]},"default_value":{})"
constexpr Schema kOfTypes[] = {
    {"MetaPropertyDef", R"({"type":"object","required":[)" PROPERTY_REQUIRED R"(],
      "additionalProperties":false,"properties":{)" PROPERTY_FIELDS R"(}})"},
    {"MetaTypeProperty", R"({"type":"object","required":["id","applies_to",)" PROPERTY_REQUIRED
                         R"(],"additionalProperties":false,"properties":{"id":)" ID R"(,
      "applies_to":{"type":"string","minLength":1},)" PROPERTY_FIELDS R"(}})"},
    {"MetaResourceType", R"({"type":"object","required":["id","name","resource_type",
      "resource_state","extend","org","href","properties"],"additionalProperties":false,
      "properties":{"id":)" ID R"(,"name":)" NAME R"(,
      "resource_type":{"const":"Gestalt::Resource::ResourceType"},
      "resource_state":{"const":"Gestalt::Resource::State::Active"},"extend":{"type":"string"},
      "org":{"type":"object","required":["href","properties"],"additionalProperties":false,
      "properties":{"href":{"const":"/root"},"properties":{"type":"object","required":["fqon"],
      "additionalProperties":false,"properties":{"fqon":{"const":"root"}}}}},"href":)" HREF R"(,
      "properties":{"type":"object","required":["extend","property_defs","actions","api","lineage",
      "abstract","is_open","is_provider_backed","is_system"],"additionalProperties":false,
      "properties":{"extend":{"type":"string"},"property_defs":{"type":"array",
      "items":)" REF("MetaPropertyDef") R"(},"actions":{"type":"object",
      "required":["prefix","verbs"],"additionalProperties":false,"properties":{
      "prefix":{"type":"string"},"verbs":{"type":"array","items":{"type":"string"}}}},
      "api":{"type":"object","required":["rest_name"],"additionalProperties":false,
      "properties":{"rest_name":{"type":"string"}}},"lineage":{"type":"object",
      "required":["parent_types"],"additionalProperties":false,"properties":{
      "parent_types":{"type":"array","items":{"type":"string"}}}},"abstract":{"type":"boolean"},
      "is_open":{"type":"boolean"},"is_provider_backed":{"type":"boolean"},
      "is_system":{"type":"boolean"}}}}})"},
};
#undef PROPERTY_REQUIRED
#undef PROPERTY_FIELDS

// ---- what surrounds a resource: views.cc and json_patch.cc.
constexpr Schema kOfSurroundings[] = {
    // The first that is kept has no `by`: what ended the one before it is gone.
    {"MetaVersion", R"({"type":"object","required":["version","action","time"],
      "additionalProperties":false,"properties":{"version":{"type":"integer","minimum":1},
      "action":{"type":"string","minLength":1},"time":)" TIME R"(,"by":{"type":"object",
      "required":["id","name"],"additionalProperties":false,"properties":{
      "id":{"type":"string"},"name":{"type":"string"}}}}})"},
    {"MetaPatchOperation", R"({"oneOf":[{"type":"object","required":["op","path","value"],
      "additionalProperties":false,"properties":{"op":{"enum":["add","replace"]},
      "path":{"type":"string"},"value":{}}},{"type":"object","required":["op","path"],
      "additionalProperties":false,"properties":{"op":{"const":"remove"},
      "path":{"type":"string"}}}]})"},
    // `path` leads from the root to the resource itself.
    {"MetaContext", R"({"type":"object","required":["organization","path"],
      "additionalProperties":false,"properties":{"organization":)" REF("MetaLink") R"(,
      "workspace":)" REF("MetaLink") R"(,"environment":)" REF("MetaLink") R"(,
      "path":{"type":"array","minItems":1,"items":)" REF("MetaLink") R"(}}})"},
    {"MetaEdge", R"({"type":"object","required":["property","from","depth","resource"],
      "additionalProperties":false,"properties":{"property":{"type":"string","minLength":1},
      "from":)" ID R"(,"depth":{"type":"integer","minimum":1,"maximum":10},
      "resource":)" REF("MetaLink") R"(}})"},
    {"MetaEdges", R"({"type":"object","required":["in","out"],"additionalProperties":false,
      "properties":{"in":{"type":"array","items":)" REF("MetaEdge") R"(},
      "out":{"type":"array","items":)" REF("MetaEdge") R"(}}})"},
};

// ---- configuration: read_entry() and view_json() of config/lattice.cc. A field that is null is
// one that is not there.
constexpr Schema kOfConfig[] = {
    {"MetaConfigEntry", R"({"type":"object","additionalProperties":false,"properties":{
      "mode":{"enum":["set","append","merge","unset",null]},"final":{"type":["boolean","null"]},
      "required":{"enum":["wait","fail","",null]},"value":{},"when":{"type":["object","null"],
      "additionalProperties":false,"properties":{"env_type":{"type":["string","null"]},
      "location":{"type":["string","null"]},"label":{"type":["string","null"]}}}}})"},
    // What is said at one place, by key; entries of one key differ in `when`.
    {"MetaConfig", R"({"type":"object","additionalProperties":{"anyOf":[
      )" REF("MetaConfigEntry") R"(,{"type":"array","items":)" REF("MetaConfigEntry") R"(}]}})"},
    // What is in force; `chain` is for who asks with ?explain=true.
    {"MetaConfigView", R"({"type":"object","required":["hash","values"],
      "additionalProperties":false,"properties":{"hash":{"type":"string",
      "pattern":"^[0-9a-f]{16}$"},"values":{"type":"object"},"missing":{"type":"array",
      "minItems":1,"items":{"type":"string"}},"chain":{"type":"object","additionalProperties":{
      "type":"array","minItems":1,"items":{"type":"object","required":["at","mode"],
      "additionalProperties":false,"properties":{"at":)" HREF R"(,
      "mode":{"enum":["set","append","merge","unset"]},"value":{},"final":{"const":true},
      "when":{"type":"string"},"ignored":{"const":"final above"}}}}}}})"},
};

// ---- what is sent: plan_invocation() of action_handlers.cc.
constexpr Schema kOfMessages[] = {
    {"MetaGenericActionInvocation",
     R"({"type":"object","required":["action","metaAddress","context",
      "provider","resource","actionPayload","requestUrl","queryParams"],
      "additionalProperties":false,"properties":{
      "action":{"type":"string","pattern":"^[^.]+[.][A-Za-z0-9_-]+$"},
      "metaAddress":{"type":"string","minLength":1},"context":{"type":"object","required":["org"],
      "additionalProperties":false,"properties":{"org":)" REF("MetaResource") R"(,
      "workspace":)" REF("MetaResource") R"(,"environment":)" REF("MetaResource") R"(}},
      "provider":)" REF("MetaResource") R"(,"resource":)" REF("MetaResource") R"(,
      "actionPayload":{"description":"the body of the call, null without one"},
      "requestUrl":{"type":"string","minLength":1},"queryParams":{"type":"object",
      "required":["action"],"additionalProperties":{"type":"string"}}}})"},
};

// ---- the service itself: special_handlers.cc.
#define HOSTED                                                              \
  R"({"type":"object","required":["hosted"],"additionalProperties":false,)" \
  R"("properties":{"hosted":{"type":"boolean"}}})"
constexpr Schema kOfService[] = {
    {"MetaAbout", R"({"type":"object","required":["status","url","time","build_info","services"],
      "additionalProperties":false,"properties":{"status":{"const":"OK"},"url":{"type":"string"},
      "time":)" TIME R"(,"build_info":{"type":"object","required":["name","version"],
      "additionalProperties":false,"properties":{"name":{"const":"gestalt-meta"},
      "version":{"type":"string","minLength":1}}},"services":{"type":"object",
      "required":["security","event","task","launcher","change","lambda"],
      "additionalProperties":)" HOSTED R"(}}})"},
    {"MetaOrgHealth", R"({"type":"object","required":["status","org","users","meta"],
      "additionalProperties":false,"properties":{"status":{"const":"healthy"},
      "org":{"type":"string","minLength":1},"users":{"type":"integer","minimum":0},
      "meta":{"type":"object","required":["status"],"additionalProperties":false,
      "properties":{"status":{"const":"ok"}}}}})"},
    {"MetaSyncResult", R"({"type":"object","required":["created","updated","deleted"],
      "additionalProperties":false,"properties":{"created":{"type":"integer","minimum":0},
      "updated":{"type":"integer","minimum":0},"deleted":{"type":"integer","minimum":0}}})"},
};
#undef HOSTED

}  // namespace

std::vector<Schema> reply_schemas() {
  std::vector<Schema> all;
  all.insert(all.end(), std::begin(kOfResources), std::end(kOfResources));
  all.insert(all.end(), std::begin(kOfTypes), std::end(kOfTypes));
  all.insert(all.end(), std::begin(kOfSurroundings), std::end(kOfSurroundings));
  all.insert(all.end(), std::begin(kOfConfig), std::end(kOfConfig));
  all.insert(all.end(), std::begin(kOfMessages), std::end(kOfMessages));
  all.insert(all.end(), std::begin(kOfService), std::end(kOfService));
  return all;
}

#undef REF
#undef ID
#undef HREF
#undef TIME
#undef NAME

}  // namespace services::meta

// SPDX-License-Identifier: Apache-2.0
#include "services/change/schemas.h"

#include <iterator>

namespace services::change {

namespace {

#define ID R"({"type":"string","format":"uuid"})"
#define TEXT R"({"type":"string"})"
#define TEXTS R"({"type":"array","items":{"type":"string"}})"
#define TIME R"({"type":"string","format":"date-time"})"
#define MAYBE_TIME R"({"anyOf":[{"type":"string","format":"date-time"},{"type":"null"}]})"
#define COUNT R"({"type":"integer","minimum":0})"

constexpr Schema kSchemas[] = {
    // show_change() of records.cc. The payload, and what amendments made of it, are with the whole
    // change only.
    {"Change", R"({"type":"object","required":["id","href","status","statusText","reason",
      "providerId","adapter","taskUUID","action","org","requester","quorum","approvals",
      "approverGroups","dependencies","schedule","deadline","overridesFreeze","payloadHash",
      "created","modified"],"additionalProperties":false,"properties":{"id":)" ID R"(,
      "href":{"type":"string"},"status":{"enum":["pending","approved","applying","completed",
      "failed","rejected","cancelled","expired"]},"statusText":)" TEXT R"(,"reason":)" TEXT R"(,
      "providerId":)" TEXT R"(,"adapter":)" TEXT R"(,"taskUUID":)" TEXT R"(,"action":)" TEXT R"(,
      "org":{"type":"object","required":["id","fqon"],"additionalProperties":false,"properties":{
      "id":)" TEXT R"(,"fqon":)" TEXT R"(}},"requester":{"type":"object","required":["id","name"],
      "additionalProperties":false,"properties":{"id":)" TEXT R"(,"name":)" TEXT R"(}},
      "quorum":)" COUNT R"(,"approvals":{"type":"array","items":{"type":"object",
      "required":["account_id","account_name","time","payload_hash","comment"],
      "additionalProperties":false,"properties":{"account_id":)" TEXT R"(,
      "account_name":)" TEXT R"(,"time":)" TIME R"(,"payload_hash":)" TEXT R"(,
      "comment":)" TEXT R"(}}},"approverGroups":)" TEXTS R"(,"dependencies":)" TEXTS R"(,
      "schedule":)" MAYBE_TIME R"(,"deadline":)" MAYBE_TIME R"(,
      "overridesFreeze":{"type":"boolean"},"payloadHash":{"type":"string","pattern":"^[0-9a-f]*$"},
      "created":)" TIME R"(,"modified":)" TIME R"(,"outStateName":)" TEXT R"(,
      "external":{"type":"object","required":["id","state"],"additionalProperties":false,
      "properties":{"id":)" TEXT R"(,"state":)" TEXT R"(}},"result":{"type":"object",
      "required":["status","message","link"],"additionalProperties":false,"properties":{
      "status":)" COUNT R"(,"message":)" TEXT R"(,"link":)" TEXT R"(}},"payload":{},
      "amendments":{"type":"array","items":{"$ref":"#/components/schemas/ChangeAmendment"}}}})"},
    // An operation of a JSON patch (RFC 6902).
    {"ChangeAmendment", R"({"type":"object","required":["op","path"],
      "additionalProperties":false,"properties":{"op":{"enum":["add","remove","replace"]},
      "path":)" TEXT R"(,"value":{}}})"},
    {"ChangeDiff", R"({"type":"object","required":["payloadHash","amendedBy","amendments"],
      "additionalProperties":false,"properties":{"payloadHash":)" TEXT R"(,
      "amendedBy":)" TEXTS R"(,"amendments":{"type":"array",
      "items":{"$ref":"#/components/schemas/ChangeAmendment"}}}})"},
    {"ChangeHandler", R"({"type":"object","required":["id","name","org_id","adapter",
      "match_actions","quorum","approver_groups","needs_reason","deadline_seconds","created"],
      "additionalProperties":false,"properties":{"id":)" ID R"(,"name":)" TEXT R"(,
      "org_id":)" TEXT R"(,"adapter":)" TEXT R"(,"match_actions":)" TEXTS R"(,"quorum":)" COUNT R"(,
      "approver_groups":)" TEXTS R"(,"needs_reason":{"type":"boolean"},
      "deadline_seconds":)" COUNT R"(,"created":)" TIME R"(}})"},
    // Once, or by the week.
    {"ChangeFreeze", R"({"type":"object","required":["id","name","org_id","match_actions"],
      "additionalProperties":false,"properties":{"id":)" ID R"(,"name":)" TEXT R"(,
      "org_id":)" TEXT R"(,"match_actions":{"type":"array","minItems":1,
      "items":{"type":"string"}},"from":)" TIME R"(,"until":)" TIME R"(,
      "time_zone":{"type":"string","minLength":1},"weekly":{"type":"array","minItems":1,
      "items":{"type":"object","required":["days","from","until"],"additionalProperties":false,
      "properties":{"days":{"type":"array","minItems":1,"items":{"enum":["mon","tue","wed","thu",
      "fri","sat","sun"]}},"from":{"type":"string","pattern":"^[0-9][0-9]:[0-9][0-9]$"},
      "until":{"type":"string","pattern":"^[0-9][0-9]:[0-9][0-9]$"}}}}}})"},
};

}  // namespace

std::vector<Schema> reply_schemas() { return {std::begin(kSchemas), std::end(kSchemas)}; }

}  // namespace services::change

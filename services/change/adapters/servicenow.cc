// SPDX-License-Identifier: Apache-2.0
// ServiceNow: a held change is a normal change request there, and is approved there.
//
// Found by correlation_id (our id); correlation_display holds the hash of the payload that is to be
// approved. States of its default model: -5 new, -4 assess, -3 authorize, -2 scheduled, -1
// implement, 0 review, 3 closed, 4 canceled; each goes to the next, open ones to 4 or back to -5.
// Source: Change Management API (sn_chg_rest), Table API (now/table), product documentation.
#include "services/change/adapters/servicenow.h"

#include <array>
#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "services/change/adapters/foreign.h"

namespace services::change {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

constexpr int kNew = -5;
constexpr int kAssess = -4;
constexpr int kScheduled = -2;
constexpr int kClosed = 3;
constexpr int kCanceled = 4;
constexpr std::array<int, 6> kForward{-5, -4, -3, -2, -1, 0};
const std::string_view kFields =
    "sys_id,number,state,approval,short_description,correlation_id,correlation_display";

// Values come plain, or as {"value", "display_value"} from the change API.
std::string text_of(const Json& record, const char* name) {
  const auto found = record.find(name);
  if (found == record.end()) return "";
  if (found->is_object()) return found->value("value", "");
  return found->is_string() ? found->get<std::string>() : base::dump_json(*found);
}

class ServiceNow final : public Adapter {
 public:
  ServiceNow(Place place, sys::HttpClient& http) : caller_(std::move(place), http) {}
  std::string_view name() const override { return "servicenow"; }
  Abilities abilities() const override { return kCanUpdate; }
  Result<void> validate(const Json& desired) const override { return check_desired(desired); }

  Result<Json> probe() override {
    TRY(call("GET", "/api/now/table/change_request?sysparm_limit=1&sysparm_fields=sys_id", {}));
    return Json{{"product", "ServiceNow"}, {"version", "table API"}};
  }

  Result<std::optional<Json>> observe(const std::string& id) override {
    const Json reply = TRY(call("GET",
                                "/api/now/table/change_request?sysparm_limit=2&sysparm_fields=" +
                                    base::percent_encode(kFields) + "&sysparm_query=" +
                                    base::percent_encode("correlation_id=" + id),
                                {}));
    const auto list = reply.find("result");
    if (list == reply.end() || !list->is_array())
      return Error{Code::corrupt, "a list of change requests was expected",
                   "adapter_reply_invalid"};
    if (list->empty()) return std::optional<Json>();
    const Json& record = list->front();
    Json observed = {{"external_id", text_of(record, "number")},
                     {"sys_id", text_of(record, "sys_id")},
                     {"external_state", text_of(record, "state")},
                     {"approval", text_of(record, "approval")},
                     {"summary", text_of(record, "short_description")},
                     {"payload_hash", text_of(record, "correlation_display")}};
    const std::string approval = observed["approval"];
    if (approval == "approved" || approval == "rejected")
      observed["approver"] = TRY(approver_of(observed["sys_id"], approval));
    return std::optional(observed);
  }

  Result<std::vector<AdapterStep>> plan(const std::string& id, const Json& desired,
                                        const std::optional<Json>& observed) const override {
    std::vector<AdapterStep> steps;
    if (desired.is_null())
      return observed
                 ? Result<std::vector<AdapterStep>>(Error{
                       Code::unsupported, "change requests are never removed", "ability_missing"})
                 : steps;
    const Course course = course_of(desired);
    if (!observed) {
      if (course == Course::open)
        steps.push_back({"create", id, base::dump_json(create(id, desired))});
      return steps;
    }
    const std::string sys_id = observed->value("sys_id", "");
    const int state = base::parse_int(observed->value("external_state", ""), -100, 100).value_or(0);
    const auto move = [&](int to, Json more = Json::object()) {
      more["state"] = std::to_string(to);
      steps.push_back({"move", id, base::dump_json({{"sys_id", sys_id}, {"fields", more}})});
    };
    if (state == kClosed || state == kCanceled) return steps;
    if (course == Course::withdrawn) {
      move(kCanceled, {{"close_notes", desired.value("status_text", "")}});
    } else if (course == Course::open) {
      const bool differs = observed->value("payload_hash", "") != desired.value("payload_hash", "");
      if (differs && state != kNew) move(kNew);
      if (differs) steps.push_back({"describe", id, describe(sys_id, desired)});
      if (differs || state == kNew) move(kAssess);
    } else {
      for (const int next : kForward)
        if (next > state && next > kScheduled) move(next);
      move(kClosed, {{"close_code", course == Course::succeeded ? "successful" : "unsuccessful"},
                     {"close_notes", desired.value("status_text", "")}});
    }
    return steps;
  }

  Result<void> apply(const AdapterStep& step) override {
    const Json body = TRY(base::parse_json(step.body));
    if (step.verb == "create") {
      // The reply to an earlier attempt may have been lost.
      const auto there = TRY(observe(step.id));
      std::string sys_id = there ? there->value("sys_id", "") : "";
      if (!there) {
        const Json made = TRY(call("POST", "/api/sn_chg_rest/change/normal", body));
        sys_id = text_of(made.value("result", Json::object()), "sys_id");
      }
      return patch(sys_id, {{"state", std::to_string(kAssess)}});
    }
    return patch(body.value("sys_id", ""), body.value("fields", Json::object()));
  }

 private:
  static Json create(const std::string& id, const Json& desired) {
    return {{"short_description", desired.value("summary", "")},
            {"description", desired.value("reason", "")},
            {"justification", "requested by " + desired.value("requester", "")},
            {"correlation_id", id},
            {"correlation_display", desired.value("payload_hash", "")}};
  }
  static std::string describe(const std::string& sys_id, const Json& desired) {
    return base::dump_json({{"sys_id", sys_id},
                            {"fields",
                             {{"short_description", desired.value("summary", "")},
                              {"description", desired.value("reason", "")},
                              {"correlation_display", desired.value("payload_hash", "")}}}});
  }
  Result<void> patch(const std::string& sys_id, const Json& fields) {
    TRY(call("PATCH", "/api/now/table/change_request/" + base::percent_encode(sys_id), fields));
    return {};
  }
  Result<std::string> approver_of(const std::string& sys_id, const std::string& state) {
    const std::string query = "sysapproval=" + sys_id + "^state=" + state;
    const Json reply =
        TRY(call("GET",
                 "/api/now/table/sysapproval_approver?sysparm_limit=1"
                 "&sysparm_fields=approver&sysparm_display_value=true&sysparm_query=" +
                     base::percent_encode(query),
                 {}));
    const Json list = reply.value("result", Json::array());
    if (!list.is_array() || list.empty()) return std::string("unknown");
    const auto approver = list.front().find("approver");
    if (approver == list.front().end()) return std::string("unknown");
    return approver->is_object() ? approver->value("display_value", "unknown")
                                 : text_of(list.front(), "approver");
  }
  Result<Json> call(const std::string& method, const std::string& path, const Json& body) {
    return caller_.call(method, path, body, {{"Authorization", caller_.basic()}});
  }

  ForeignCaller caller_;
};

Result<std::unique_ptr<Adapter>> make_servicenow(const Json& settings, const AdapterParts& parts) {
  Place place = TRY(read_place(settings));
  return std::unique_ptr<Adapter>(std::make_unique<ServiceNow>(std::move(place), parts.http));
}

}  // namespace

void add_servicenow(AdapterRegistry& registry) {
  registry.add("change", "servicenow", make_servicenow);
}

}  // namespace services::change

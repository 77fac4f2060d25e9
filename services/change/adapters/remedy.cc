// SPDX-License-Identifier: Apache-2.0
// BMC Remedy (Helix ITSM): a held change is an infrastructure change there, and is approved there.
//
// Logs in for each call's token, creates through CHG:ChangeInterface_Create, reads and moves on
// through CHG:ChangeInterface. Found by "Vendor Ticket Number" (our id); "Detailed Description"
// ends in the hash of the payload that is to be approved.
// Source: AR System REST API (jwt/login, arsys/v1/entry), product documentation.
#include "services/change/adapters/remedy.h"

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "services/change/adapters/foreign.h"

namespace services::change {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

constexpr std::string_view kHashMark = "payload sha256:";
constexpr std::string_view kAsk = "Request For Authorization";

bool is_approved(std::string_view status) {
  return status == "Scheduled" || status == "Implementation In Progress";
}
bool is_over(std::string_view status) {
  return status == "Completed" || status == "Closed" || status == "Cancelled" ||
         status == "Rejected";
}

std::string describe(const Json& desired) {
  return desired.value("reason", "") + "\n" + std::string(kHashMark) +
         desired.value("payload_hash", "");
}

std::string hash_in(const std::string& description) {
  const std::size_t mark = description.rfind(kHashMark);
  return mark == std::string::npos ? "" : description.substr(mark + kHashMark.size());
}

class Remedy final : public Adapter {
 public:
  Remedy(Place place, sys::HttpClient& http) : caller_(std::move(place), http) {}
  std::string_view name() const override { return "remedy"; }
  Abilities abilities() const override { return kCanUpdate; }
  Result<void> validate(const Json& desired) const override { return check_desired(desired); }

  Result<Json> probe() override {
    TRY(call("GET", "/api/arsys/v1/entry/CHG:ChangeInterface?limit=1", {}));
    return Json{{"product", "Remedy"}, {"version", "arsys/v1"}};
  }

  Result<std::optional<Json>> observe(const std::string& id) override {
    const std::string query = "'Vendor Ticket Number'=\"" + id + "\"";
    const Json reply = TRY(call(
        "GET", "/api/arsys/v1/entry/CHG:ChangeInterface?limit=2&q=" + base::percent_encode(query),
        {}));
    const auto entries = reply.find("entries");
    if (entries == reply.end() || !entries->is_array())
      return Error{Code::corrupt, "a list of entries was expected", "adapter_reply_invalid"};
    if (entries->empty()) return std::optional<Json>();
    const Json values = entries->front().value("values", Json::object());
    const std::string status = values.value("Change Request Status", "");
    Json observed = {{"external_id", values.value("Infrastructure Change ID", "")},
                     {"request_id", values.value("Request ID", "")},
                     {"external_state", status},
                     {"summary", values.value("Description", "")},
                     {"payload_hash", hash_in(values.value("Detailed Description", ""))},
                     {"approver", values.value("Last Modified By", "unknown")},
                     {"approval", "requested"}};
    if (is_approved(status)) observed["approval"] = "approved";
    if (status == "Rejected") observed["approval"] = "rejected";
    return std::optional(observed);
  }

  Result<std::vector<AdapterStep>> plan(const std::string& id, const Json& desired,
                                        const std::optional<Json>& observed) const override {
    std::vector<AdapterStep> steps;
    if (desired.is_null())
      return observed ? Result<std::vector<AdapterStep>>(Error{
                            Code::unsupported, "changes are never removed", "ability_missing"})
                      : steps;
    const Course course = course_of(desired);
    if (!observed) {
      if (course == Course::open)
        steps.push_back({"create", id, base::dump_json(create(id, desired))});
      return steps;
    }
    const std::string status = observed->value("external_state", "");
    if (is_over(status)) return steps;
    const auto move = [&](Json values) {
      steps.push_back({"move", id,
                       base::dump_json({{"request_id", observed->value("request_id", "")},
                                        {"values", std::move(values)}})});
    };
    const bool differs = observed->value("payload_hash", "") != desired.value("payload_hash", "");
    if (course == Course::withdrawn) {
      move({{"Change Request Status", "Cancelled"}, {"Status Reason", "No Longer Required"}});
    } else if (course == Course::open) {
      if (differs)
        move({{"Change Request Status", kAsk}, {"Detailed Description", describe(desired)}});
    } else {
      if (status != "Implementation In Progress")
        move({{"Change Request Status", "Implementation In Progress"}});
      move({{"Change Request Status", "Completed"},
            {"Status Reason", course == Course::succeeded ? "Successful" : "Unsuccessful"}});
    }
    return steps;
  }

  Result<void> apply(const AdapterStep& step) override {
    const Json body = TRY(base::parse_json(step.body));
    if (step.verb == "create") {
      // The reply to an earlier attempt may have been lost.
      if (TRY(observe(step.id))) return {};
      TRY(call("POST", "/api/arsys/v1/entry/CHG:ChangeInterface_Create", {{"values", body}}));
      return {};
    }
    const std::string entry = base::percent_encode(body.value("request_id", ""));
    TRY(call("PUT", "/api/arsys/v1/entry/CHG:ChangeInterface/" + entry,
             {{"values", body.value("values", Json::object())}}));
    return {};
  }

 private:
  static Json create(const std::string& id, const Json& desired) {
    return {{"z1D_Action", "CREATE"},
            {"Description", desired.value("summary", "")},
            {"Detailed Description", describe(desired)},
            {"Vendor Ticket Number", id},
            {"Change Type", "Change"},
            {"Change Request Status", kAsk},
            {"Impact", "4-Minor/Localized"},
            {"Urgency", "4-Low"},
            {"Risk Level", "Risk Level 1"}};
  }
  Result<Json> call(const std::string& method, const std::string& path, const Json& body) {
    const Place& place = caller_.place();
    const sys::HttpReply login =
        TRY(caller_.send("POST", "/api/jwt/login",
                         "username=" + base::percent_encode(place.user) +
                             "&password=" + base::percent_encode(place.password.reveal()),
                         {{"Content-Type", "application/x-www-form-urlencoded"}}));
    TRY(check_adapter_status(login, "POST /api/jwt/login"));
    const std::map<std::string, std::string> token{{"Authorization", "AR-JWT " + login.body}};
    auto reply = caller_.call(method, path, body, token);
    // Its licences are counted by open logins. A logout that fails ends with the token's time.
    (void)caller_.send("POST", "/api/jwt/logout", "", token);
    return reply;
  }

  ForeignCaller caller_;
};

Result<std::unique_ptr<Adapter>> make(const Json& settings, const AdapterParts& parts) {
  Place place = TRY(read_place(settings));
  return std::unique_ptr<Adapter>(std::make_unique<Remedy>(std::move(place), parts.http));
}

}  // namespace

void add_remedy(AdapterRegistry& registry) { registry.add("change", "remedy", make); }

}  // namespace services::change

// SPDX-License-Identifier: Apache-2.0
// ServiceNow and Remedy against the adapters' contract. Both are fakes: the products cannot be had.
// Each checks credentials, media types, paths, fields and the order of states as the product's
// documentation has them, and refuses everything else.
#include <algorithm>
#include <array>
#include <fstream>
#include <map>

#include "common/base/text.h"
#include "services/change/adapters/foreign.h"
#include "services/change/adapters/remedy.h"
#include "services/change/adapters/servicenow.h"
#include "tests/contract/adapter_suite.h"
#include "tests/support/http/fake_http.h"
#include "tests/support/temp_folder.h"

using base::Json;
using base::Result;
using rest::Method;
using rest::Request;
using rest::Response;

namespace {

// Made for each run.
const std::string kPassword = base::system_rng().token(12);

class Rig : public contract::AdapterRig {
 public:
  explicit Rig(std::string kind)
      : fake_(kind, [this](const Request& request) { return answer(request); }) {
    services::AdapterRegistry registry;
    services::change::add_servicenow(registry);
    services::change::add_remedy(registry);
    std::ofstream(folder_ / "password") << kPassword << "\n";
    const Json settings = {{"url", fake_.url() + "/"},
                           {"user", "gestalt"},
                           {"password_file", (folder_ / "password").string()}};
    adapter_ = UNWRAP(
        registry.make("change", kind, settings, {base::system_clock(), base::system_rng(), http_}));
  }
  services::Adapter& adapter() override { return *adapter_; }
  Json desired() const override {
    return {{"summary", "environment.create in acme"},
            {"reason", "because"},
            {"payload_hash", "h1"},
            {"requester", "alice"},
            {"state", "pending"},
            {"status_text", ""}};
  }
  Json other() const override {
    Json changed = desired();
    changed["payload_hash"] = "h2";
    return changed;
  }
  std::pair<Json, std::string> invalid() const override {
    Json wrong = desired();
    wrong["summary"] = 7;
    return {wrong, "/summary"};
  }
  void set_away(bool away) override { fake_.set_away(away); }
  std::vector<std::string> complaints() const override { return fake_.complaints(); }
  virtual void decide(const std::string& id, bool approved) = 0;
  virtual std::string state(const std::string& id) = 0;

 protected:
  virtual Result<Response> answer(const Request& request) = 0;
  static std::string query(const Request& request, const char* name) {
    return request.find_query(name).value_or("");
  }

  std::mutex mutex_;
  TempFolder folder_;
  sys::HttpClient http_;
  FakeHttp fake_;
  std::unique_ptr<services::Adapter> adapter_;
};

class FakeServiceNow final : public Rig {
 public:
  FakeServiceNow() : Rig("servicenow") {}
  std::size_t count(const std::string& id) override {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(
        std::count_if(records_.begin(), records_.end(),
                      [&id](const auto& each) { return each.second["correlation_id"] == id; }));
  }
  void decide(const std::string& id, bool approved) override {
    const std::lock_guard lock(mutex_);
    for (auto& [key, record] : records_) {
      if (record["correlation_id"] != id) continue;
      record["approval"] = approved ? "approved" : "rejected";
      record["state"] = approved ? "-2" : "-5";
    }
  }
  std::string state(const std::string& id) override {
    const std::lock_guard lock(mutex_);
    for (auto& [key, record] : records_)
      if (record["correlation_id"] == id) return record["state"];
    return "";
  }

 private:
  Result<Response> answer(const Request& request) override {
    const std::lock_guard lock(mutex_);
    const auto header = request.find_header("authorization").value_or("");
    if (!header.starts_with("Basic ") ||
        base::from_base64(header.substr(6)).value_or("") != "gestalt:" + kPassword)
      return fake_.complain("wrong credentials");
    if (request.find_header("accept").value_or("") != "application/json")
      return fake_.complain("no Accept");
    if (request.method != Method::get &&
        request.find_header("content-type").value_or("") != "application/json")
      return fake_.complain("no Content-Type");
    if (request.path == "/api/now/table/change_request" && request.method == Method::get)
      return list(request);
    if (request.path == "/api/now/table/sysapproval_approver" && request.method == Method::get)
      return Response::json(
          {{"result", {{{"approver", {{"display_value", "Change Manager"}, {"link", "x"}}}}}}});
    if (request.path == "/api/sn_chg_rest/change/normal" && request.method == Method::post)
      return create(request);
    constexpr std::string_view kTable = "/api/now/table/change_request/";
    if (request.path.starts_with(kTable) && request.method == Method::patch)
      return patch(request, request.path.substr(kTable.size()));
    return fake_.complain("no such call: " + request.path);
  }
  Result<Response> list(const Request& request) {
    const std::string wanted = query(request, "sysparm_query");
    if (query(request, "sysparm_limit").empty()) return fake_.complain("a list without a limit");
    Json result = Json::array();
    for (const auto& [key, record] : records_)
      if (wanted.empty() ||
          wanted == "correlation_id=" + record["correlation_id"].get<std::string>())
        result.push_back(record);
    return Response::json({{"result", result}});
  }
  Result<Response> create(const Request& request) {
    Json record = TRY(request.json());
    for (const char* name : {"short_description", "correlation_id", "correlation_display"})
      if (!record.contains(name) || !record[name].is_string())
        return fake_.complain(std::string("no ") + name);
    const std::string key = "sys" + std::to_string(records_.size());
    record["sys_id"] = key;
    record["number"] = "CHG003" + std::to_string(records_.size());
    record["state"] = "-5";
    record["approval"] = "not requested";
    records_[key] = record;
    return Response::json({{"result", {{"sys_id", {{"value", key}, {"display_value", key}}}}}});
  }
  Result<Response> patch(const Request& request, const std::string& key) {
    if (!records_.contains(key)) return fake_.complain("no such record: " + key);
    const Json fields = TRY(request.json());
    Json& record = records_[key];
    if (fields.contains("state")) {
      const int from = std::stoi(record["state"].get<std::string>());
      const int to = std::stoi(fields["state"].get<std::string>());
      // The model's arrows; 4 and -5 from every open state, none from 3 and 4.
      static const std::map<int, int> next{{-5, -4}, {-4, -3}, {-3, -2}, {-2, -1}, {-1, 0}, {0, 3}};
      const bool is_open = next.contains(from);
      const bool is_forward = is_open && next.at(from) == to;
      if (from != to && !is_forward && !(is_open && (to == 4 || to == -5)))
        return fake_.complain("state " + std::to_string(from) + " to " + std::to_string(to));
      if (to == -1 && record["approval"] != "approved")
        return fake_.complain("implemented without approval");
      if (to == 3 && !fields.contains("close_code")) return fake_.complain("no close_code");
      if (to == -4) record["approval"] = "requested";
    }
    record.update(fields);
    return Response::json({{"result", record}});
  }
  std::map<std::string, Json> records_;
};

class FakeRemedy final : public Rig {
 public:
  FakeRemedy() : Rig("remedy") {}
  std::size_t count(const std::string& id) override {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(
        std::count_if(entries_.begin(), entries_.end(),
                      [&id](const Json& each) { return each["Vendor Ticket Number"] == id; }));
  }
  void decide(const std::string& id, bool approved) override {
    const std::lock_guard lock(mutex_);
    for (Json& entry : entries_) {
      if (entry["Vendor Ticket Number"] != id) continue;
      entry["Change Request Status"] = approved ? "Scheduled" : "Rejected";
      entry["Last Modified By"] = "change.manager";
    }
  }
  std::string state(const std::string& id) override {
    const std::lock_guard lock(mutex_);
    for (Json& entry : entries_)
      if (entry["Vendor Ticket Number"] == id) return entry["Change Request Status"];
    return "";
  }

 private:
  Result<Response> answer(const Request& request) override {
    const std::lock_guard lock(mutex_);
    if (request.path == "/api/jwt/login") {
      if (request.find_header("content-type").value_or("") != "application/x-www-form-urlencoded" ||
          request.body != "username=gestalt&password=" + base::percent_encode(kPassword))
        return fake_.complain("wrong login: " + request.body);
      token_ = "token" + std::to_string(++logins_);
      return Response::text(token_);
    }
    if (request.find_header("authorization").value_or("") != "AR-JWT " + token_)
      return fake_.complain("wrong token");
    if (request.path == "/api/jwt/logout") {
      token_ = "none";
      return Response::no_content();
    }
    constexpr std::string_view kForm = "/api/arsys/v1/entry/CHG:ChangeInterface";
    if (request.path == kForm && request.method == Method::get) return list(request);
    if (request.path == std::string(kForm) + "_Create" && request.method == Method::post)
      return create(request);
    if (request.path.starts_with(std::string(kForm) + "/") && request.method == Method::put)
      return put(request, request.path.substr(kForm.size() + 1));
    return fake_.complain("no such call: " + request.path);
  }
  Result<Response> list(const Request& request) {
    const std::string wanted = query(request, "q");
    Json entries = Json::array();
    for (const Json& entry : entries_)
      if (wanted.empty() || wanted == "'Vendor Ticket Number'=\"" +
                                          entry["Vendor Ticket Number"].get<std::string>() + "\"")
        entries.push_back({{"values", entry}});
    return Response::json({{"entries", entries}});
  }
  Result<Response> create(const Request& request) {
    const Json body = TRY(request.json());
    Json entry = body.value("values", Json::object());
    if (entry.value("z1D_Action", "") != "CREATE") return fake_.complain("no z1D_Action");
    for (const char* name : {"Description", "Vendor Ticket Number", "Impact", "Urgency",
                             "Risk Level", "Change Request Status"})
      if (!entry.contains(name)) return fake_.complain(std::string("no ") + name);
    entry["Request ID"] = "R|" + std::to_string(entries_.size());
    entry["Infrastructure Change ID"] = "CRQ" + std::to_string(entries_.size());
    entries_.push_back(entry);
    return Response::created("/api/arsys/v1/entry/CHG:ChangeInterface_Create/1", Json::object());
  }
  Result<Response> put(const Request& request, const std::string& id) {
    const Json body = TRY(request.json());
    for (Json& entry : entries_) {
      if (entry["Request ID"] != id) continue;
      const std::string from = entry["Change Request Status"];
      const Json values = body.value("values", Json::object());
      const std::string to = values.value("Change Request Status", from);
      if (from == "Completed" || from == "Cancelled" || from == "Rejected")
        return fake_.complain("it has ended: " + from);
      if (to == "Implementation In Progress" && from != "Scheduled")
        return fake_.complain("implemented without approval");
      if (to == "Completed" && from != "Implementation In Progress")
        return fake_.complain("completed before it was implemented");
      if ((to == "Completed" || to == "Cancelled") && !values.contains("Status Reason"))
        return fake_.complain("no Status Reason");
      entry.update(values);
      return Response::no_content();
    }
    return fake_.complain("no such entry: " + id);
  }
  std::vector<Json> entries_;
  std::string token_ = "none";
  int logins_ = 0;
};

// From the request for approval to the end, as ChangeService::consult() does it.
void follow(Rig& rig, const char* outcome, const std::string& last) {
  const std::string id = "c1";
  Json desired = rig.desired();
  CHECK_OK(services::reconcile(rig.adapter(), id, desired));
  STRCMP_EQUAL("requested", UNWRAP(rig.adapter().observe(id))->value("approval", "").c_str());
  rig.decide(id, true);
  const auto observed = UNWRAP(rig.adapter().observe(id));
  STRCMP_EQUAL("approved", observed->value("approval", "").c_str());
  STRCMP_EQUAL("h1", observed->value("payload_hash", "").c_str());
  CHECK_TRUE(observed->value("approver", "").find("anager") != std::string::npos);
  desired["state"] = outcome;
  CHECK_OK(services::reconcile(rig.adapter(), id, desired));
  STRCMP_EQUAL(last.c_str(), rig.state(id).c_str());
  LONGS_EQUAL(0, UNWRAP(services::reconcile(rig.adapter(), id, desired)));
  CHECK_TRUE(rig.complaints().empty());
}

}  // namespace

TEST_GROUP(ServiceNow) { FakeServiceNow engine; };
ADAPTER_CONTRACT_TESTS(ServiceNow, CONTRACT_TEST)

TEST(ServiceNow, a_change_is_followed_to_each_end) {
  follow(engine, "completed", "3");
  FakeServiceNow second;
  follow(second, "failed", "3");
  FakeServiceNow third;
  follow(third, "cancelled", "4");
}

TEST(ServiceNow, a_rejection_is_seen) {
  CHECK_OK(services::reconcile(engine.adapter(), "c1", engine.desired()));
  engine.decide("c1", false);
  STRCMP_EQUAL("rejected", UNWRAP(engine.adapter().observe("c1"))->value("approval", "").c_str());
}

TEST_GROUP(Remedy) { FakeRemedy engine; };
ADAPTER_CONTRACT_TESTS(Remedy, CONTRACT_TEST)

TEST(Remedy, a_change_is_followed_to_each_end) {
  follow(engine, "completed", "Completed");
  FakeRemedy second;
  follow(second, "failed", "Completed");
  FakeRemedy third;
  follow(third, "expired", "Cancelled");
}

TEST_GROUP(ForeignSystems) { TempFolder folder; };

TEST(ForeignSystems, settings_without_address_user_or_password_are_refused) {
  using services::change::read_place;
  std::ofstream(folder / "password") << "p";
  const std::string file = (folder / "password").string();
  CHECK_OK(read_place({{"url", "https://snow"}, {"user", "u"}, {"password_file", file}}));
  for (const Json& wrong :
       {Json{{"user", "u"}, {"password_file", file}}, Json{{"url", "https://snow"}, {"user", "u"}},
        Json{{"url", "ftp://snow.example"}, {"user", "u"}, {"password_file", file}},
        Json{{"url", "https://snow"}, {"user", "u"}, {"password_file", file}, {"password", "x"}}})
    CHECK_ERROR(base::Code::invalid_argument, "", read_place(wrong));
  CHECK_TRUE(!read_place({{"url", "https://snow"}, {"user", "u"}, {"password_file", "/none"}}));
}

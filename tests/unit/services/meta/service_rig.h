// SPDX-License-Identifier: Apache-2.0
// Meta on a real host with a store in memory: calls go through the whole pipeline, without HTTP;
// each answer is checked (reply_check.h).
//
// FakeSecurity stands for services/security, which has suites of its own: `Bearer NAME` is the
// account NAME; it keeps organisations, people and groups in memory and gives `**` in root to
// admin. It refuses names that it does not know and organisations that there are already.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "services/framework/running_host.h"
#include "services/meta/service.h"
#include "tests/support/check_result.h"
#include "tests/support/services/reply_check.h"
#include "tests/support/services/still_time.h"
#include "tests/support/temp_folder.h"

class FakeSecurity final : public services::Service,
                           public services::Identity,
                           public services::Orgs,
                           public services::Authorizer,
                           public services::meta::Identities {
 public:
  using Membership = services::meta::Identities::Membership;
  static std::string id_of(const std::string& name) { return services::meta::derived_id(name); }

  FakeSecurity() {
    const std::string root = id_of("root");
    orgs.push_back({root, "root", "root", "", ""});
    add_user("admin");
    groups[id_of("admins")] = {id_of("admins"), "admins", "", root};
  }
  void add_user(const std::string& name) {
    users[id_of(name)] = {id_of(name), name, "F", "L", "", "", "", id_of("root"), false};
  }

  std::string_view name() const override { return "security"; }
  std::string_view mount() const override { return "/security"; }
  std::vector<store::Collection> collections() const override { return {}; }
  void actions(services::ActionTable&) override {}
  base::Result<void> start(services::Host& host) override {
    host.provide(static_cast<services::Identity&>(*this));
    host.provide(static_cast<services::Orgs&>(*this));
    host.provide(services::Access::Kind::right, *this);
    return {};
  }

  base::Result<services::CallerPtr> authenticate(store::Reader&,
                                                 const services::Presented& shown) override {
    constexpr std::string_view kBearer = "Bearer ";
    const std::string id = shown.authorization.starts_with(kBearer)
                               ? id_of(std::string(shown.authorization.substr(kBearer.size())))
                               : "";
    const auto user = users.find(id);
    if (user == users.end()) {
      return base::Error{base::Code::unauthenticated, "nobody", "credentials_invalid"};
    }
    auto caller = std::make_shared<services::Caller>();
    caller->account_id = id;
    caller->name = user->second.username;
    caller->org_id = id_of("root");
    caller->credential = services::CredentialKind::token;
    if (caller->name == "admin") caller->rights.insert({id_of("root"), "**", ""});
    for (const auto& [group, members_in] : members) {
      if (members_in.contains(id)) caller->group_ids.push_back(group);
    }
    return services::CallerPtr(std::move(caller));
  }
  template <class Fits>
  std::optional<services::Org> org_where(Fits fits) const {
    for (const auto& org : orgs) {
      if (fits(org)) return services::Org{org.id, org.fqon};
    }
    return std::nullopt;
  }
  base::Result<std::optional<services::Org>> find_fqon(store::Reader&,
                                                       std::string_view fqon) override {
    return org_where([fqon](const auto& org) { return org.fqon == fqon; });
  }
  base::Result<std::optional<services::Org>> find_id(store::Reader&, std::string_view id) override {
    return org_where([id](const auto& org) { return org.id == id; });
  }
  base::Result<std::vector<services::Org>> lineage(store::Reader&, std::string_view id) override {
    std::vector<services::Org> way;
    for (std::string at(id); !at.empty();) {
      const auto org =
          std::find_if(orgs.begin(), orgs.end(), [&at](const auto& each) { return each.id == at; });
      if (org == orgs.end()) return base::Error{base::Code::not_found, "none", "org_unknown"};
      way.insert(way.begin(), {org->id, org->fqon});
      at = org->parent_id;
    }
    return way;
  }
  base::Result<services::Decision> decide(store::Reader&, const services::Question& question,
                                          services::Call&) override {
    return services::Decision{question.caller.name == "admin", "a fake"};
  }

  base::Result<void> visit_orgs(
      store::Reader&, const services::meta::Visit<services::meta::IdentityOrg>& visit) override {
    for (const auto& org : orgs) TRY(visit(org));
    return {};
  }
  base::Result<void> visit_users(
      store::Reader&, const services::meta::Visit<services::meta::IdentityUser>& visit) override {
    for (const auto& [id, user] : users) TRY(visit(user));
    return {};
  }
  base::Result<void> visit_groups(
      store::Reader&, const services::meta::Visit<services::meta::IdentityGroup>& visit) override {
    for (const auto& [id, group] : groups) TRY(visit(group));
    return {};
  }
  base::Result<std::optional<services::meta::IdentityOrg>> identity_org(
      store::Reader&, std::string_view id) override {
    for (const auto& org : orgs) {
      if (org.id == id) return std::optional(org);
    }
    return std::optional<services::meta::IdentityOrg>();
  }
  base::Result<std::optional<services::meta::IdentityUser>> identity_user(
      store::Reader&, std::string_view id) override {
    const auto found = users.find(std::string(id));
    return found == users.end() ? std::nullopt : std::optional(found->second);
  }
  base::Result<std::optional<services::meta::IdentityGroup>> identity_group(
      store::Reader&, std::string_view id) override {
    const auto found = groups.find(std::string(id));
    return found == groups.end() ? std::nullopt : std::optional(found->second);
  }
  base::Result<std::vector<std::string>> members_of_group(store::Reader&,
                                                          std::string_view group) override {
    const auto& in = members[std::string(group)];
    return std::vector<std::string>(in.begin(), in.end());
  }
  base::Result<std::vector<std::string>> groups_of_user(store::Reader&,
                                                        std::string_view user) override {
    std::vector<std::string> found;
    for (const auto& [group, in] : members) {
      if (in.contains(std::string(user))) found.push_back(group);
    }
    return found;
  }

  base::Result<services::meta::IdentityOrg> make_org(services::Call& call, std::string_view parent,
                                                     std::string_view org_name,
                                                     std::string_view) override {
    const auto above = *identity_org(call.read(), parent);
    if (!above) return base::Error{base::Code::not_found, "no such parent", "org_unknown"};
    const std::string fqon =
        (above->fqon == "root" ? "" : above->fqon + ".") + std::string(org_name);
    orgs.push_back({id_of(fqon), std::string(org_name), fqon, above->id, ""});
    const std::string admins = orgs.back().id + "-admins";
    groups[id_of(admins)] = {id_of(admins), admins, "", id_of("root")};
    return orgs.back();
  }
  base::Result<std::vector<services::meta::IdentityGroup>> groups_with_org(
      store::Reader&, const services::meta::IdentityOrg& org) override {
    std::vector<services::meta::IdentityGroup> found;
    for (const auto& [id, group] : groups) {
      if (group.name == org.id + "-admins") found.push_back(group);
    }
    return found;
  }
  base::Result<void> drop_org(services::Call&, std::string_view id) override {
    std::erase_if(
        groups, [id](const auto& each) { return each.second.name == std::string(id) + "-admins"; });
    std::erase_if(orgs, [id](const auto& org) { return org.id == id || org.parent_id == id; });
    return {};
  }
  base::Result<std::string> hash_password(std::string_view password) override {
    return "hash of " + std::to_string(password.size());
  }
  base::Result<services::meta::IdentityUser> make_user(services::Call&, std::string_view org,
                                                       const services::meta::IdentityUser& wanted,
                                                       std::string_view hash) override {
    auto user = wanted;
    user.id = id_of(wanted.username);
    user.org_id = std::string(org);
    hashes[user.id] = std::string(hash);
    return users[user.id] = user;
  }
  base::Result<void> drop_user(services::Call&, std::string_view id) override {
    users.erase(std::string(id));
    return {};
  }
  base::Result<services::meta::IdentityGroup> make_group(services::Call&, std::string_view org,
                                                         std::string_view group_name,
                                                         std::string_view) override {
    const std::string id = id_of(std::string(group_name));
    return groups[id] = {id, std::string(group_name), "", std::string(org)};
  }
  base::Result<void> drop_group(services::Call&, std::string_view id) override {
    groups.erase(std::string(id));
    return {};
  }
  base::Result<void> change_member(services::Call&, std::string_view group, std::string_view user,
                                   Membership change) override {
    auto& in = members[std::string(group)];
    if (change == Membership::add) {
      in.insert(std::string(user));
    } else {
      in.erase(std::string(user));
    }
    return {};
  }

  // It has no transactions: what the returned function undoes is all that it was told meanwhile.
  std::function<void()> keep() {
    return [this, was = std::tuple(orgs, users, groups, members, hashes)] {
      std::tie(orgs, users, groups, members, hashes) = was;
    };
  }

  std::vector<services::meta::IdentityOrg> orgs;
  std::map<std::string, services::meta::IdentityUser> users;
  std::map<std::string, services::meta::IdentityGroup> groups;
  std::map<std::string, std::set<std::string>> members;
  std::map<std::string, std::string> hashes;
};

struct MetaRig : Utest {
  struct Answer {
    int status = 0;
    base::Json json;
    rest::Response raw;
    std::string at(const char* pointer) const {
      const base::Json::json_pointer place(pointer);
      if (!json.contains(place)) return "";
      const base::Json& value = json.at(place);
      return value.is_string() ? value.get<std::string>() : base::dump_json(value);
    }
  };

  void setup() override {
    begin();
    must(call("admin", "POST /sync"), 200);
    ids["root"] = call("admin", "GET /root").at("/id");
  }
  // A host on the store, which is made when there is none yet.
  void begin() {
    std::vector<std::unique_ptr<services::Service>> list;
    list.push_back(std::make_unique<FakeSecurity>());
    security = static_cast<FakeSecurity*>(list.back().get());
    list.push_back(UNWRAP(services::meta::Meta::make(base::Json())));
    meta = static_cast<services::meta::Meta*>(list.back().get());
    add_services(list);
    if (!db) {
      db = std::make_unique<services::test::WatchedStore>(
          store::make_memory({.collections = services::collections_of(list)}));
    }
    services::Host::Parts parts{*db,
                                clock,
                                base::system_rng(),
                                timers,
                                *workers,
                                metrics,
                                folder.path().string(),
                                [this](const std::function<void()>& work) { post(work); }};
    host = UNWRAP(services::RunningHost::make(parts, std::move(list), {}));
    replies = std::make_unique<services::test::ReplyCheck>(*host);
    replies->around_tries([this] { return security->keep(); });
    CHECK_OK(host->start());
  }
  // What the host wants done on its loop.
  virtual void post(const std::function<void()>& work) { work(); }
  // Beside security and meta.
  virtual void add_services(std::vector<std::unique_ptr<services::Service>>&) {}
  void teardown() override {
    host->stop();
    workers.reset();  // ends what is still under way on them
    host.reset();
  }

  std::string fill(std::string text) const {
    for (auto at = ids.rbegin(); at != ids.rend(); ++at) {
      const std::string name = "$" + at->first;
      for (auto found = text.find(name); found != std::string::npos; found = text.find(name)) {
        text.replace(found, name.size(), at->second);
      }
    }
    return text;
  }
  // "PATCH /root/environments/$env?dryrun=true" below /meta, `$env` for what `ids` holds.
  Answer call(const std::string& who, const std::string& line, const std::string& body = "",
              const std::map<std::string, std::string>& headers = {}) {
    static const std::map<std::string, rest::Method, std::less<>> kMethods = {
        {"GET", rest::Method::get},
        {"POST", rest::Method::post},
        {"PUT", rest::Method::put},
        {"PATCH", rest::Method::patch},
        {"DELETE", rest::Method::del}};
    rest::Request request;
    request.method = kMethods.at(line.substr(0, line.find(' ')));
    const std::string whole = fill(line.substr(line.find(' ') + 1));
    const auto mark = whole.find('?');
    request.path = mount + whole.substr(0, mark);
    if (mark != std::string::npos) {
      request.query = UNWRAP(rest::parse_query(whole.substr(mark + 1)));
    }
    request.body = fill(body);
    request.id = "test";
    request.peer = "10.0.0.2:1";
    request.principal.name = "anonymous";
    if (!who.empty()) request.headers["authorization"] = "Bearer " + who;
    if (!body.empty()) request.headers["content-type"] = "application/json";
    for (const auto& [name, value] : headers) request.headers[name] = value;
    Answer answer;
    answer.raw = replies->send(request);
    answer.status = answer.raw.status;
    auto json = base::parse_json(answer.raw.body, {.bytes_max = 16 << 20});
    if (json) answer.json = *std::move(json);
    return answer;
  }
  // Makes something and keeps its id under `name`.
  Answer make(const std::string& name, const std::string& path, const std::string& body) {
    Answer made = call("admin", "POST " + path, body);
    must(made, 201);
    ids[name] = made.at("/id");
    return made;
  }
  // Says at a place who may do something there and below, instead of what was said before.
  void grant(const std::string& place, const std::string& action, const base::Json& identities) {
    const Answer list = call("admin", "GET " + place + "/entitlements?expand=true");
    must(list, 200);
    for (const base::Json& each : list.json) {
      if (each["properties"]["action"] != action) continue;
      const base::Json body = {{"properties", {{"action", action}, {"identities", identities}}}};
      return must(call("admin", "PUT " + place + "/entitlements/" + each["id"].get<std::string>(),
                       base::dump_json(body)),
                  200);
    }
    FAIL(("no entitlement " + action).c_str());
  }
  static void must(const Answer& answer, int status) {
    if (answer.status == status) return;
    FAIL(("answered " + std::to_string(answer.status) + " " + answer.raw.body).c_str());
  }
  // root ▸ ws ▸ env ▸ web, with a provider at root.
  void plant() {
    make("ws", "/root/workspaces", R"({"name":"ws","description":"W"})");
    make("env", "/root/workspaces/$ws/environments",
         R"({"name":"env","properties":{"environment_type":"test"}})");
    make("caas", "/root/providers",
         R"({"name":"caas","resource_type":"Gestalt::Configuration::Provider::CaaS::DCOS",
             "properties":{"config":{"url":"http://127.0.0.1:8080"}}})");
    make("web", "/root/environments/$env/containers",
         R"({"name":"web","properties":{"provider":{"id":"$caas"},"image":"nginx"}})");
  }
  // Somebody of root without rights.
  void enter(const std::string& name) {
    security->add_user(name);
    ids[name] = FakeSecurity::id_of(name);
    must(call("admin", "POST /sync"), 200);
  }

  std::string mount = "/meta";  // of the service that is called
  TempFolder folder;
  TestClock clock;
  StillTimers timers{clock};
  rest::Metrics metrics;
  std::unique_ptr<store::Store> db;
  std::unique_ptr<sys::WorkerPool> workers =
      std::make_unique<sys::WorkerPool>(sys::WorkerPool::Limits{.threads = 2});
  std::unique_ptr<services::RunningHost> host;
  std::unique_ptr<services::test::ReplyCheck> replies;
  FakeSecurity* security = nullptr;      // owned by the host
  services::meta::Meta* meta = nullptr;  // likewise
  std::map<std::string, std::string> ids;
};

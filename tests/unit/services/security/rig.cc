// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/services/security/rig.h"

#include <fstream>
#include <iterator>
#include <utility>

#include "common/base/text.h"

namespace {

std::string basic(const std::string& key, const std::string& secret) {
  // RFC 7617 wants the padded alphabet; the parser takes both.
  return "Basic " + base::to_base64url(key + ":" + secret);
}

}  // namespace

void SecurityRig::setup() {
  db = store::make_memory({.collections = {}});
  restart();
  std::ifstream file(folder / "admin.json");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const base::Json made = UNWRAP(base::parse_json(text));
  keys["admin"] = basic(made["apiKey"].get<std::string>(), made["apiSecret"].get<std::string>());
  ids["admin"] = made["accountId"].get<std::string>();
  const Answer root = as("admin", rest::Method::get, "/orgs/current");
  ids["root"] = root.at("id");
}

void SecurityRig::teardown() {
  if (host) host->stop();
  workers.reset();  // joins: what still runs there uses the host
  host.reset();
}

void SecurityRig::restart(store::Store* kept) {
  if (host) host->stop();
  workers.reset();
  host.reset();
  workers = std::make_unique<sys::WorkerPool>(sys::WorkerPool::Limits{.threads = 2});
  base::Json json = UNWRAP(base::parse_json(config));
  json["credentialsFile"] = (folder / "admin.json").string();
  std::vector<std::unique_ptr<services::Service>> list;
  list.push_back(UNWRAP(security::Security::make(json)));
  service = static_cast<security::Security*>(list.front().get());
  collections = services::collections_of(list);
  std::unique_ptr<store::Store> fresh = std::make_unique<services::test::WatchedStore>(
      store::make_memory({.collections = collections}));
  if (!ids.empty()) CHECK_OK(fresh->replace_with(kept != nullptr ? *kept : *db));
  db = std::move(fresh);
  services::Host::Parts parts{
      *db,      clock,   base::system_rng(),     timers,
      *workers, metrics, folder.path().string(), [](std::function<void()> work) { work(); }};
  host = UNWRAP(services::RunningHost::make(parts, std::move(list), {}));
  replies = std::make_unique<services::test::ReplyCheck>(*host);
  host->subscribe("rig", "security.", [this](const services::Event& event) -> base::Result<void> {
    const std::lock_guard lock(told_mutex);
    told_names.push_back(event.name);
    return {};
  });
  CHECK_OK(host->start());
}

std::unique_ptr<store::Store> SecurityRig::keep() {
  auto copy = std::make_unique<services::test::WatchedStore>(
      store::make_memory({.collections = collections}));
  CHECK_OK(copy->replace_with(*db));
  return copy;
}

std::uint64_t SecurityRig::epoch() {
  std::uint64_t found = 0;
  CHECK_OK(db->read([&](store::Reader& reader) -> base::Result<void> {
    found = TRY(security::epoch(reader));
    return {};
  }));
  return found;
}

std::vector<std::string> SecurityRig::told() {
  CHECK_OK(host->drain());
  const std::lock_guard lock(told_mutex);
  return std::exchange(told_names, {});
}

std::string SecurityRig::fill(std::string text) const {
  for (auto at = ids.rbegin(); at != ids.rend(); ++at) {  // longer names first among equal heads
    const std::string name = "$" + at->first;
    for (auto found = text.find(name); found != text.npos; found = text.find(name)) {
      text.replace(found, name.size(), at->second);
    }
  }
  return text;
}

SecurityRig::Answer SecurityRig::call(rest::Method method, const std::string& path,
                                      const std::string& body, const std::string& auth,
                                      std::map<std::string, std::string> headers) {
  rest::Request request;
  request.method = method;
  const std::string whole = fill(path);
  const auto mark = whole.find('?');
  request.path = "/security" + whole.substr(0, mark);
  if (mark != whole.npos) request.query = UNWRAP(rest::parse_query(whole.substr(mark + 1)));
  request.body = fill(body);
  request.id = "test";
  request.peer = "10.0.0.2:1";
  request.principal.name = "anonymous";
  for (auto& [name, value] : headers) request.headers[name] = value;
  if (!auth.empty()) request.headers["authorization"] = auth;
  if (!body.empty() && !request.headers.contains("content-type")) {
    request.headers["content-type"] = "application/json";
  }
  Answer answer;
  answer.raw = replies->send(request);
  answer.status = answer.raw.status;
  auto json = base::parse_json(answer.raw.body);
  if (json) answer.json = *std::move(json);
  return answer;
}

SecurityRig::Answer SecurityRig::form(const std::string& path, const std::string& body,
                                      const std::string& auth) {
  return call(rest::Method::post, path, body, auth,
              {{"content-type", "application/x-www-form-urlencoded"}});
}

std::string SecurityRig::login(const std::string& org, const std::string& name,
                               const std::string& password) {
  return form("/" + org + "/oauth/issue",
              "grant_type=password&username=" + name + "&password=" + password)
      .at("access_token");
}

void SecurityRig::must(const Answer& answer, int status) {
  if (answer.status != status) FAIL(("answered " + answer.raw.body).c_str());
}

void SecurityRig::make_cast() {
  using rest::Method;
  const auto make = [&](const std::string& name, const std::string& path, const std::string& body) {
    const Answer made = as("admin", Method::post, path, body);
    must(made, 201);
    ids[name] = made.at("id");
  };
  const auto make_key = [&](const std::string& who, const std::string& org) {
    const Answer made =
        as("admin", Method::post, "/accounts/$" + who + "/apiKeys", R"({"orgId":"$)" + org + "\"}");
    must(made, 201);
    ids[who + "_key"] = made.at("apiKey");
    keys[who] = basic(made.at("apiKey"), made.at("apiSecret"));
  };
  for (const char* org : {"acme", "evil"}) {
    make(org, "/root/orgs",
         R"({"name":")" + std::string(org) + R"(","createDefaultUserGroup":true})");
  }
  make("ada", "/acme/accounts",
       R"({"username":"ada","firstName":"Ada","lastName":"L","email":"ada@acme.example",
           "rights":[{"grantName":"**"}],
           "credential":{"credentialType":"GestaltPasswordCredential","password":"ada-secret"}})");
  make("bob", "/acme/accounts",
       R"({"username":"bob","firstName":"Bob","lastName":"B","phoneNumber":"+15058675309",
           "credential":{"credentialType":"GestaltPasswordCredential","password":"bob-secret"}})");
  make("eve", "/evil/accounts",
       R"({"username":"eve","firstName":"Eve","lastName":"E","rights":[{"grantName":"**"}]})");
  make("shop", "/acme/apps", R"({"name":"shop"})");
  const Answer directories = as("admin", Method::get, "/acme/directories");
  ids["dir"] = directories.json[0]["id"].get<std::string>();
  const Answer users = as("admin", Method::get, "/directories/$dir/groupnames/acme-users");
  ids["users"] = users.at("id");
  make("team", "/directories/$dir/groups", R"({"name":"team"})");
  make("map", "/apps/$shop/accountStores",
       R"({"name":"all","storeType":"DIRECTORY","accountStoreId":"$dir",
           "isDefaultAccountStore":true,"isDefaultGroupStore":true})");
  make("right", "/apps/$shop/accounts/$bob/rights", R"({"grantName":"cart:read"})");
  make("gright", "/apps/$shop/groups/$team/rights", R"({"grantName":"cart:read"})");
  make("oright", "/acme/groups/$team/rights", R"({"grantName":"sell"})");
  make("bright", "/acme/accounts/$bob/rights", R"({"grantName":"sell","grantValue":"3"})");
  for (const char* who : {"ada", "bob"}) make_key(who, "acme");
  make_key("eve", "evil");
}

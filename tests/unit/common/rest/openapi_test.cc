// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "common/rest/route.h"
#include "tests/support/check_result.h"

namespace {

struct Service {};
base::Result<rest::Response> none(Service&, const rest::Request&) {
  return rest::Response::no_content();
}

constexpr rest::Route<Service> kRoutes[] = {
    {rest::Method::get, "/v2/apps/{id...}", rest::Scope("app:read"), rest::Run::on_loop, none,
     "One"},
    {rest::Method::put,
     "/v2/apps/{id...}",
     rest::Scope("app:write"),
     rest::Run::on_worker,
     none,
     "Change",
     {.body_max = 1024}},
    {rest::Method::get, "/login", rest::kPublic, rest::Run::on_loop, none, "Open"},
};

}  // namespace

TEST_GROUP(OpenApi) {
  rest::RouteTable table;
  void setup() override { table.describe(kRoutes); }
};

TEST(OpenApi, the_document_follows_the_table) {
  const base::Json api = rest::make_openapi(table, "test", "1.0");
  STRCMP_EQUAL("3.1.0", api["openapi"].get<std::string>().c_str());
  const base::Json& path = api["paths"]["/v2/apps/{id}"];
  STRCMP_EQUAL("app:read", path["get"]["x-gestalt-scope"].get<std::string>().c_str());
  STRCMP_EQUAL(R"([{"bearer":["app:write"]},{"basic":["app:write"]}])",
               path["put"]["security"].dump().c_str());
  STRCMP_EQUAL("id", path["get"]["parameters"][0]["name"].get<std::string>().c_str());
  STRCMP_EQUAL("[]", api["paths"]["/login"]["get"]["security"].dump().c_str());
  LONGS_EQUAL(1024, path["put"]["requestBody"]["x-gestalt-bytes-max"].get<int>());
  CHECK_FALSE(path["get"].contains("requestBody"));
  STRCMP_EQUAL("#/components/responses/Problem",
               path["get"]["responses"]["default"]["$ref"].get<std::string>().c_str());
  CHECK_TRUE(api["components"]["schemas"]["Problem"]["properties"]["errors"].is_object());
  STRCMP_EQUAL(R"({"scheme":"bearer","type":"http"})",
               api["components"]["securitySchemes"]["bearer"].dump().c_str());
}

TEST(OpenApi, the_dump_lists_every_row) {
  STRCMP_EQUAL(
      R"([{"method":"GET","path":"/v2/apps/{id...}","run":"on_loop","scope":"app:read"},)"
      R"({"method":"PUT","path":"/v2/apps/{id...}","run":"on_worker","scope":"app:write"},)"
      R"({"method":"GET","path":"/login","run":"on_loop","scope":"public"}])",
      rest::dump_routes(table).dump().c_str());
}

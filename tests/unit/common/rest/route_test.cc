// SPDX-License-Identifier: Apache-2.0
#include "common/rest/route.h"

#include "tests/support/check_result.h"

using base::Code;
using rest::Method;

namespace {

void add(rest::RouteTable& table, Method method, const char* path) {
  table.add(rest::Row{method,
                      path,
                      rest::Scope("app:read"),
                      rest::Run::on_loop,
                      [](const rest::Request&) -> base::Result<rest::Response> {
                        return rest::Response::no_content();
                      },
                      "",
                      {}});
}

rest::RouteTable make_table() {
  rest::RouteTable table;
  add(table, Method::get, "/");
  add(table, Method::get, "/v2/apps");
  add(table, Method::post, "/v2/apps");
  add(table, Method::get, "/v2/apps/{id...}");
  add(table, Method::del, "/v2/apps/{id...}");
  add(table, Method::get, "/v1/pools/{pool}");
  add(table, Method::get, "/v1/pools/all");
  add(table, Method::get, "/v1/pools/{pool}/members/{member}");
  return table;
}

std::string row_of(const rest::RouteTable& table, const char* path, Method method = Method::get) {
  const auto match = table.match(method, path);
  return match ? match->row->path : std::string(match.error().reason);
}

}  // namespace

TEST_GROUP(RouteTable) { const rest::RouteTable table = make_table(); };

TEST(RouteTable, literals_win_over_parameters_and_a_trailing_slash_is_the_same_path) {
  STRCMP_EQUAL("/v1/pools/all", row_of(table, "/v1/pools/all").c_str());
  STRCMP_EQUAL("/v1/pools/{pool}", row_of(table, "/v1/pools/all2").c_str());
  STRCMP_EQUAL("/v1/pools/{pool}", row_of(table, "/v1/pools/a/").c_str());
  STRCMP_EQUAL("/v2/apps", row_of(table, "/v2/apps/").c_str());
  STRCMP_EQUAL("/", row_of(table, "/").c_str());
}

TEST(RouteTable, a_parameter_takes_one_segment_that_is_not_empty) {
  const auto match = UNWRAP(table.match(Method::get, "/v1/pools/gr%C3%BCn%20x/members/a%252Fb"));
  STRCMP_EQUAL("gr\xc3\xbcn x", match.parameters.at("pool").c_str());
  STRCMP_EQUAL("a%2Fb", match.parameters.at("member").c_str());
  STRCMP_EQUAL("/v1/pools/gr\xc3\xbcn x/members/a%2Fb", match.path.c_str());
  STRCMP_EQUAL("route_unknown", row_of(table, "/v1/pools//members/a").c_str());
  STRCMP_EQUAL("route_unknown", row_of(table, "//v1/pools/a").c_str());
}

TEST(RouteTable, a_rest_parameter_takes_marathon_ids_in_every_spelling) {
  for (const char* path :
       {"/v2/apps/demo/web", "/v2/apps//demo/web", "/v2/apps/demo/web/", "/v2/apps/%2Fdemo%2Fweb",
        "/v2/apps/%2fdemo/web", "/v2/apps///demo//web"}) {
    const auto match = UNWRAP(table.match(Method::get, path));
    STRCMP_EQUAL("demo/web", match.parameters.at("id").c_str());
    STRCMP_EQUAL("/v2/apps/demo/web", match.path.c_str());
  }
}

TEST(RouteTable, a_rest_parameter_needs_a_segment) {
  STRCMP_EQUAL("path_invalid", row_of(table, "/v2/apps/%2F").c_str());
  STRCMP_EQUAL("method_not_allowed", row_of(table, "/v2/apps/", Method::del).c_str());
}

TEST(RouteTable, paths_that_mean_two_things_are_refused) {
  for (const char* path : {"/v1/pools/a%00b",
                           "/v1/pools/a%2Fb",
                           "/v1/pools/a%5cb",
                           "/v1/pools/a\\b",
                           "/v1/pools/..",
                           "/v1/./pools/a",
                           "/v1/pools/%2e%2E",
                           "/v1/pools/%2e",
                           "/v1/pools/%",
                           "/v1/pools/%4",
                           "/v1/pools/%zz",
                           "/v1/pools/%ff",
                           "/v1/pools/\xc0\xaf",
                           "/v1/pools/a%0d%0ab",
                           "v1/pools/a",
                           "",
                           "http://host/v1/pools/a",
                           "/v2/apps/..%2Fx",
                           "/v2/apps/a%2F..%2Fb",
                           "/v2/apps/%2F.%2Fb"}) {
    CHECK_ERROR(Code::invalid_argument, "path_invalid", table.match(Method::get, path));
  }
}

TEST(RouteTable, a_known_path_with_another_method_names_the_methods_it_takes) {
  CHECK_ERROR(Code::unsupported, "method_not_allowed", table.match(Method::put, "/v2/apps"));
  const auto methods = table.methods("/v2/apps");
  LONGS_EQUAL(2, methods.size());
  CHECK_TRUE(methods[0] == Method::get && methods[1] == Method::post);
  LONGS_EQUAL(0, table.methods("/nothing").size());
  CHECK_ERROR(Code::not_found, "route_unknown", table.match(Method::get, "/v2"));
}

TEST(RouteTable, each_of_many_rows_is_found_and_nothing_beside_them) {
  rest::RouteTable many;
  for (int i = 0; i < 100; ++i) {
    const std::string mount = "/service" + std::to_string(i);
    for (const char* tail : {"/{a}/x", "/{a}/{b}", "/list/{c...}", "/list/all"}) {
      add(many, Method::get, (mount + tail).c_str());
    }
  }
  for (const rest::Row& row : many.rows()) {
    std::string path = row.path;
    for (std::size_t at = 0; (at = path.find_first_of("{}.", at)) != std::string::npos;) {
      path.erase(at, 1);
    }
    STRCMP_EQUAL(row.path.c_str(), row_of(many, path.c_str()).c_str());
    STRCMP_EQUAL("route_unknown", row_of(many, ("/x" + path).c_str()).c_str());
  }
}

TEST(RouteTable, a_literal_that_leads_nowhere_gives_way_to_a_parameter_or_the_rest) {
  rest::RouteTable odd;
  add(odd, Method::get, "/a/b/c");
  add(odd, Method::put, "/a/b/e");
  add(odd, Method::get, "/a/{x}/d");
  add(odd, Method::get, "/a/{x}/e");
  add(odd, Method::get, "/a/{rest...}");
  STRCMP_EQUAL("/a/b/c", row_of(odd, "/a/b/c").c_str());
  STRCMP_EQUAL("/a/{x}/d", row_of(odd, "/a/b/d").c_str());
  STRCMP_EQUAL("/a/{x}/e", row_of(odd, "/a/b/e").c_str());
  STRCMP_EQUAL("/a/b/e", row_of(odd, "/a/b/e", Method::put).c_str());
  STRCMP_EQUAL("/a/{rest...}", row_of(odd, "/a/b/f").c_str());
  STRCMP_EQUAL("/a/{rest...}", row_of(odd, "/a/b%2Fc").c_str());
  STRCMP_EQUAL("method_not_allowed", row_of(odd, "/a/b/c", Method::post).c_str());
  LONGS_EQUAL(2, odd.methods("/a/b/e").size());
}

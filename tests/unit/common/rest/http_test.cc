// SPDX-License-Identifier: Apache-2.0
#include "common/rest/http.h"

#include "tests/support/check_result.h"

using base::Code;

namespace {

rest::Request with_query(const char* raw) {
  rest::Request request;
  request.query = UNWRAP(rest::parse_query(raw));
  return request;
}

}  // namespace

TEST_GROUP(Request){};

TEST(Request, a_query_is_decoded_once_in_order) {
  const rest::Request request = with_query("id=%2Fa%252Fb&&embed=x+y&embed=z&flag&empty=&a=b=c");
  STRCMP_EQUAL("/a%2Fb", request.find_query("id")->c_str());
  const auto embed = request.all_query("embed");
  LONGS_EQUAL(2, embed.size());
  STRCMP_EQUAL("x y", embed[0].c_str());
  STRCMP_EQUAL("", request.find_query("flag")->c_str());
  STRCMP_EQUAL("b=c", request.find_query("a")->c_str());
  CHECK_FALSE(request.find_query("none").has_value());
}

TEST(Request, a_query_that_is_not_text_is_refused) {
  std::string many;
  for (int i = 0; i < 300; ++i) many += "a=1&";
  for (const std::string bad : {"a=%", "a=%0", "a=%00", "%zz=1", "a=%ff", "a=%1b", many.c_str()}) {
    CHECK_ERROR(Code::invalid_argument, "query_invalid", rest::parse_query(bad));
  }
}

TEST(Request, flags_take_what_marathon_clients_send) {
  for (const char* yes : {"force=true", "force=True", "force=TRUE", "force=1", "force=", "force"}) {
    CHECK_TRUE(UNWRAP(with_query(yes).query_flag("force")));
  }
  for (const char* no : {"force=false", "force=False", "force=0", ""}) {
    CHECK_FALSE(UNWRAP(with_query(no).query_flag("force")));
  }
  CHECK_TRUE(UNWRAP(with_query("").query_flag("force", true)));
  CHECK_ERROR(Code::invalid_argument, "query_invalid", with_query("force=yes").query_flag("force"));
}

TEST(Request, numbers_and_pages_have_bounds) {
  LONGS_EQUAL(7, UNWRAP(with_query("n=7").query_int("n", 1, 0, 10)));
  LONGS_EQUAL(1, UNWRAP(with_query("").query_int("n", 1, 0, 10)));
  CHECK_ERROR(Code::invalid_argument, "query_invalid", with_query("n=11").query_int("n", 1, 0, 10));
  const rest::Page page = UNWRAP(rest::read_page(with_query("limit=5&cursor=k")));
  LONGS_EQUAL(5, page.limit);
  STRCMP_EQUAL("k", page.after.c_str());
  CHECK_ERROR(Code::invalid_argument, "query_invalid", rest::read_page(with_query("limit=0")));
  CHECK_ERROR(Code::invalid_argument, "query_invalid", rest::read_page(with_query("limit=1001")));
}

TEST(Request, if_match_is_checked_against_the_revision) {
  rest::Request request;
  CHECK_OK(rest::check_if_match(request, 3));
  request.headers["if-match"] = "\"2\", \"3\"";
  CHECK_OK(rest::check_if_match(request, 3));
  CHECK_ERROR(Code::conflict, "revision_moved_on", rest::check_if_match(request, 4));
  request.headers["if-match"] = "*";
  CHECK_OK(rest::check_if_match(request, 4));
}

TEST_GROUP(Events){};

TEST(Events, data_of_several_lines_stays_one_event) {
  STRCMP_EQUAL("event: status\r\ndata: a\r\ndata: b\r\ndata: c\r\n\r\n",
               rest::format_event("status", "a\nb\r\nc").c_str());
  STRCMP_EQUAL("id: 7\r\ndata: x\r\n\r\n", rest::format_event("", "x", "7").c_str());
}

TEST(Events, text_cannot_forge_fields) {
  STRCMP_EQUAL("event: aevent: b\r\ndata: x\r\ndata: event: c\r\n\r\n",
               rest::format_event("a\r\nevent: b", "x\revent: c").c_str());
}

TEST_GROUP(ByteStream){};

TEST(ByteStream, bytes_come_out_as_they_went_in) {
  rest::ByteStream stream(10);
  int wakes = 0;
  stream.attach([&wakes] { ++wakes; });
  CHECK_TRUE(stream.write("abcdef"));
  char out[4];
  LONGS_EQUAL(4, stream.take(out, 4));
  CHECK_TRUE(stream.write("ghijklmn"));  // 2 + 8 wait
  std::string rest_of_it;
  char buffer[32];
  rest_of_it.append(buffer, stream.take(buffer, sizeof buffer));
  STRCMP_EQUAL("efghijklmn", rest_of_it.c_str());
  CHECK_FALSE(stream.at_end());
  stream.finish();
  CHECK_TRUE(stream.at_end());
  CHECK_FALSE(stream.write("x"));
  LONGS_EQUAL(3, wakes);
}

TEST(ByteStream, a_reader_that_is_too_slow_loses_the_stream) {
  rest::ByteStream stream(4);
  int closed = 0;
  stream.on_close([&closed] { ++closed; });
  CHECK_TRUE(stream.write("abcd"));
  CHECK_FALSE(stream.write("e"));
  CHECK_FALSE(stream.is_open());
  stream.close();
  stream.close();
  LONGS_EQUAL(1, closed);
}

// SPDX-License-Identifier: Apache-2.0
#include "samples/guestbook/http.h"

#include <CppUTest/TestHarness.h>

using guestbook::HttpRequest;
using guestbook::read_request;
using guestbook::Reading;

TEST_GROUP(GuestbookHttp){};

TEST(GuestbookHttp, a_request_is_complete_at_its_last_byte_and_leaves_the_next_one) {
  const std::string whole = "POST /?a=b HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    std::string buffer = whole.substr(0, size);
    HttpRequest request;
    CHECK_TRUE(read_request(buffer, request) == Reading::incomplete);
  }
  std::string buffer = whole + "GET / HTTP/1.1\r\n";
  HttpRequest request;
  CHECK_TRUE(read_request(buffer, request) == Reading::complete);
  STRCMP_EQUAL("POST", request.method.c_str());
  STRCMP_EQUAL("/", request.path.c_str());
  STRCMP_EQUAL("abc", request.body.c_str());
  STRCMP_EQUAL("GET / HTTP/1.1\r\n", buffer.c_str());
}

TEST(GuestbookHttp, unclear_requests_are_refused) {
  for (const char* text : {
           "GET\r\n\r\n",
           "GET / HTTP/2.0\r\n\r\n",
           "GET x HTTP/1.1\r\n\r\n",
           "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
           "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
           "GET / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n",
           "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
           "GET / HTTP/1.1\r\nName : value\r\n\r\n",
           "GET / HTTP/1.1\r\nno colon\r\n\r\n",
       }) {
    std::string buffer = text;
    HttpRequest request;
    CHECK_TRUE_TEXT(read_request(buffer, request) == Reading::bad_request, text);
  }
}

TEST(GuestbookHttp, what_is_too_large_is_refused_before_it_is_held) {
  std::string head = "GET / HTTP/1.1\r\nA: " + std::string(guestbook::kHeadMax, 'a');
  HttpRequest request;
  CHECK_TRUE(read_request(head, request) == Reading::too_large);
  std::string body = "POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n";
  CHECK_TRUE(read_request(body, request) == Reading::too_large);
}

TEST(GuestbookHttp, connection_headers_and_versions_say_whether_it_stays_open) {
  const auto keeps = [](std::string text) {
    HttpRequest request;
    CHECK_TRUE(read_request(text, request) == Reading::complete);
    return request.keep_alive;
  };
  CHECK_TRUE(keeps("GET / HTTP/1.1\r\n\r\n"));
  CHECK_FALSE(keeps("GET / HTTP/1.1\r\nConnection: Close\r\n\r\n"));
  CHECK_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
  CHECK_TRUE(keeps("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n"));
}

TEST(GuestbookHttp, form_values_are_decoded_once) {
  STRCMP_EQUAL("a b%c", guestbook::form_value("x=1&entry=a+b%25c", "entry").c_str());
  STRCMP_EQUAL("%4", guestbook::form_value("entry=%4", "entry").c_str());
  STRCMP_EQUAL("", guestbook::form_value("other=1", "entry").c_str());
  STRCMP_EQUAL("&lt;b&gt;&amp;&quot;&#39;", guestbook::escape_html("<b>&\"'").c_str());
}

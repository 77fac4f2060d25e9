// SPDX-License-Identifier: Apache-2.0
#include "samples/guestbook/book.h"

#include <CppUTest/TestHarness.h>
#include <stdlib.h>

#include <filesystem>

#include "samples/guestbook/pages.h"

using guestbook::Book;

TEST_GROUP(GuestbookBook) {
  std::string folder;
  void setup() override {
    char name[] = "/tmp/guestbook-test-XXXXXX";
    folder = ::mkdtemp(name);
  }
  void teardown() override { std::filesystem::remove_all(folder); }
};

TEST(GuestbookBook, the_newest_entry_comes_first) {
  Book book(folder + "/entries");
  CHECK_TRUE(book.latest().empty());
  CHECK_TRUE(book.add("one"));
  CHECK_TRUE(Book(folder + "/entries").add("two\nlines"));
  const auto entries = book.latest();
  CHECK_EQUAL(2U, entries.size());
  STRCMP_EQUAL("two lines", entries[0].c_str());
  STRCMP_EQUAL("one", entries[1].c_str());
}

TEST(GuestbookBook, a_long_book_shows_whole_entries_only) {
  Book book(folder + "/entries");
  const std::string longest(2 * guestbook::kEntryMax, 'x');
  for (std::size_t i = 0; i < guestbook::kEntriesShown + 20; ++i) CHECK_TRUE(book.add(longest));
  const auto entries = book.latest();
  CHECK_TRUE(entries.size() >= guestbook::kEntriesShown - 1);
  for (const std::string& entry : entries) CHECK_EQUAL(guestbook::kEntryMax, entry.size());
}

TEST(GuestbookBook, an_entry_that_cannot_be_saved_is_not_acknowledged) {
  Book book(folder + "/missing/entries");
  guestbook::HttpRequest request{.method = "POST", .path = "/", .body = "entry=x"};
  CHECK_EQUAL(503, guestbook::answer(request, book, {}).status);
}

TEST(GuestbookBook, the_page_escapes_what_visitors_wrote) {
  Book book(folder + "/entries");
  guestbook::HttpRequest post{.method = "POST", .path = "/", .body = "entry=%3Cscript%3E"};
  CHECK_EQUAL(303, guestbook::answer(post, book, {}).status);
  const std::string page = guestbook::answer({.method = "GET", .path = "/"}, book, {}).body;
  CHECK_TRUE(page.find("&lt;script&gt;") != std::string::npos);
  CHECK_TRUE(page.find("<script>") == std::string::npos);
}

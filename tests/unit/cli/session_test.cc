// SPDX-License-Identifier: Apache-2.0
#include "cli/session.h"

#include <fstream>
#include <sstream>

#include "tests/support/check_result.h"
#include "tests/support/temp_folder.h"

namespace {

using base::Code;
using base::Error;
using cli::Daemon;
using cli::Session;
using cli::Status;

}  // namespace

TEST_GROUP(Session) {
  std::ostringstream out;
  std::ostringstream err;
  Session session{.out = out, .err = err};
};

TEST(Session, without_a_url_the_daemons_socket_is_used) {
  session.run_folder = "/run/gestalt";
  STRCMP_EQUAL("unix:/run/gestalt/masterd.sock",
               UNWRAP(session.endpoint(Daemon::master)).url.c_str());
  session.url = "https://10.0.0.2:8080";
  STRCMP_EQUAL("https://10.0.0.2:8080", UNWRAP(session.endpoint(Daemon::agent)).url.c_str());
}

TEST(Session, a_token_file_may_end_in_a_line_feed) {
  TempFolder folder;
  std::ofstream(folder / "t") << "gst_at_x\n";
  session.token_file = (folder / "t").string();
  STRCMP_EQUAL("gst_at_x",
               std::string(UNWRAP(session.endpoint(Daemon::master)).token.reveal()).c_str());
  session.token = "other";
  CHECK_ERROR(Code::invalid_argument, "option_invalid", session.endpoint(Daemon::master));
}

TEST(Session, a_missing_token_file_is_an_error_not_an_empty_token) {
  session.token_file = "/nonexistent/token";
  CHECK(!session.endpoint(Daemon::master));
}

TEST(Session, a_daemon_that_is_down_is_named_with_the_command_that_shows_why) {
  const Error error{Code::unavailable, "Connection refused", "connect_failed"};
  CHECK(report(session, Daemon::master, error) == Status::unavailable);
  STRCMP_EQUAL(
      "gestalt: masterd does not answer on unix:/run/gestalt/masterd.sock (Connection refused)\n"
      "    fix: systemctl status gestalt-masterd\n",
      err.str().c_str());
}

TEST(Session, an_error_shows_its_field_and_reason_and_no_control_characters) {
  const Error error{Code::invalid_argument, "must not be \033[31m", "field_invalid", 0, "/cpus"};
  CHECK(report(session, Daemon::master, error) == Status::failed);
  STRCMP_EQUAL("gestalt: must not be ?[31m (at /cpus) [field_invalid]\n", err.str().c_str());
}

TEST(Session, each_kind_of_error_has_its_exit_status) {
  const std::pair<Code, Status> rows[] = {
      {Code::not_found, Status::not_found},          {Code::unavailable, Status::unavailable},
      {Code::unauthenticated, Status::refused},      {Code::permission_denied, Status::refused},
      {Code::already_exists, Status::conflict},      {Code::conflict, Status::conflict},
      {Code::failed_precondition, Status::conflict}, {Code::timed_out, Status::timed_out},
      {Code::invalid_argument, Status::failed},      {Code::internal, Status::failed}};
  for (const auto& [code, status] : rows) CHECK(cli::status_of(Error{code, ""}) == status);
}

TEST(Session, whoever_lacks_credentials_is_told_where_a_token_is) {
  const Error error{Code::unauthenticated, "this needs credentials", "credentials_missing"};
  STRCMP_CONTAINS("run as root", advice(session, Daemon::master, error).c_str());
  session.url = "http://10.0.0.2:8080";
  STRCMP_CONTAINS("--token-file", advice(session, Daemon::master, error).c_str());
}

TEST(Session, progress_adds_lines_unless_stderr_is_a_terminal) {
  session.show_progress("one");
  session.end_progress();
  STRCMP_EQUAL("one\n", err.str().c_str());
  session.progress = true;
  session.show_progress("two");
  STRCMP_EQUAL("one\n\r\033[Ktwo", err.str().c_str());
}

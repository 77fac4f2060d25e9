// SPDX-License-Identifier: Apache-2.0
#include "common/store/pg_connection.h"

#include <libpq-fe.h>

#include "common/base/bytes.h"

namespace store {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr std::uint32_t kByteaOid = 17;  // catalog/pg_type.dat
constexpr int kBinary = 1;

std::string trimmed(const char* text) {
  std::string line = text == nullptr ? "" : text;
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.pop_back();
  return line;
}

Error unreachable(const char* text) {
  return {Code::unavailable, trimmed(text), "store_unreachable"};
}
Error refused(const char* text) {
  return {Code::permission_denied, trimmed(text), "store_refused"};
}

// libpq has no SQLSTATE for a connection that failed, only the server's words.
Error connect_error(std::string text) {
  const bool answered = text.find("FATAL:") != std::string::npos;
  for (const std::string_view passing :
       {"starting up", "shutting down", "not yet accepting", "recovery", "too many clients",
        "remaining connection slots"}) {
    if (text.find(passing) != std::string::npos) return unreachable(text.c_str());
  }
  return answered ? refused(text.c_str()) : unreachable(text.c_str());
}

// "already exists, skipping" and the like.
void drop_notice(void*, const char*) noexcept {}

}  // namespace

PgRows::PgRows(pg_result* result) : result_(result) {}
void PgRows::clear(pg_result* result) noexcept { PQclear(result); }
int PgRows::count() const { return PQntuples(result_.get()); }
std::string_view PgRows::value(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

PgConnection::PgConnection(pg_conn* connection) : connection_(connection) {}
void PgConnection::finish(pg_conn* connection) noexcept { PQfinish(connection); }

Result<std::unique_ptr<PgConnection>> PgConnection::connect(const std::string& info) {
  std::unique_ptr<PgConnection> connection(new PgConnection(PQconnectdb(info.c_str())));
  pg_conn* raw = connection->connection_.get();
  PQsetNoticeProcessor(raw, drop_notice, nullptr);
  if (PQstatus(raw) == CONNECTION_OK) return connection;
  return connect_error(trimmed(PQerrorMessage(raw)));
}

bool PgConnection::is_lost() const { return PQstatus(connection_.get()) != CONNECTION_OK; }

Error PgConnection::error_of(const pg_result* result) const {
  if (is_lost()) return unreachable(PQerrorMessage(connection_.get()));
  const std::string state = trimmed(PQresultErrorField(result, PG_DIAG_SQLSTATE));
  const char* text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  // Classes of appendix A of PostgreSQL's manual: 53 out of something, 57P the server ends, 28 and
  // 42501 rights.
  if (state.starts_with("53")) return {Code::no_space, trimmed(text), "database_full"};
  if (state.starts_with("57P") || state.starts_with("08")) return unreachable(text);
  if (state.starts_with("28") || state == "42501") return refused(text);
  return {Code::internal, state + ": " + trimmed(text), "database_error"};
}

Result<void> PgConnection::run(const std::string& statements) {
  const PgRows rows(PQexec(connection_.get(), statements.c_str()));
  const pg_result* result = rows.get();
  const ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return {};
  return error_of(result);
}

Result<PgRows> PgConnection::query(const std::string& statement,
                                   std::span<const std::string_view> parameters) {
  std::vector<const char*> values;
  std::vector<int> lengths;
  for (const std::string_view parameter : parameters) {
    values.push_back(parameter.data() == nullptr ? "" : parameter.data());
    lengths.push_back(static_cast<int>(parameter.size()));
  }
  const std::vector<int> formats(parameters.size(), kBinary);
  PgRows rows(PQexecParams(connection_.get(), statement.c_str(), static_cast<int>(values.size()),
                           nullptr, values.data(), lengths.data(), formats.data(), kBinary));
  const ExecStatusType status = PQresultStatus(rows.get());
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return rows;
  return error_of(rows.get());
}

std::string pg_array(const std::vector<std::string_view>& values) {
  // array_recv(): dimensions, has nulls, element type, then length and first index of each
  // dimension.
  base::ByteWriter writer;
  if (values.empty()) return writer.u32(0).u32(0).u32(kByteaOid).take();
  writer.u32(1).u32(0).u32(kByteaOid).u32(static_cast<std::uint32_t>(values.size())).u32(1);
  for (const std::string_view value : values) writer.text(value);
  return writer.take();
}

std::string pg_integer(std::uint32_t value) { return base::ByteWriter().u32(value).take(); }

}  // namespace store

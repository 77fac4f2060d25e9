// SPDX-License-Identifier: Apache-2.0
// One connection to PostgreSQL: statements with binary parameters, and errors in the project's
// words.
//
// Threads: one at a time.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/sys/handle.h"

struct pg_conn;
struct pg_result;

namespace store {

// Rows of an answer. Views live as long as this object.
class PgRows {
 public:
  explicit PgRows(pg_result* result);
  int count() const;
  std::string_view value(int row, int column) const;
  const pg_result* get() const { return result_.get(); }

 private:
  static void clear(pg_result* result) noexcept;
  sys::Handle<pg_result, clear> result_;
};

class PgConnection {
 public:
  // Errors: unavailable store_unreachable, permission_denied store_refused.
  static base::Result<std::unique_ptr<PgConnection>> connect(const std::string& info);

  // Several statements without parameters, separated by ";". Errors as query().
  base::Result<void> run(const std::string& statements);
  // One statement; parameters and answers are in binary form. Errors: unavailable
  // store_unreachable; no_space database_full; permission_denied store_refused; internal
  // database_error.
  base::Result<PgRows> query(const std::string& statement,
                             std::span<const std::string_view> parameters);
  // No use any more.
  bool is_lost() const;

 private:
  explicit PgConnection(pg_conn* connection);
  static void finish(pg_conn* connection) noexcept;
  base::Error error_of(const pg_result* result) const;
  sys::Handle<pg_conn, finish> connection_;
};

// `values` as a parameter of type bytea[].
std::string pg_array(const std::vector<std::string_view>& values);
// A number as a parameter of type integer.
std::string pg_integer(std::uint32_t value);

}  // namespace store

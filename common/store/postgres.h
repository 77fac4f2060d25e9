// SPDX-License-Identifier: Apache-2.0
// The PostgreSQL engine of the store: for services whose data several machines share.
//
// 1. One schema holds one store: a table of entries (table, key, value) whose content is that of
// the other engines, record by record, so that a store moves between them (Store::replace_with).
// 2. Writers of a store wait for each other across all processes (an advisory lock). Readers wait
// for nobody.
// 3. Values never become part of a statement's text.
// 4. A connection that is lost fails the transaction under way with unavailable store_unreachable;
// the next one connects anew. A commit whose answer was lost may have happened. Source: libpq 13
// (EL 9) and later.
#pragma once

#include "common/store/store.h"

namespace store {

struct PostgresOptions {
  // As libpq reads it: "host=db dbname=gestalt user=meta sslmode=verify-full passfile=…". Holds no
  // password.
  std::string connection;
  std::string schema;  // made when it is missing; lower case letters, digits, "_"; 1 to 63
  std::size_t connections_max = 8;
};
// Errors: unavailable store_unreachable; permission_denied store_refused; invalid_argument
// schema_invalid.
base::Result<std::unique_ptr<Store>> open_postgres(const PostgresOptions& postgres,
                                                   const Options& options);

}  // namespace store
